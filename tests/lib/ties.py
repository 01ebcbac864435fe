"""Kernel cases made for single roundings: values upon and beside the ties of the SPEC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from tests.lib.case import Case, capture
from tests.lib.subject import Build, Data, subject
from tests.support.graphs import Net

from tinyflash.factor import multiplier
from tinyflash.graph import (
    ClipAttrs,
    DenseAttrs,
    Graph,
    LossAttrs,
    NoAttrs,
    Node,
    Port,
    Quant,
    Tensor,
    Window,
)
from tinyflash.program import Factor
from tinyflash.quantize import fixedpoint as fp
from tinyflash.reference.arith import Ints, ints
from tinyflash.reference.constants import loss_table
from tinyflash.reference.environment import Environment

# Exact in float32, and their product is 2^30 + 1: a Q31 multiplier with its lowest bit set.
X_SCALE, W_SCALE = 80581.0, 13325.0
LARGEST_BIAS = 2**31 - 2**16
SHIFTS = range(-24, 2)
# Scales of b and y, where that of a is 1, at which a tie of b's rounding decides some sum: the
# shift of b is 1 in the first two and 2 in the others.
SUM_SCALES = ((0.7157847881317139, 1.2727543115615845), (0.5385287404060364, 1.0915687084197998))
SUM_SCALES += ((0.3979770541191101, 1.2111254930496216), (0.2530273497104645, 0.8433662056922913))


def ties() -> Iterator[Case]:
    """Every case of this file."""
    yield _requantize()
    yield _loss()
    yield _faint_loss()
    yield from _gradients()
    yield _steps()
    for b, y in SUM_SCALES:
        yield _sum(b, y)


def _requantize() -> Case:
    """SPEC 1.1 and 1.2: zero weights, so that biases are the sums, one for each tie and shift."""
    sums, scales = [], []
    for shift in SHIFTS:
        for y in (-100.5, -3.5, -1.5, -0.5, 0.5, 1.5, 2.5, 99.5):
            tie = round(y * 2 ** (1 - shift))
            beside = [tie + i for i in (-2, -1, 0, 1, 2) if abs(tie) < LARGEST_BIAS]
            sums += beside
            scales += [W_SCALE * 2.0 ** (shift - 31)] * len(beside)
    out = len(sums)
    w = np.zeros((out, 1), np.int8)
    tensors = [
        Tensor("x", (1, 1), "int8", "activation", Quant((X_SCALE,))),
        Tensor("w", w.shape, "int8", "constant", Quant(tuple(scales)), w),
        Tensor("b", (out,), "int32", "constant", None, np.array(sums, np.int32)),
        Tensor("y", (1, out), "int8", "activation", Quant((1.0,))),
    ]
    inputs = {"x": "x", "w_frozen": "w", "b": "b"}
    node = Node("fully_connected", "ties", inputs, {"y": "y"}, DenseAttrs())
    return _capture(tensors, node, {"x": ints([[5]])}, "fully_connected, ties at every shift")


def _loss() -> Case:
    """SPEC 4.7: two logits one apart, at a scale that makes G = 127.5 * 2^7 exactly."""
    logits = Tensor("x", (1, 2), "int8", "activation", Quant((2.0**-7,)))
    table = loss_table(logits).astype(np.uint16)
    tensors = [
        logits,
        Tensor("table", (256,), "uint16", "constant", None, table),
        Tensor("dy", (1, 2), "int8", "gradient"),
    ]
    node = Node("softmax_loss", "ties", {"x": "x", "table": "table"}, {"dy": "dy"}, LossAttrs())
    return _capture(tensors, node, {"x": ints([[1, 0]])}, "softmax_loss, between two exponents")


def _faint_loss() -> Case:
    """SPEC 4.8: an error so small that the lowest exponent holds it in few bits."""
    quant = Quant((float(np.float32(1e-12)),))
    target = np.array([[-128, 127, 3]], np.int8)
    tensors = [
        Tensor("x", (1, 3), "int8", "activation", quant),
        Tensor("target", (1, 3), "int8", "constant", quant, target),
        Tensor("dy", (1, 3), "int8", "gradient"),
    ]
    node = Node("squared_loss", "ties", {"x": "x", "target": "target"}, {"dy": "dy"}, NoAttrs())
    return _capture(
        tensors, node, {"x": ints([[127, -128, 4]])}, "squared_loss, at the lowest exponent"
    )


def _gradients() -> Iterator[Case]:
    """SPEC 4.1 to 4.3: dy is 1, so that each element of dx is a half of a weight."""
    builds: tuple[tuple[str, Build, int], ...] = (
        ("fully_connected", lambda net, x: net.fully_connected(x, 1), 2),
        ("fully_connected", lambda net, x: net.fully_connected(x, 1), 1),
        ("conv2d", lambda net, x: net.conv2d(x, 1, Window((1, 2))), 2),
        ("depthwise", lambda net, x: net.depthwise(x, Window((1, 2))), 2),
    )
    for op, build, width in builds:
        scaled = _with_scale(build, 2.0**-7)
        one = subject(f"ties of {op}", scaled, (1, width, 500 // width), kept=30)
        data = Data(e_dx=-16)
        env = one.environment(data)
        node = one.graph.node(one.layer, f"{op}_backward_input")
        one.disturb(env, node, data)
        env.scales[node.inputs["dy"]].exponent = -10
        env.values[node.inputs["dy"]] = np.ones_like(env.values[node.inputs["dy"]])
        yield capture(env, node, f"{node.op}, halves, {width} positions")


def _steps() -> Case:
    """SPEC 6.2: each step is a half more than a whole count of units, 2^-16 of a weight. Remainders
    add up along the row, so that another rounding of halves moves some weights of 3,000."""
    coarse = Quant((1.0,), 0)
    build = _with_scale(lambda net, x: net.fully_connected(x, 1), 2.0**-7)

    def built(net: Net, x: str) -> str:
        net.tensors[x] = replace(net.tensors[x], quant=coarse)
        return build(net, x)

    data = Data(rate=Factor(32768, -29), spread=0)  # 3 / 2 of a unit for each unit of a sum
    one = subject("ties of steps", built, (1, 1, 3000), kept=3000)
    env = one.environment(data)
    node = one.graph.node(one.layer, "fully_connected_update")
    one.disturb(env, node, data)
    x, dy = node.inputs["x"], node.inputs["dy"]
    env.values[x] = data.values(one.rng, env.values[x].shape, -127) | 1
    env.values[dy] = np.full_like(env.values[dy], 127)
    return capture(env, node, "fully_connected_update, halves")


def _with_scale(build: Build, scale: float) -> Build:
    """The layer with one scale of all its weights."""

    def built(net: Net, x: str) -> str:
        y = build(net, x)
        w = net.tensors[net.nodes[-1].inputs["w_frozen"]]
        assert w.quant is not None
        scales = (scale,) * len(w.quant.scale)
        net.tensors[w.name] = replace(w, quant=replace(w.quant, scale=scales))
        return y

    return built


def _sum(b_scale: float, y_scale: float) -> Case:
    """SPEC 3.1: all pairs whose sum is another if ties of b are rounded up, not away from zero."""
    pair = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), axis=-1).reshape(-1, 2)
    of_b, of_y = multiplier(b_scale / 2), multiplier(2 / (2**20 * y_scale))
    product, shift = fp.hmul(pair[:, 1] << 20, of_b[0]), -of_b[1]
    away, up = fp.rdiv(product, shift), (product + (1 << (shift - 1))) >> shift
    sums = [fp.mulq((pair[:, 0] << 19) + b, *of_y) for b in (away, up)]
    told = pair[(sums[0] != sums[1]) & (np.abs(sums[0]) < 127)]
    assert len(told), f"no sum tells ties at the scales {b_scale}, {y_scale}"
    # Four elements, so that loops for words see them.
    a, b = ints(np.resize(told, (4, 2))).T.reshape(2, 1, 1, 4, 1)
    tensors = [
        Tensor(name, a.shape, "int8", "activation", Quant((scale,)))
        for name, scale in {"a": 1.0, "b": b_scale, "y": y_scale}.items()
    ]
    node = Node("add", "ties", {"a": "a", "b": "b"}, {"y": "y"}, ClipAttrs())
    name = f"add, ties of an operand at {b_scale}, {y_scale}"
    return _capture(tensors, node, {"a": a, "b": b}, name)


def _capture(tensors: list[Tensor], node: Node, values: Mapping[str, Ints], name: str) -> Case:
    """Of a node alone, with the values of its operands."""
    port = Port(tensors[0].name, "int8", tensors[0].shape, tensors[0].quant)
    graph = Graph("ties", {t.name: t for t in tensors}, (node,), port, port)
    env = Environment(graph)
    env.values.update(values)
    return capture(env, node, name)
