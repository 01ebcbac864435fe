"""Rules for slices, splits, maps in another size and broadcasts: all become takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tinyflash.read.onnx.importing import Layer
from tinyflash.read.onnx.views import Shape, View, dense
from tinyflash.read.places import Places, nearest, takes

Floats = npt.NDArray[np.float32]


def cut(layer: Layer) -> None:
    """Slice: forward steps along any axes except the batch."""
    x = layer.view(0)
    layer.give(_taken(layer, x, sliced_places(layer, x.shape), x.order))


def sliced_places(layer: Layer, shape: Shape) -> list[range]:
    """What Slice takes along each axis of a value of this shape."""
    starts, ends = layer.integers(1, "starts"), layer.integers(2, "ends")
    layer.require(starts is not None and ends is not None, "has no starts or no ends")
    assert starts is not None
    assert ends is not None
    axes = layer.integers(3, "axes")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = layer.integers(4) or (1,) * len(starts)
    layer.require(
        len(starts) == len(ends) == len(axes) == len(steps) and 0 not in steps,
        "has unequal numbers of starts, ends, axes and steps, or a step of 0",
    )
    taken = [range(n) for n in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        place = layer.axis(axis, len(shape))
        size = shape[place]
        layer.require(
            step > 0 or end < size,
            f"goes back to {end} from an axis of {size}, where runtimes differ; end at -{size + 1} "
            "for all",
        )
        # Back from before the first place, ONNX begins at the first; Python takes nothing.
        first = 0 if step < 0 and start < -size else start
        taken[place] = range(size)[first:end:step]
    return taken


def split(layer: Layer) -> None:
    """Split: parts of given sizes, or as equal as they can be."""
    x, count = layer.view(0), len(layer.node.outputs)
    axis = layer.axis(layer.integer("axis", 0), len(x.shape))
    size = x.shape[axis]
    sizes = layer.integers(1, "split")
    if sizes is None:
        parts = layer.integer("num_outputs", count)
        layer.require(
            parts == count and (size % count == 0 or "num_outputs" in layer.node.attributes),
            f"splits {size} into {parts} parts, with {count} outputs",
        )
        each = -(-size // count)
        sizes = (*[each] * (count - 1), size - each * (count - 1))
    layer.require(
        len(sizes) == count and min(sizes) > 0 and sum(sizes) == size,
        f"splits {size} into {list(sizes)}, with {count} outputs",
    )
    first = 0
    for position, n in enumerate(sizes):
        if layer.node.outputs[position]:
            taken = [range(side) for side in x.shape]
            taken[axis] = range(first, first + n)
            layer.give(_taken(layer, x, taken, x.order), position)
        first += n


def expand(layer: Layer) -> None:
    x = layer.view(0)
    shape = layer.integers(1) or ()
    try:
        made = np.broadcast_shapes(x.shape, shape)
    except ValueError:
        layer.fail(f"does not expand {list(x.shape)} to {list(shape)}")
    layer.give(expanded(layer, x, layer.sized(made), x.order))


def expanded(layer: Layer, x: View, shape: Shape, order: Sequence[int] | None = None) -> View:
    """Returns x with its places of 1 repeated, so that it has `shape`; its axes in `order`."""
    lead = len(shape) - len(x.shape)
    x = View(x.tensor, ((),) * lead + x.axes)
    if x.shape == shape:
        return x
    sides = zip(x.shape, shape, strict=True)
    taken = [range(n) if d == n else [0] * n for d, n in sides]
    if order is None or len(order) != len(shape):
        order = x.order
    return _taken(layer, x, taken, order)


def _taken(layer: Layer, x: View, taken: Sequence[Places], order: Sequence[int]) -> View:
    """Returns the places of x along each of its axes."""
    held, lead = layer.compacted(x, order)
    shape = (1,) * lead + tuple(x.shape[i] for i in order)
    try:
        passes = takes(shape, [[0]] * lead + [taken[i] for i in order])
    except ValueError as error:
        layer.fail(str(error))
    y = held.tensor
    for one in passes:
        y = layer.emit("take", [layer.shaped(y, (1, *one.x))], (1, *one.y), one.attrs)
    made = tuple(map(len, taken))
    return dense(layer.shaped(y, (1,) * lead + tuple(made[i] for i in order)), made, order)


# ---- Nearest neighbours -------------------------------------------------------------------------

# How a place of y becomes one of x: (place, scale, size, count) -> a real place. count: of y.
_Line = Callable[[Floats, np.float32, int, int], Floats]
_HALF = np.float32(0.5)
_LINES: dict[str, _Line] = {
    "half_pixel": lambda at, scale, _, __: (at + _HALF) / scale - _HALF,
    "pytorch_half_pixel": lambda at, scale, _, count: (
        (at + _HALF) / scale - _HALF if count > 1 else np.zeros(1, np.float32)
    ),
    "asymmetric": lambda at, scale, _, __: at / scale,
    "align_corners": lambda at, _, size, count: (
        at * np.float32(size - 1) / np.float32(max(count - 1, 1))
    ),
    "tf_half_pixel_for_nn": lambda at, scale, _, __: (at + _HALF) / scale,
}
_ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "round_prefer_floor": lambda at: np.ceil(at - _HALF),
    "round_prefer_ceil": lambda at: np.floor(at + _HALF),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(layer: Layer) -> None:
    """Resize, and Upsample, of height and width to the nearest pixel."""
    mode = layer.text("mode", "nearest")
    layer.require(mode == "nearest", f"has mode {mode!r}; only 'nearest' is supported")
    x, shape = layer.map_of(0)
    line, rounding = "asymmetric", "floor"  # before opset 11 nothing else
    if layer.node.op == "Resize" and layer.opset >= 11:
        line = layer.text("coordinate_transformation_mode", "half_pixel")
        rounding = layer.text("nearest_mode", "round_prefer_floor")
    layer.require(
        line in _LINES and rounding in _ROUNDINGS,
        f"has coordinate_transformation_mode {line!r} and nearest_mode {rounding!r}; supported "
        f"are {', '.join(_LINES)} and {', '.join(_ROUNDINGS)}",
    )
    counts, scales = _sizes(layer, layer.view(0).shape)
    if layer.opset < 11:
        layer.require(min(scales) >= 1, "makes a map smaller, which opset 10 does not define")
    sides = list(zip(shape[1:3], counts, scales, strict=True))
    layer.require(
        line != "align_corners"
        or all(abs(n * scale - count) < 1e-6 * count for n, count, scale in sides),
        f"aligns corners of {counts}, which is not {shape[1:3]} times {list(scales)}; runtimes "
        "differ there",
    )
    places = [_rounded(line, rounding, *side) for side in sides]
    layer.require(
        any(
            places == [nearest(n, m, align_corners=a, half_pixels=h) for n, m, _ in sides]
            for a, h in ((False, False), (True, False), (False, True))
        ),
        f"from {shape[1:3]} to {counts} by {line} and {rounding} takes other pixels than "
        "TensorFlow Lite's nearest neighbours in any of its ways"
        + ("; resize to a size instead of by a scale" if rounding == "floor" else ""),
    )
    try:
        passes = takes(shape, [[0], *places, range(shape[3])])
    except ValueError as error:
        layer.fail(str(error))
    for one in passes:
        x = layer.emit("take", [x], (1, *one.y), one.attrs)
    layer.give_map(x, layer.view(0).shape)


def _rounded(line: str, rounding: str, size: int, count: int, scale: float) -> list[int]:
    """Returns the places of x, in ONNX Runtime's float32."""
    at = np.arange(count, dtype=np.float32)
    found = _ROUNDINGS[rounding](_LINES[line](at, np.float32(scale), size, count))
    return [max(0, min(int(place), size - 1)) for place in found]


