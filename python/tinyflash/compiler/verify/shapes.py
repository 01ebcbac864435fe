"""Checks single nodes: for each operator its attributes, kinds, types and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinyflash.compiler.verify import weighted
from tinyflash.compiler.verify.operands import Operands, Shape, check_type, operands_of
from tinyflash.graph import (
    AdvanceAttrs,
    Attrs,
    AxisAttrs,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    LossAttrs,
    MeanAttrs,
    NoAttrs,
    Node,
    PadAttrs,
    PartAttrs,
    SoftmaxAttrs,
    TakeAttrs,
    TransposeAttrs,
    WindowAttrs,
)


def check_node(graph: Graph, node: Node) -> None:
    """Raises InternalError if the node's operands do not fit its operator."""
    operands = operands_of(graph, node)
    attrs, rule = RULES[node.op]
    operands.same(type(node.attrs), attrs, "its attributes' type")
    for role, tensor in operands.tensors.items():
        check_type(operands, role, tensor)
    if "mask" in node.inputs:
        operands.same(operands.shape("mask"), (-(-operands.size("dx") // 8),), "the mask's shape")
    rule(operands)
    if node.op.endswith("_update"):
        weighted.remembers(operands)


# ---- Pools, sums, moves -------------------------------------------------------------------------


def _pool(o: Operands) -> None:
    """Kernels read no dilation of a pool."""
    weighted.slides(o, weighted.map_of(o, "x")[2])
    assert isinstance(o.node.attrs, WindowAttrs)
    window = o.node.attrs.window
    o.require(window.dilation == (1, 1), "a pool is dilated")


def _mean(o: Operands) -> None:
    assert isinstance(o.node.attrs, MeanAttrs)
    axes, shape = o.node.attrs.axes, o.shape("x")
    adjacent = bool(axes) and axes == tuple(range(axes[0], axes[-1] + 1))
    o.require(adjacent and axes[-1] < len(shape), f"averages over {axes} of {shape}")
    o.same(o.size("y") * math.prod(shape[a] for a in axes), o.size("x"), "y's size times count")


def _equal(*roles: str) -> Callable[[Operands], None]:
    def rule(o: Operands) -> None:
        for role in roles[1:]:
            if role in o.tensors:
                o.same(o.shape(role), o.shape(roles[0]), f"the shape of {role}")

    return rule


def _same_size(a: str, b: str) -> Callable[[Operands], None]:
    return lambda o: o.same(o.size(a), o.size(b), f"the size of {a}")


def _is_row(row: Shape, whole: Shape) -> bool:
    """Whether `row`, without leading ones, is the end of `whole`."""
    while row[:1] == (1,):
        row = row[1:]
    return whole[len(whole) - len(row) :] == row


def _sum(o: Operands) -> None:
    """b, too, has the shape of a, unless it is a constant row: such a row has no gradient."""
    o.same(o.shape("a"), o.shape("y"), "the shape of a")
    row = o.tensors["b"].data is not None and _is_row(o.shape("b"), o.shape("a"))
    if not row:
        o.same(o.shape("b"), o.shape("a"), "the shape of b")


def _mul(o: Operands) -> None:
    o.same(o.shape("y"), o.shape("a"), "y's shape")
    row, whole = o.shape("b"), o.shape("a")
    o.require(_is_row(row, whole), f"{row} is no row of {whole}")


def _mul_backward(o: Operands) -> None:
    assert isinstance(o.node.attrs, PartAttrs)
    o.require(o.node.attrs.index in (0, 1), f"operand {o.node.attrs.index} of two")
    o.require("a" in o.origin, "has no product")
    role, other = ("a", "b") if o.node.attrs.index == 0 else ("b", "a")
    for found, expected in (("dx", role), ("x", other), ("dy", "y")):
        o.same(o.shape(found), o.origin[expected].shape, f"{found}'s shape")


def _prelu(*roles: str) -> Callable[[Operands], None]:
    """Maps of one shape, and slopes that are a row of it."""

    def rule(o: Operands) -> None:
        _equal(*roles)(o)
        row, whole = o.shape("alpha"), o.shape("x")
        o.require(_is_row(row, whole), f"{row} is no row of {whole}")

    return rule


def _chosen_backward(o: Operands) -> None:
    assert isinstance(o.node.attrs, PartAttrs)
    o.require(o.node.attrs.index in (0, 1), f"operand {o.node.attrs.index} of two")
    o.require("a" in o.origin, "has no operands")
    for role in ("a", "y", "dy", "dx"):
        o.same(o.shape(role), o.origin["y"].shape, f"the shape of {role}")


def _pad(o: Operands) -> None:
    assert isinstance(o.node.attrs, PadAttrs)
    before, after = o.node.attrs.before, o.node.attrs.after
    expected = tuple(
        b + n + a for b, n, a in zip(before, weighted.map_of(o, "x"), after, strict=True)
    )
    o.same(weighted.map_of(o, "y"), expected, "y's shape")


def _take(o: Operands) -> None:
    """Each place of y is one of x."""
    assert isinstance(o.node.attrs, TakeAttrs)
    attrs = o.node.attrs
    axes, sizes = (attrs.rows, attrs.columns, attrs.channels), weighted.map_of(o, "x")
    for steps, size, count in zip(axes, sizes, weighted.map_of(o, "y"), strict=True):
        o.require(steps.first >= 0 and steps.step > 0 and steps.unit > 0, f"takes by {steps}")
        last = (steps.first + (count - 1) * steps.step) // steps.unit
        o.require(last < size, f"takes place {last} of {size}")


def _concatenate(o: Operands) -> None:
    assert isinstance(o.node.attrs, AxisAttrs)
    axis = o.node.attrs.axis
    parts = [o.shape(f"x{i}") for i in range(len(o.node.inputs))]
    o.require(0 <= axis < len(parts[0]), f"axis {axis} of {len(parts[0])} dimensions")
    expected = [*parts[0]]
    expected[axis] = sum(p[axis] for p in parts)
    o.same(o.shape("y"), tuple(expected), "y's shape")
    others = {(*p[:axis], *p[axis + 1 :]) for p in parts}
    o.same(len(others), 1, "the number of different shapes without the axis")


def _transpose(o: Operands) -> None:
    assert isinstance(o.node.attrs, TransposeAttrs)
    order, shape = o.node.attrs.order, o.shape("x")
    o.same(sorted(order), list(range(len(shape))), "its order, sorted,")
    o.same(o.shape("y"), tuple(shape[a] for a in order), "y's shape")


# ---- Training -----------------------------------------------------------------------------------


def _backward(rule: Callable[[Operands], None]) -> Callable[[Operands], None]:
    """Makes a rule that checks an input gradient against the shapes of its layer."""
    return lambda o: rule(o.forward())


def _max_pool_backward(o: Operands) -> None:
    o.same(o.shape("dx"), o.shape("x"), "dx's shape")
    _pool(o.forward())


def _concatenate_backward(o: Operands) -> None:
    assert isinstance(o.node.attrs, PartAttrs)
    part = f"x{o.node.attrs.index}"
    o.require(part in o.origin, f"its layer has no {part}")
    o.same(o.shape("dx"), o.origin[part].shape, "dx's shape")
    o.same(o.shape("dy"), o.origin["y"].shape, "dy's shape")


def _mask(o: Operands) -> None:
    o.same(o.shape("mask"), (-(-o.size("y") // 8),), "the mask's shape")


def _keep(o: Operands) -> None:
    assert isinstance(o.node.attrs, AxisAttrs)
    kept = o.node.attrs.kept
    o.require(0 < kept == o.shape("y")[-1], f"keeps {kept} channels in shape {o.shape('y')}")
    rows = o.size("y") // kept  # fully connected layers have their own rule: x may be a map
    channels, rest = divmod(o.size("x"), rows)
    o.require(not rest and kept <= channels, f"keeps {kept} of {channels} channels")


def _fisher(o: Operands) -> None:
    _equal("y", "dy")(o)
    o.same(o.shape("d"), (1 + o.shape("y")[-1],), "the shape of d")


def _nothing(_: Operands) -> None:
    """Checks nothing."""


RULES: dict[str, tuple[type[Attrs], Callable[[Operands], None]]] = {
    "source": (NoAttrs, _nothing),
    "conv2d": (WindowAttrs, weighted.conv2d),
    "depthwise": (WindowAttrs, weighted.depthwise),
    "fully_connected": (DenseAttrs, weighted.fully_connected),
    "average_pool": (WindowAttrs, _pool),
    "max_pool": (WindowAttrs, _pool),
    "mean": (MeanAttrs, _mean),
    "add": (ClipAttrs, _sum),
    "sub": (ClipAttrs, _sum),
    "pad": (PadAttrs, _pad),
    "take": (TakeAttrs, _take),
    "reshape": (NoAttrs, _same_size("y", "x")),
    "concatenate": (AxisAttrs, _concatenate),
    "transpose": (TransposeAttrs, _transpose),
    "lookup": (LookupAttrs, _equal("y", "x")),
    "mul": (ClipAttrs, _mul),
    "prelu": (ClipAttrs, _prelu("y", "x")),
    "maximum": (NoAttrs, _equal("y", "a", "b")),
    "minimum": (NoAttrs, _equal("y", "a", "b")),
    "softmax": (SoftmaxAttrs, _equal("y", "x")),
    "log_softmax": (NoAttrs, _equal("y", "x")),
    "mask": (ClipAttrs, _mask),
    "keep": (AxisAttrs, _keep),
    "softmax_loss": (LossAttrs, _same_size("dy", "x")),
    "squared_loss": (NoAttrs, _equal("dy", "x", "target")),
    "sigmoid_loss": (NoAttrs, _equal("dy", "x", "target")),
    "conv2d_backward_input": (WindowAttrs, _backward(weighted.conv2d)),
    "depthwise_backward_input": (WindowAttrs, _backward(weighted.depthwise)),
    "fully_connected_backward_input": (DenseAttrs, _backward(weighted.fully_connected)),
    "average_pool_backward_input": (WindowAttrs, _backward(_pool)),
    "max_pool_backward_input": (WindowAttrs, _max_pool_backward),
    "mean_backward_input": (MeanAttrs, _backward(_mean)),
    "pad_backward_input": (PadAttrs, _backward(_pad)),
    "take_backward_input": (TakeAttrs, _backward(_take)),
    "concatenate_backward_input": (PartAttrs, _concatenate_backward),
    "transpose_backward_input": (TransposeAttrs, _backward(_transpose)),
    "lookup_backward_input": (LookupAttrs, _equal("dx", "x", "dy")),
    "softmax_backward_input": (SoftmaxAttrs, _equal("dx", "y", "dy")),
    "sub_backward_input": (ClipAttrs, _equal("dx", "dy")),
    "mul_backward_input": (PartAttrs, _mul_backward),
    "prelu_backward_input": (ClipAttrs, _prelu("dx", "x", "dy")),
    "maximum_backward_input": (PartAttrs, _chosen_backward),
    "minimum_backward_input": (PartAttrs, _chosen_backward),
    "reshape_backward_input": (NoAttrs, _same_size("dx", "dy")),
    "gradient_add": (NoAttrs, _equal("dx", "a", "b")),
    "conv2d_update": (WindowAttrs, weighted.conv2d_update),
    "depthwise_update": (WindowAttrs, weighted.depthwise_update),
    "fully_connected_update": (DenseAttrs, weighted.fully_connected_update),
    "bias_update": (NoAttrs, weighted.bias_update),
    "fisher": (NoAttrs, _fisher),
    "advance": (AdvanceAttrs, _nothing),
}
