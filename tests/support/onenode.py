"""One node of a training graph, held against float autograd: what must hold of its gradients.

A float model of the dequantized operator is differentiated for the very dy that the integers read.
Elements of x at a bound of their clip lie beyond it in the float model, so that torch.clamp passes
no gradient where the mask passes none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.support.autograd import (
    FLOAT,
    clip_bounds,
    dequantize,
    per_channel,
    real_weights,
    torch,
)
from tests.support.graphs import PLAIN, Layer, Net, same

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.graph import LookupAttrs, Node, PartAttrs, SoftmaxAttrs, WindowAttrs
from tinyflash.reference import Machine, operators
from tinyflash.reference.arith import ceil_log2, factor_of
from tinyflash.reference.constants import cover, scale_of, weight_scales
from tinyflash.reference.environment import LAYERS
from tinyflash.reference.windows import Sliding

LARGEST_STEP = 3.7  # of a weight, in stored units


@dataclass
class Case:
    """A training graph, its node under test, and the dy that its backward pass reads.

    role: that of x, the input whose gradient is held against autograd.
    """

    machine: Machine
    node: Node
    dy: np.ndarray
    e_dy: int
    role: str = "x"

    @property
    def x(self) -> str:
        return self.node.inputs[self.role]

    @property
    def producer(self) -> Node:
        """The masked layer that made x."""
        producer = self.machine.graph.producer(self.x)
        assert producer is not None
        return producer

    def autograd(self) -> tuple[np.ndarray, ...]:
        """dx, and for layers dw and db, in real units."""
        graph, node = self.machine.graph, self.node
        x = torch.tensor(self._unclipped_x()).requires_grad_()
        leaves = [x]
        if node.op in LAYERS:
            leaves.append(real_weights(self.machine, node).requires_grad_())
        x_clipped = torch.clamp(x, *clip_bounds(graph, self.producer))
        y = FLOAT[node.op](node, self.dy.shape, *self._inputs(x_clipped), *leaves[1:])
        if node.op in LAYERS:
            leaves.append(torch.zeros(self.dy.shape[-1], dtype=torch.float64).requires_grad_())
            y = y + leaves[2]
        dy = torch.tensor(self.dy * self._passes() * 2.0**self.e_dy)
        return tuple(g.numpy() for g in torch.autograd.grad(y, leaves, dy))

    def _inputs(self, x: Any) -> list[Any]:
        """The maps that the node reads, in order; of a PReLU also its slopes."""
        if self.role == "x" and self.node.op != "prelu":
            return [x]
        graph, values = self.machine.graph, self.machine.values
        real = {r: dequantize(graph, t, values[t]) for r, t in self.node.inputs.items()}
        return list({**{r: torch.tensor(v) for r, v in real.items()}, self.role: x}.values())

    def _passes(self) -> np.ndarray | int:
        """Where the output of a lookup is not saturated; of others, dy has passed the mask."""
        attrs = self.node.attrs
        if not isinstance(attrs, LookupAttrs):
            return 1
        table = self.machine.values[self.node.inputs["table"]]
        inside = (table > attrs.clip.low) & (table < attrs.clip.high)
        return inside[self.machine.values[self.x] & 0xFF]

    def _unclipped_x(self) -> np.ndarray:
        """The stored x in real units, elements at a bound pushed beyond it."""
        stored = self.machine.values[self.x].astype(np.float64)
        low, high = clip_bounds(self.machine.graph, self.producer)
        real = dequantize(self.machine.graph, self.x, stored)
        return np.where(real <= low, low - 1, np.where(real >= high, high + 1, real))

    def run(self, e_dx: int = 0, rate: float = 0.0, seed: int = 0) -> str:
        """Runs the mask of x and all that derives from the node; returns the name of dx."""
        machine, env = self.machine, self.machine.environment
        nodes = machine.graph.nodes
        masks = [n for n in nodes if n.op == "mask" and n.inputs["y"] == self.x]
        derived = [n for n in nodes if n.layer == self.node.name and n.op != self.node.op]
        if self.role != "x" and self.node.op != "sub":  # of which only b has a node
            index = list(self.node.inputs).index(self.role)
            derived = [n for n in derived if n.attrs == PartAttrs(index)]
        dy, dx = derived[0].inputs["dy"], derived[0].outputs["dx"]
        machine.values[dy] = self.dy
        machine.scales[dy].exponent = self.e_dy
        machine.scales[dx].exponent = e_dx
        env.rate, env.seed = factor_of(rate), seed
        for node in (*masks, *derived):
            operators.OPERATORS[node.op](env, node)
        return dx


def make_case(
    build: Callable[[Net, str], str],
    shape: tuple[int, int, int],
    seed: int = 1,
    made_by: Layer = PLAIN,
    role: str = "x",
) -> Case:
    """`build` adds the node under test to a layer that makes x, with a tenth of it clipped."""
    net = Net(np.random.default_rng(seed))
    x = net.conv2d(net.input((*shape[:2], 1)), shape[2], same(shape, 1), made_by)
    graph = net.graph(build(net, x))
    machine = Machine(differentiate(graph))
    node = next(n for n in machine.graph.nodes if n.outputs.get("y") == graph.logits)
    clip = made_by.clip
    values = net.rng.integers(clip.low, clip.high + 1, shape)
    bounds = net.rng.choice([clip.low, clip.high], shape)
    machine.values[x] = np.where(net.rng.random(shape) < 0.1, bounds, values)
    for other in node.inputs.values():
        if other not in machine.values:
            machine.values[other] = net.rng.integers(-128, 128, graph.tensors[other].shape)
    if node.op in ("softmax", "maximum", "minimum"):  # their gradients read y
        operators.OPERATORS[node.op](machine.environment, node)
    dy = net.rng.integers(-127, 128, graph.tensors[graph.logits].shape)
    return Case(machine, node, dy, e_dy=int(net.rng.integers(-12, 3)), role=role)


# ---- What must hold ------------------------------------------------------------------------------


def exponent_for(gradient: np.ndarray) -> int:
    """The smallest at which a gradient is not saturated."""
    peak = np.abs(gradient).max()
    return math.ceil(math.log2(peak / 126)) if peak else -20


def constant_error(case: Case) -> np.ndarray | float:
    """A bound of what rounded constants may lose, in real units of dx."""
    if case.node.op == "lookup":  # slopes in Q14: SPEC 4.6
        return np.asarray(np.abs(case.dy) * 2.0 ** (case.e_dy - 15))
    if case.node.op == "softmax":
        return _probability_error(case)
    if case.node.op == "average_pool":
        return _reciprocal_error(case)
    return ratio_error(case)


def _reciprocal_error(case: Case) -> np.ndarray:
    """Of reciprocals off by half a unit of 2^-q: SPEC 4.6."""
    sides = (case.machine.values[case.x].shape[:2], case.dy.shape[:2])
    assert isinstance(case.node.attrs, WindowAttrs)
    sliding = Sliding(case.node.attrs.window, *sides)
    q = 23 - ceil_log2(cover(sliding))
    assert 2**q >= 128 * sliding.counts().max()
    total = sliding.pad(np.zeros((*sides[0], case.dy.shape[2]), dtype=np.int64))
    for _, _, at in sliding.taps():
        total[at] += np.abs(case.dy)
    return np.asarray(sliding.crop(total) * 2.0 ** (case.e_dy - q - 1))


def _probability_error(case: Case) -> np.ndarray:
    """Of probabilities in units of 1/256, each off by a unit at most: SPEC 3.4, 4.6."""
    attrs = case.node.attrs
    assert isinstance(attrs, SoftmaxAttrs)
    p = (case.machine.values[case.node.outputs["y"]] + 128) / 256
    dy = case.dy * 2.0**case.e_dy
    centred = np.abs(dy - (p * dy).sum(axis=-1, keepdims=True))
    others = np.abs(dy).sum(axis=-1, keepdims=True)
    return np.asarray(attrs.beta * (centred + (p + 1 / 256) * others) / 256)


def ratio_error(case: Case) -> np.ndarray | float:
    """As constant_error, of Q15 ratios and int16 products: SPEC 4.1."""
    machine = case.machine
    if case.node.op not in LAYERS:
        return 0.0
    if case.node.op == "depthwise" and machine.environment.descent(case.node).multiplier == 1:
        return 0.0
    q = machine.environment.descent(case.node).ratio_shift
    # A t is off by half a unit for its rounding, and by one in 2^15 of itself for its ratio.
    t_error = (0.5 * 2.0 ** (q - 7) + np.abs(case.dy) * 2.0**-15) * 2.0**case.e_dy
    w = torch.tensor(np.abs(machine.environment.weights(case.node)).astype(np.float64))
    x = torch.zeros(machine.values[case.x].shape, dtype=torch.float64).requires_grad_()
    y = FLOAT[case.node.op](case.node, case.dy.shape, x, w)
    (bound,) = torch.autograd.grad(y, [x], torch.tensor(t_error))
    return np.asarray(bound.numpy() * max(weight_scales(machine.graph, case.node)))


def check_dx(case: Case, tighter: int = 0) -> None:
    """The stored dx is autograd's within half a step; `tighter` by some bits, it saturates."""
    exact = case.autograd()[0]
    e_dx = exponent_for(exact) - tighter
    dx = case.run(e_dx)
    got = case.machine.values[dx].reshape(exact.shape) * 2.0**e_dx
    expected = np.clip(exact, -127 * 2.0**e_dx, 127 * 2.0**e_dx)
    # 2^-15 of the value for the 16 bits of factors and the 17 or more of reciprocals.
    tolerance = 0.5 * 2.0**e_dx + constant_error(case) + np.abs(exact) * 2.0**-15
    assert (np.abs(got - expected) <= tolerance).all()
    assert (case.machine.scales[dx].saturated > 0) == (tighter > 0 and exact.any())


