"""Rules for pools, padding, and operators that only move or rename."""

from __future__ import annotations

import math
from dataclasses import replace

from tinyflash.graph import AxisAttrs, Window
from tinyflash.quantize.floatgraph.graph import Filling
from tinyflash.quantize.windows import output_size
from tinyflash.read.onnx.importing import Layer, Value
from tinyflash.read.onnx.views import Shape, View, dense
from tinyflash.read.onnx.windows import (
    attribute_window,
    kernel_of,
    require_cover,
    rounded_up,
    undilated,
)

# ---- Pools --------------------------------------------------------------------------------------


def average_pool(layer: Layer) -> None:
    """A pool's own padding never counts, nor does what rounding up adds at the end; padding that
    counts becomes a separate pad."""
    x, shape, window = _pooled(layer)
    rounded = rounded_up(layer, window, (shape[1], shape[2]))
    if any(window.padding) and layer.integer("count_include_pad", 0):
        top, left, bottom, right = map(min, window.padding, rounded.padding)
        filling = Filling((top, left, 0), (bottom, right, 0))
        shape = (1, shape[1] + top + bottom, shape[2] + left + right, shape[3])
        x = layer.emit("pad", [x], shape, filling)
        more = (0, 0, rounded.padding[2] - bottom, rounded.padding[3] - right)
        rounded = replace(rounded, padding=more)
    _pool(layer, "average_pool", x, shape, rounded)


def max_pool(layer: Layer) -> None:
    layer.require(not any(layer.node.outputs[1:]), "also outputs indices, which is not supported")
    x, shape, window = _pooled(layer)
    _pool(layer, "max_pool", x, shape, rounded_up(layer, window, (shape[1], shape[2])))


def _pooled(layer: Layer) -> tuple[str, Shape, Window]:
    x, shape = layer.map_of(0)
    sides = len(layer.view(0).shape) - 2
    layer.require("kernel_shape" in layer.node.attributes, "has no kernel_shape")
    window = attribute_window(layer, kernel_of(layer, sides), shape[1:3], sides)
    return x, shape, undilated(layer, window)


def _pool(layer: Layer, op: str, x: str, shape: Shape, window: Window) -> None:
    size = (shape[1], shape[2])
    require_cover(layer, window, size)
    y = layer.emit(op, [x], (1, *output_size(window, size), shape[3]), window)
    layer.give_map(y, layer.view(0).shape)


def global_max(layer: Layer) -> None:
    x, shape = layer.map_of(0)
    layer.require(max(shape[1:3]) < 256, f"of a map of {shape[1:3]}; sides of 255 are supported")
    window = Window((shape[1], shape[2]))
    y = layer.emit("max_pool", [x], (1, 1, 1, shape[3]), window)
    layer.give_map(y, layer.view(0).shape)


def pad(layer: Layer) -> None:
    """Pads height, width and channels with a number."""
    mode = layer.text("mode", "constant")
    layer.require(
        mode == "constant",
        f"pads with mode {mode!r}; only 'constant' is supported; in PyTorch, padding_mode='zeros'",
    )
    shape = layer.view(0).shape
    amounts = _amounts(layer, len(shape))
    if not any(amounts):
        layer.give(layer.view(0))
        return
    layer.require(
        all(0 <= a < 2**16 for a in amounts),
        f"pads {list(amounts)}; 0 to 65,535 are supported; to crop, slice instead: x[:, :, 1:-1]",
    )
    pairs = list(zip(amounts[: len(shape)], amounts[len(shape) :], strict=True))
    layer.require(
        len(shape) in (3, 4) and pairs[0] == (0, 0),
        f"pads {list(amounts)} of shape {list(shape)}; maps (batch, channels, sides) can be "
        "padded, except along the batch",
    )
    x, held = layer.map_of(0)
    sides = pairs[2:] if len(shape) == 4 else [(0, 0), *pairs[2:]]
    (top, bottom), (left, right), (front, back) = (*sides, pairs[1])
    padded = (
        1, held[1] + top + bottom, held[2] + left + right, held[3] + front + back
    )  # fmt: skip
    filling = Filling((top, left, front), (bottom, right, back), _filling(layer))
    layer.give_map(layer.emit("pad", [x], padded, filling), shape)


def _filling(layer: Layer) -> float:
    if not layer.has(2):
        return layer.real("value", 0.0)
    value = layer.floats(2)
    layer.require(value.size == 1, "pads with more than one number")
    return float(value.ravel()[0])


def _amounts(layer: Layer, rank: int) -> tuple[int, ...]:
    """Returns the amounts before each axis, then after each."""
    given = layer.integers(1, "pads")
    if given is None:
        layer.fail("has no pads")
    axes = layer.integers(3) if layer.has(3) else tuple(range(rank))
    assert axes is not None
    layer.require(len(given) == 2 * len(axes), f"pads {list(given)} for {len(axes)} axes")
    amounts = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        place = layer.axis(axis, rank)
        amounts[place], amounts[place + rank] = given[i], given[i + len(axes)]
    return tuple(amounts)