def _sizes(layer: Layer, shape: Shape) -> tuple[tuple[int, int], tuple[float, float]]:
    """Returns height and width of y, and by what each is scaled. Only these change."""
    rank = len(shape)
    by_size = layer.node.op == "Resize" and layer.opset >= 11 and layer.has(3)
    if by_size:
        axes, numbers = _axes(layer, rank), [float(n) for n in layer.integers(3) or ()]
    elif "scales" in layer.node.attributes:
        found = layer.node.attributes["scales"]
        numbers = [float(n) for n in found] if isinstance(found, tuple) else []
        axes = tuple(range(rank))
    else:
        position = 2 if layer.node.op == "Resize" and layer.opset >= 11 else 1
        axes, numbers = _axes(layer, rank), layer.floats(position).ravel().tolist()
    layer.require(len(numbers) == len(axes) and min(numbers) > 0, f"resizes by {numbers}")
    made, scales = list(shape), [1.0] * rank
    for axis, number in zip(axes, numbers, strict=True):
        made[axis] = (
            int(number) if by_size else int(np.floor(np.float32(shape[axis]) * np.float32(number)))
        )
        scales[axis] = number / shape[axis] if by_size else number
    layer.require(
        made[:2] == list(shape[:2]) and max(made) < 2**16,
        f"makes {made} of {list(shape)}; height and width change, up to 65,535",
    )
    layer.sized(made)
    height, width = (made[2], made[3]) if rank == 4 else (1, made[2])
    tall, wide = (scales[2], scales[3]) if rank == 4 else (1.0, scales[2])
    return (height, width), (tall, wide)


def _axes(layer: Layer, rank: int) -> tuple[int, ...]:
    axes = layer.whole("axes", tuple(range(rank)))
    return tuple(layer.axis(axis, rank) for axis in axes)