def check_updates(case: Case, seeds: int = 1) -> None:
    """New weights and biases are within one unit of the exact step; their mean is upon it."""
    _, dw, db = case.autograd()
    s_w = np.array(weight_scales(case.machine.graph, case.node))
    alive = np.where(s_w >= s_w.max() / 1024, 1 / s_w, 0)
    s_x = scale_of(case.machine.graph.tensors[case.x])
    for role, step in (
        ("w", dw * per_channel(case.node, list(alive), dw.ndim)),
        ("b", db * alive / s_x),
    ):
        _check_update(case, role, step, seeds)


def _check_update(case: Case, role: str, step: np.ndarray, seeds: int) -> None:
    if role not in case.node.inputs:
        return
    rate = LARGEST_STEP / np.abs(step).max()
    name = case.node.inputs[role]
    before = case.machine.values[name].copy()
    limit = 127 if role == "w" else case.machine.environment.descent(case.node).b_limit
    exact = np.clip(before - rate * step, -limit, limit)
    total = np.zeros(exact.shape)
    for seed in range(seeds):
        case.machine.values[name] = before
        case.run(rate=rate, seed=seed)
        change = case.machine.values[name] - exact
        # Beyond the rounding: three mantissas of 16 bits, and delta's own unit of 2^-16.
        assert np.abs(change).max() < 1 + LARGEST_STEP * 2.0**-14 + 2.0**-16
        total += change
    deviation = 0.5 / math.sqrt(seeds)  # one rounding deviates by a half at most
    assert seeds == 1 or np.abs(total / seeds).max() < 5 * deviation
