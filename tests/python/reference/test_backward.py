"""The numpy reference of SPEC 4.4 to 4.7 and 6 against fractions and examples by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same, sample

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.graph import Clip, Quant, Tensor, Window
from tinyflash.program import Factor
from tinyflash.reference import Machine, backward, constants, update
from tinyflash.reference.arith import factor_of, ints
from tinyflash.reference.constants import Factors
from tinyflash.reference.update import Draw, Rule, Trained
from tinyflash.reference.windows import Sliding


def sat32(v: int) -> int:
    return max(-(2**31), min(2**31 - 1, v))


@pytest.mark.parametrize("e_dx", [-40, -11, -10, -9, -3, 0, 15])
@pytest.mark.parametrize(("e_a", "e_b"), [(-10, -10), (-12, -7), (-7, -12), (15, -40), (-40, 15)])
def test_gradient_add_rounds_once(e_a: int, e_b: int, e_dx: int) -> None:
    a, b = ints([127, -127, 1, -1, 0, 3, 64]), ints([127, 1, -127, 2, 0, -64, -3])
    got = backward.gradient_add(a, e_a, b, e_b, e_dx)
    for i in range(a.size):
        exact = int(a[i]) * Fraction(2) ** e_a + int(b[i]) * Fraction(2) ** e_b
        assert got[i] == sat32(round(exact / Fraction(2) ** e_dx))


@pytest.mark.parametrize("e_dx", [-40, -8, -7, 15])
def test_gradient_add_of_one(e_dx: int) -> None:
    a = ints([127, -127, 1, -1, 0])
    got = backward.gradient_add(a, -7, None, 0, e_dx)
    exact = [Fraction(int(v)) * Fraction(2) ** (-7 - e_dx) for v in a]
    assert got.tolist() == [sat32(round(v)) for v in exact]


def test_mask_passes_strictly_inside() -> None:
    bits = backward.mask(ints([-128, -127, 0, 126, 127, -128, 5, 6, 7]), Clip())
    assert bits.tolist() == [0b11001110, 0b1]
    assert backward.unpack(bits, 9).tolist() == [0, 1, 1, 1, 0, 0, 1, 1, 1]
    assert backward.mask(ints([-3, -2, 5, 6]), Clip(-3, 6)).tolist() == [0b0110]


def logits(scale: float) -> Tensor:
    return Tensor("logits", (1, 3), "int8", "activation", Quant((scale,)))


@pytest.mark.parametrize("scale", [0.01, 0.125, 1.0])
@pytest.mark.parametrize("label", range(5))
def test_softmax_loss_is_softmax_minus_one_hot(label: int, scale: float) -> None:
    x = ints([3, -128, 60, 127, 60])
    loss = backward.softmax_loss(x, constants.loss_table(logits(scale)), label)
    e = np.exp((x - x.max()) * scale)
    exact = e / e.sum() - (np.arange(5) == label)
    step = 2.0**loss.exponent
    assert np.abs(loss.dy * step - exact).max() < 0.5 * step + 5 * 2.0**-15
    assert abs(loss.probability / 2**15 - e[label] / e.sum()) < 5 * 2.0**-15
    assert loss.predicted == 3
    assert np.abs(loss.dy).max() >= 63 or loss.exponent == -15  # no bit is wasted


def test_softmax_loss_of_a_sure_network_is_zero() -> None:
    loss = backward.softmax_loss(ints([127, -128]), constants.loss_table(logits(1.0)), 0)
    assert (loss.dy.tolist(), loss.peak, loss.exponent) == ([0, 0], 0, -15)
    loss = backward.softmax_loss(ints([127, -128]), constants.loss_table(logits(1.0)), 1)
    assert (loss.dy.tolist(), loss.peak, loss.exponent) == ([64, -64], 2**15, -6)


def test_the_first_of_equal_logits_is_predicted() -> None:
    table = constants.loss_table(logits(0.1))
    assert backward.softmax_loss(ints([4, 9, 9]), table, 0).predicted == 1


# ---- Operators without weights -------------------------------------------------------------------


def test_max_pool_gives_to_the_first_by_rows_inside_the_map() -> None:
    x = ints([[5, 5, -128], [7, 7, -128]])[..., None]
    dy = ints([[1, 2, 4], [8, 16, 32], [64, 3, 9]])[..., None]
    sliding = Sliding(Window((2, 2), padding=(1, 0, 1, 1)), (2, 3), (3, 3))
    dx = backward.max_pool(x, dy, sliding, 0)
    # Windows by rows: 5, 5, -128 of the first row; 7, 7, -128; 7, 7, -128 of the last row.
    assert dx[..., 0].tolist() == [[1, 2, 4 + 32], [8 + 64, 16 + 3, 9]]


def test_lookup_rounds_the_product_with_its_slope_ties_to_even() -> None:
    slope = ints(np.zeros(256))
    slope[[0, 127, 128, 255]] = 2**13, 2**14, -(2**13), -(2**15)
    x, dy = ints([0, 127, -128, -1, 5]), ints([3, -127, 3, 127, 99])
    assert backward.lookup(x, slope, dy, 0).tolist() == [2, -127, -2, -254, 0]
    assert backward.lookup(x, slope, dy, -2).tolist() == [0, -32, 0, -64, 0]


def test_parts_and_transposes_move_their_elements() -> None:
    dy = ints(np.arange(24)).reshape(2, 3, 4)
    assert np.array_equal(backward.concatenate(dy, 1, 1, 2, 0), dy[:, 1:])
    assert np.array_equal(backward.concatenate(dy, 2, 0, 1, 1), 2 * dy[:, :, :1])
    dx = backward.transpose(dy, (2, 0, 1), 0)
    assert dx.shape == (3, 4, 2)
    assert np.array_equal(dx.transpose(2, 0, 1), dy)


# ---- Updates -------------------------------------------------------------------------------------

HALF = Factor(2**15, -16)


def rates(*reals: float) -> Factors:
    return Factors.of(reals)


def test_a_step_of_whole_units_is_exact_whatever_the_draw() -> None:
    w = Trained(ints([[10, -20], [126, -126]]))
    a = ints([[2, -4], [-100, 100]])
    for seed in range(20):
        new = update.update_rows(w, a, rates(1.0, 1.0), Rule(HALF), Draw(seed, 0, 0))
        assert new.to.values.tolist() == [[9, -18], [127, -127]]
        assert new.saturated == 2


def test_a_fraction_moves_by_its_probability() -> None:
    w, a = Trained(ints(np.zeros((1, 4000)))), ints(np.ones((1, 4000)))
    new = update.update_rows(w, a, rates(0.25), Rule(Factor(2**15, -15)), Draw(1, 2, 3)).to.values
    assert set(new.ravel().tolist()) == {0, -1}
    assert abs(new.mean() + 0.25) < 0.03


def test_dead_rows_stay_and_steps_are_bounded() -> None:
    w, a = Trained(ints([[5], [5]])), ints([[2**31 - 1], [2**31 - 1]])
    rule = Rule(Factor(2**15, 100), e_dy=15)
    new = update.update_rows(w, a, rates(0.0, 1e30), rule, Draw(0, 0, 0))
    assert new.to.values.tolist() == [[5], [-127]]


def test_each_bias_is_a_row_and_keeps_its_limit() -> None:
    dy, rate = ints([[1, 1, 4, -4], [1, 1, 4, -4]]), Factor(2**15, -17)
    draw = Draw(3, 1, 9, source=(0, 7, 8, 9))
    b = Trained(ints([0, 0, -999, 1000]))
    new = update.update_bias(b, dy, rates(1, 1, 1, 0), Rule(rate), draw, limit=1000)
    first, second = (int(k) >> 16 for k in draw.bits(4)[:2])
    assert first != second
    moved = [(u - 2**15) >> 16 for u in (first, second)]
    assert new.values.tolist() == [*moved, -1000, 1000]


def test_the_same_weights_in_any_kept_part_have_the_same_bits() -> None:
    few, many = (Draw(5, 6, 7).bits(rows) for rows in (2, 9))
    assert np.array_equal(few, many[:2])


# ---- The machine ---------------------------------------------------------------------------------


def machine() -> tuple[Machine, np.ndarray]:
    net = Net(np.random.default_rng(2))
    a = net.conv2d(net.input((4, 5, 2)), 3, same((4, 5), 3), Layer(clip=Clip(-90, 127)))
    pooled = net.pool("average_pool", a, Window((4, 5)))
    graph = net.graph(net.fully_connected(net.reshape(pooled, (1, 3)), 4))
    return Machine(differentiate(graph), seed=11), sample(graph, net.rng)


def test_training_lowers_the_loss() -> None:
    trained, x = machine()
    outcomes = [trained.train_step(x, 2, factor_of(0.1)) for _ in range(60)]
    assert outcomes[0].probability < 0.5
    assert outcomes[-1].probability > 0.9
    assert outcomes[-1].predicted == 2
    assert trained.counters().step == 60


def test_the_input_gradient_comes_before_the_update() -> None:
    """At a huge rate the two orders differ in the gradient that the first layer sees."""
    (one, x), (two, _) = machine(), machine()
    one.train_step(x, 1, Factor(0, 0))
    two.train_step(x, 1, factor_of(30.0))
    assert any((w != two.weights[name]).any() for name, w in one.weights.items())
    for name in one.scales:
        assert np.array_equal(one.values[name], two.values[name])


def test_a_reshape_shares_its_scale() -> None:
    trained, _ = machine()
    node = next(n for n in trained.graph.nodes if n.op == "reshape_backward_input")
    assert trained.scales[node.outputs["dx"]] is trained.scales[node.inputs["dy"]]
    gradients = sum(t.kind == "gradient" for t in trained.graph.tensors.values())
    assert len(trained.counters().exponents) == gradients - 1


def test_biases_are_those_of_the_graph() -> None:
    """What has a limit is refused by the compiler; the reference changes nothing."""
    net = Net(np.random.default_rng(2))
    y = net.fully_connected(net.input((1, 4)), 2)
    name = next(n for n in net.tensors if n.endswith("_b"))
    ends = [2**31 - 1, -(2**31)]
    net.tensors[name].data[:] = ends  # type: ignore[index]
    assert Machine(net.graph(y)).values[name].tolist() == ends
