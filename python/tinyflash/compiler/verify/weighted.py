"""Checks layers with weights and their updates: shapes, trained channels, numbers in the source."""

from __future__ import annotations

import math

from tinyflash.compiler.verify.operands import Operands
from tinyflash.graph import DenseAttrs, WindowAttrs


def map_of(o: Operands, role: str) -> tuple[int, int, int]:
    """Returns height, width and channels of a map."""
    shape = o.shape(role)
    o.require(len(shape) >= 3 and math.prod(shape[:-3]) == 1, f"{role} {shape} is no map")
    return shape[-3], shape[-2], shape[-1]


def slides(o: Operands, channels: int) -> None:
    """Checks that y has the shape that the window makes from x, with `channels`."""
    assert isinstance(o.node.attrs, WindowAttrs)
    window = o.node.attrs.window
    top, left, bottom, right = window.padding
    x = map_of(o, "x")
    padded = x[0] + top + bottom, x[1] + left + right
    expected = tuple(
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(padded, window.kernel, window.dilation, window.stride, strict=True)
    )
    o.same(map_of(o, "y"), (*expected, channels), "y's shape")


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


def conv2d(o: Operands) -> None:
    """Checks a convolution, or its gradient or update against the shapes of the layer."""
    assert isinstance(o.node.attrs, WindowAttrs)
    parts = o.parts()
    out = parts[0][0]
    for part in parts:
        o.same(part[:-1], (out, *o.node.attrs.window.kernel), "the weights' shape")
    groups, depth = o.node.attrs.groups, sum(p[-1] for p in parts)
    o.require(groups > 0 and out % groups == 0, f"{out} output channels in {groups} groups")
    o.same(groups * depth, map_of(o, "x")[2], "the weights' input channels")
    _sources(o, out)
    o.require(groups == 1 or len(parts) == 1, f"trains a part of {groups} groups")
    slides(o, out)
    _kept(o)
    _bias(o, out)


def depthwise(o: Operands) -> None:
    """Checks a depthwise layer, or its gradient against the shapes of the layer."""
    assert isinstance(o.node.attrs, WindowAttrs)
    parts = o.parts()
    for part in parts:
        o.same(part[:-1], o.node.attrs.window.kernel, "the weights' shape")
    out = sum(p[-1] for p in parts)
    o.require(out % map_of(o, "x")[2] == 0, f"{out} channels of {map_of(o, 'x')[2]}")
    o.require(o.node.attrs.kept % (out // map_of(o, "x")[2]) == 0, "trains a part of a channel")
    _sources(o)
    slides(o, out)
    _kept(o)
    _bias(o, out)


def fully_connected(o: Operands) -> None:
    """Checks a fully connected layer, or its gradient against the shapes of the layer."""
    parts = o.parts()
    out, depth = parts[0][0], sum(p[-1] for p in parts)
    o.require(all(len(p) == 2 and p[0] == out for p in parts), f"weights of shapes {parts}")
    o.require(o.size("x") % depth == 0, f"{o.size('x')} inputs for weights of {depth}")
    _sources(o, out)
    o.same(o.size("y"), o.size("x") // depth * out, "y's size")
    _kept(o)
    _bias(o, out)


def conv2d_update(o: Operands) -> None:
    """Checks the update against the shapes of its layer."""
    conv2d(o.forward())


def depthwise_update(o: Operands) -> None:
    """Checks that x and dy have the trained channels of the layer."""
    assert isinstance(o.node.attrs, WindowAttrs)
    o.require("x" in o.origin, "has no layer")
    kept, whole = o.shape("w")[-1], o.origin["x"].shape[-1]
    o.same(o.shape("w")[:-1], o.node.attrs.window.kernel, "the weights' shape")
    o.same(map_of(o, "x")[2] * (map_of(o, "dy")[2] // whole), kept, "the trained channels")
    o.require(kept <= map_of(o, "dy")[2], f"{kept} trained channels of {map_of(o, 'dy')[2]}")
    slides(o.forward(), map_of(o, "dy")[2])
    _kept(o)


def fully_connected_update(o: Operands) -> None:
    """Checks the update against the shapes of its layer."""
    fully_connected(o.forward())


def bias_update(o: Operands) -> None:
    """Checks that dy has a gradient for each bias at each position."""
    o.require(o.size("dy") % o.size("b") == 0, f"{o.size('dy')} gradients, {o.size('b')} biases")


def remembers(o: Operands) -> None:
    """Checks that the state of an update fits its weights and its rule."""
    trained, descent = o.shape("b" if "b" in o.tensors else "w"), o.node.descent
    for role in ("velocity", "low"):
        if role in o.tensors:
            o.same(o.shape(role), trained, f"the shape of {role}")
    needs = descent.momentum > 0 or descent.every > 1
    o.require("velocity" in o.tensors or not needs, "its rule needs a velocity")
