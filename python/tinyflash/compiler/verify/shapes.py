"""Checks single nodes: for each operator its attributes, kinds, types and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

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
        _remembers(operands)


# ---- Layers with weights ------------------------------------------------------------------------


def _map(o: Operands, role: str) -> tuple[int, int, int]:
    shape = o.shape(role)
    o.require(len(shape) >= 3 and math.prod(shape[:-3]) == 1, f"{role} {shape} is no map")
    return shape[-3], shape[-2], shape[-1]


def _slides(o: Operands, channels: int) -> None:
    """Checks that y has the shape that the window makes from x, with `channels`."""
    assert isinstance(o.node.attrs, WindowAttrs)
    window = o.node.attrs.window
    top, left, bottom, right = window.padding
    x = _map(o, "x")
    padded = x[0] + top + bottom, x[1] + left + right
    expected = tuple(
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(padded, window.kernel, window.dilation, window.stride, strict=True)
    )
    o.same(_map(o, "y"), (*expected, channels), "y's shape")


def _kept(o: Operands) -> None:
    assert isinstance(o.node.attrs, WindowAttrs | DenseAttrs)
    found = o.shape("w")[-1] if "w" in o.tensors else 0
    o.same(found, o.node.attrs.kept, "the number of trained channels")


def _bias(o: Operands, out: int) -> None:
    if "b" in o.tensors:
        o.same(o.shape("b"), (out,), "the bias's shape")
        _source(o, "b", out)


def _sources(o: Operands, out: int | None = None) -> None:
    """Checks the source channels. Omit `out` if the parts of the weights are different output
    channels."""
    for role in ("w", "w_frozen"):
        if role in o.tensors:
            _source(o, role, o.shape(role)[-1] if out is None else out)


def _source(o: Operands, role: str, out: int) -> None:
    """Checks that the remaining output channels are different channels of the source."""
    taken = o.tensors[role].taken
    rows = taken.rows if taken is not None else ()
    o.require(len(set(rows)) in (0, out), f"{role} holds {out} channels of the source's {rows}")
    o.require(all(0 <= row < 2**16 for row in rows), f"{role} is of the source's channels {rows}")


def _conv2d(o: Operands) -> None:
    assert isinstance(o.node.attrs, WindowAttrs)
    parts = o.parts()
    out = parts[0][0]
    for part in parts:
        o.same(part[:-1], (out, *o.node.attrs.window.kernel), "the weights' shape")
    groups, depth = o.node.attrs.groups, sum(p[-1] for p in parts)
    o.require(groups > 0 and out % groups == 0, f"{out} output channels in {groups} groups")
    o.same(groups * depth, _map(o, "x")[2], "the weights' input channels")
    _sources(o, out)
    o.require(groups == 1 or len(parts) == 1, f"trains a part of {groups} groups")
    _slides(o, out)
    _kept(o)
    _bias(o, out)


def _depthwise(o: Operands) -> None:
    assert isinstance(o.node.attrs, WindowAttrs)
    parts = o.parts()
    for part in parts:
        o.same(part[:-1], o.node.attrs.window.kernel, "the weights' shape")
    out = sum(p[-1] for p in parts)
    o.require(out % _map(o, "x")[2] == 0, f"{out} channels of {_map(o, 'x')[2]}")
    o.require(o.node.attrs.kept % (out // _map(o, "x")[2]) == 0, "trains a part of a channel")
    _sources(o)
    _slides(o, out)
    _kept(o)
    _bias(o, out)


def _fully_connected(o: Operands) -> None:
    parts = o.parts()
    out, depth = parts[0][0], sum(p[-1] for p in parts)
    o.require(all(len(p) == 2 and p[0] == out for p in parts), f"weights of shapes {parts}")
    o.require(o.size("x") % depth == 0, f"{o.size('x')} inputs for weights of {depth}")
    _sources(o, out)
    o.same(o.size("y"), o.size("x") // depth * out, "y's size")
    _kept(o)
    _bias(o, out)


# ---- Pools, sums, moves -------------------------------------------------------------------------


def _pool(o: Operands) -> None:
    """Each window covers an element: an average divides by their number. Kernels read no
    dilation of a pool."""
    _slides(o, _map(o, "x")[2])
    assert isinstance(o.node.attrs, WindowAttrs)
    window = o.node.attrs.window
    o.require(window.dilation == (1, 1), "a pool is dilated")
    (x_h, x_w, _), (y_h, y_w, _), (top, left, _, _) = _map(o, "x"), _map(o, "y"), window.padding
    sides = zip((x_h, x_w), (y_h, y_w), window.kernel, window.stride, (top, left), strict=True)
    for size, count, kernel, stride, before in sides:
        covers = before < kernel and (count - 1) * stride - before < size
        o.require(covers, "a window is wholly in the padding")


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


def _minimum(o: Operands) -> None:
    _equal("y", "a", "b")(o)
    for role in "ab":
        o.same(o.tensors[role].quant, o.tensors["y"].quant, f"the unit of {role}")


def _minimum_backward(o: Operands) -> None:
    assert isinstance(o.node.attrs, PartAttrs)
    o.require(o.node.attrs.index in (0, 1), f"operand {o.node.attrs.index} of two")
    o.require("a" in o.origin, "has no minimum")
    for role in ("a", "y", "dy", "dx"):
        o.same(o.shape(role), o.origin["y"].shape, f"the shape of {role}")


def _pad(o: Operands) -> None:
    assert isinstance(o.node.attrs, PadAttrs)
    before, after = o.node.attrs.before, o.node.attrs.after
    expected = tuple(b + n + a for b, n, a in zip(before, _map(o, "x"), after, strict=True))
    o.same(_map(o, "y"), expected, "y's shape")


def _concatenate(o: Operands) -> None:
    assert isinstance(o.node.attrs, AxisAttrs)
    axis = o.node.attrs.axis
    parts = [o.shape(f"x{i}") for i in range(len(o.node.inputs))]
    o.require(0 <= axis < len(parts[0]), f"axis {axis} of {len(parts[0])} dimensions")
    expected = [*parts[0]]
    expected[axis] = sum(p[axis] for p in parts)
    o.same(o.shape("y"), tuple(expected), "y's shape")
    others = {(*p[:axis], *p[axis + 1 :]) for p in parts}
    o.same(len(others), 1, "the number of different shapes beside the axis")


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


def _conv2d_update(o: Operands) -> None:
    _conv2d(o.forward())


def _depthwise_update(o: Operands) -> None:
    assert isinstance(o.node.attrs, WindowAttrs)
    o.require("x" in o.origin, "has no layer")
    kept, whole = o.shape("w")[-1], o.origin["x"].shape[-1]
    o.same(o.shape("w")[:-1], o.node.attrs.window.kernel, "the weights' shape")
    o.same(_map(o, "x")[2] * (_map(o, "dy")[2] // whole), kept, "the trained channels")
    o.require(kept <= _map(o, "dy")[2], f"{kept} trained channels of {_map(o, 'dy')[2]}")
    _slides(o.forward(), _map(o, "dy")[2])
    _kept(o)


def _dense_update(o: Operands) -> None:
    _fully_connected(o.forward())


def _bias_update(o: Operands) -> None:
    o.require(o.size("dy") % o.size("b") == 0, f"{o.size('dy')} gradients, {o.size('b')} biases")


def _remembers(o: Operands) -> None:
    """Checks that the state of an update fits its weights, and that its rule has all it needs."""
    trained, descent = o.shape("b" if "b" in o.tensors else "w"), o.node.descent
    for role in ("velocity", "low"):
        if role in o.tensors:
            o.same(o.shape(role), trained, f"the shape of {role}")
    o.require(1 <= descent.every <= 65535, f"its weights move every {descent.every} steps")
    o.require(0 <= descent.momentum < 1, f"its momentum is {descent.momentum}")
    o.require(0 <= descent.clipped_limit <= 65535, f"its limit is {descent.clipped_limit}")
    needs = descent.momentum > 0 or descent.every > 1
    o.require("velocity" in o.tensors or not needs, "its rule needs a velocity")


def _nothing(_: Operands) -> None:
    """Checks nothing."""


RULES: dict[str, tuple[type[Attrs], Callable[[Operands], None]]] = {
    "source": (NoAttrs, _nothing),
    "conv2d": (WindowAttrs, _conv2d),
    "depthwise": (WindowAttrs, _depthwise),
    "fully_connected": (DenseAttrs, _fully_connected),
    "average_pool": (WindowAttrs, _pool),
    "max_pool": (WindowAttrs, _pool),
    "mean": (MeanAttrs, _mean),
    "add": (ClipAttrs, _equal("y", "a", "b")),
    "pad": (PadAttrs, _pad),
    "reshape": (NoAttrs, _same_size("y", "x")),
    "concatenate": (AxisAttrs, _concatenate),
    "transpose": (TransposeAttrs, _transpose),
    "lookup": (LookupAttrs, _equal("y", "x")),
    "mul": (ClipAttrs, _mul),
    "minimum": (NoAttrs, _minimum),
    "softmax": (SoftmaxAttrs, _equal("y", "x")),
    "mask": (ClipAttrs, _mask),
    "keep": (AxisAttrs, _keep),
    "softmax_loss": (LossAttrs, _same_size("dy", "x")),
    "squared_loss": (NoAttrs, _equal("dy", "x", "target")),
    "sigmoid_loss": (NoAttrs, _equal("dy", "x", "target")),
    "conv2d_backward_input": (WindowAttrs, _backward(_conv2d)),
    "depthwise_backward_input": (WindowAttrs, _backward(_depthwise)),
    "fully_connected_backward_input": (DenseAttrs, _backward(_fully_connected)),
    "average_pool_backward_input": (WindowAttrs, _backward(_pool)),
    "max_pool_backward_input": (WindowAttrs, _max_pool_backward),
    "mean_backward_input": (MeanAttrs, _backward(_mean)),
    "pad_backward_input": (PadAttrs, _backward(_pad)),
    "concatenate_backward_input": (PartAttrs, _concatenate_backward),
    "transpose_backward_input": (TransposeAttrs, _backward(_transpose)),
    "lookup_backward_input": (LookupAttrs, _equal("dx", "x", "dy")),
    "softmax_backward_input": (SoftmaxAttrs, _equal("dx", "y", "dy")),
    "mul_backward_input": (PartAttrs, _mul_backward),
    "minimum_backward_input": (PartAttrs, _minimum_backward),
    "reshape_backward_input": (NoAttrs, _same_size("dx", "dy")),
    "gradient_add": (NoAttrs, _equal("dx", "a", "b")),
    "conv2d_update": (WindowAttrs, _conv2d_update),
    "depthwise_update": (WindowAttrs, _depthwise_update),
    "fully_connected_update": (DenseAttrs, _dense_update),
    "bias_update": (NoAttrs, _bias_update),
    "advance": (AdvanceAttrs, _nothing),
}