# ---- What joins ---------------------------------------------------------------------------------


def concatenate(layer: Layer) -> None:
    """Joins inputs along one axis."""
    parts = [layer.view(i) for i in range(len(layer.node.inputs))]
    rank = len(parts[0].shape)
    axis = layer.axis(layer.integer("axis", 1), rank)
    others = {(*p.shape[:axis], *p.shape[axis + 1 :]) for p in parts}
    layer.require(
        len(others) == 1 and all(len(p.shape) == rank for p in parts),
        f"shapes {[list(p.shape) for p in parts]} do not join along axis {axis}",
    )
    order = max(parts, key=lambda p: math.prod(p.shape)).order
    held = [layer.compacted(p, order) for p in parts]
    leads = {lead for _, lead in held}
    layer.require(len(leads) == 1, "works along the batch, which is not supported")
    lead = leads.pop()
    joined = list(parts[0].shape)
    joined[axis] = sum(p.shape[axis] for p in parts)
    shape = (1,) * lead + tuple(joined[i] for i in order)
    attrs = AxisAttrs(order.index(axis) + lead)
    y = layer.emit("concatenate", [p.tensor for p, _ in held], shape, attrs)
    layer.give(dense(y, tuple(joined), order))


# ---- What moves nothing -------------------------------------------------------------------------


def same(layer: Layer) -> None:
    """Identity, and dropout, which does nothing at inference."""
    layer.require(not any(layer.node.outputs[1:]), "outputs a mask, which is not supported")
    if layer.has(2):
        training = layer.constant(2).data.any()
        layer.require(
            not training,
            "is in training mode; export for inference; in PyTorch, functional.dropout takes "
            "training=self.training",
        )
    layer.give(layer.value(0))


def transpose(layer: Layer) -> None:
    x = layer.view(0)
    order = layer.whole("perm", tuple(reversed(range(len(x.shape)))))
    layer.require(sorted(order) == list(range(len(x.shape))), f"{list(order)} is not a permutation")
    layer.give(x.transposed(order))


def reshape(layer: Layer) -> None:
    x = layer.view(0)
    wanted = list(layer.integers(1, "shape") or ())
    if not layer.integer("allowzero", 0):
        layer.require(
            all(d != 0 or i < len(x.shape) for i, d in enumerate(wanted)), f"makes shape {wanted}"
        )
        wanted = [d or x.shape[i] for i, d in enumerate(wanted)]
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        layer.require(known > 0 and _size(x) % known == 0, f"makes shape {wanted} of {_size(x)}")
        wanted[wanted.index(-1)] = _size(x) // known
    _give_reshaped(layer, x, tuple(wanted))


def flatten(layer: Layer) -> None:
    x = layer.view(0)
    axis = layer.integer("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    layer.require(0 <= axis <= len(x.shape), f"axis {axis} of {len(x.shape)} dimensions")
    _give_reshaped(layer, x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def squeeze(layer: Layer) -> None:
    x = layer.view(0)
    _give_reshaped(layer, x, squeezed_shape(layer, x.shape))


def squeezed_shape(layer: Layer, shape: Shape) -> Shape:
    """Without the axes that the node names, or all of one place."""
    axes = layer.integers(1, "axes")
    if axes is None:
        return tuple(n for n in shape if n != 1)
    gone = {layer.axis(a, len(shape)) for a in axes}
    layer.require(all(shape[a] == 1 for a in gone), f"drops axes {sorted(gone)} of {shape}")
    return tuple(n for i, n in enumerate(shape) if i not in gone)


def unsqueeze(layer: Layer) -> None:
    x = layer.view(0)
    _give_reshaped(layer, x, unsqueezed_shape(layer, x.shape))


def unsqueezed_shape(layer: Layer, shape: Shape) -> Shape:
    """With an axis of one place wherever the node says."""
    axes = layer.integers(1, "axes") or ()
    rank = len(shape) + len(axes)
    new = {layer.axis(a, rank) for a in axes}
    layer.require(len(new) == len(axes), f"adds axes {list(axes)} twice")
    left = iter(shape)
    return tuple(1 if i in new else next(left) for i in range(rank))


def _size(x: View) -> int:
    return math.prod(x.shape)


def _give_reshaped(layer: Layer, x: View, shape: Shape) -> None:
    layer.require(
        math.prod(layer.sized(shape)) == _size(x), f"makes shape {list(shape)} of {_size(x)}"
    )
    found: Value | None = x.reshaped(shape)
    if found is None:
        found = layer.compacted(x, range(len(x.shape)))[0].reshaped(shape)
    assert found is not None  # a dense one has even steps along any axes
    layer.give(found)
