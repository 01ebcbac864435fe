"""Health of a run, from its counters: shares between two looks, and what is said of them."""

import numpy as np
import pytest
from tests.support.graphs import Net, same

from tinyflash.compiler import compile_model
from tinyflash.runtime.session import Counters
from tinyflash.scheme import parse_scheme
from tinyflash.training.health import Anatomy, Stretch, complaints, stretches, weights_at_limit
from tinyflash.training.health_plot import draw_health

ANATOMY = Anatomy(("d_logits", "d_body"), (10, 990), weights=500, updates=4)


def look(step, saturated=0, clamped=0, skipped=0, exponent=-9):
    return Counters(step, clamped, skipped, (-15, exponent), (0, saturated))


def test_shares_are_those_between_two_looks():
    counters = [look(5), look(15, 100, 50, 4), look(15, 100, 50, 4), look(25, 100, 50, 4)]
    first, second = stretches(counters, ANATOMY)
    assert first == Stretch(5, 15, 10_000.0, 10_000.0, 10.0)
    assert second == Stretch(15, 25, 0.0, 0.0, 0.0)
    assert first.steps == 10


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (look(100), ()),
        (look(100, saturated=499, clamped=49, skipped=39), ()),
        (
            look(100, saturated=600),
            ("6,000 ppm of the gradient elements saturated, most in d_b",),
        ),
        (look(100, clamped=100), ("2,000 ppm of the weight updates saturated at",)),
        (look(100, skipped=80), ("20 % of the updates were skipped",)),
        (look(100, exponent=15), ("training diverges; lower the rate",)),
        (look(100, 600, 100), ("gradient elements saturated", "weight updates saturated")),
    ],
)
def test_what_is_said(last, said):
    found = complaints([look(0), look(50), last], ANATOMY)
    assert len(found) == len(said)
    for line, text in zip(found, said, strict=True):
        assert text in line
        assert "\n" not in line


def test_nothing_is_said_of_no_steps():
    assert complaints([look(0)], ANATOMY) == complaints([], ANATOMY) == ()
    assert complaints([look(3), look(3)], ANATOMY) == ()


def test_anatomy_of_a_model():
    net = Net(np.random.default_rng(5))
    x = net.conv2d(net.input((6, 6, 2)), 8, same((6, 6, 2), 3))
    x = net.conv2d(x, 4, same((6, 6, 8), 3))
    graph = net.graph(net.fully_connected(net.reshape(x, (1, 144)), 4))
    compiled = compile_model(
        graph, parse_scheme("[[update]]\nlast = 2\nweights = 0.5\nbias = true")
    )
    anatomy = Anatomy.of(compiled)
    assert anatomy.elements == (4, 144, 288)
    assert anatomy.weights == 4 * 144 + 4 * 9 * 4 + 8 * 9
    assert anatomy.updates == 6
    at_limit = np.abs(np.frombuffer(compiled.program.weights, np.int8)) == 127
    assert 0 < weights_at_limit(compiled.program.weights, compiled.program) <= at_limit.sum()


def test_a_picture_of_one_step_and_of_skipped_updates(tmp_path):
    for counters in ([look(0), look(1)], [look(0), look(9, 5, 3, 30)]):
        draw_health(tmp_path / "h.png", "health", counters, ANATOMY)
        assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
