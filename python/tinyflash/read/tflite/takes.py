"""Rules for slices, splits and maps in another size: all become takes.

take: emits them; None: of stored bytes. Float files have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from tinyflash.graph import Tensor
from tinyflash.read.places import Pass, Places, nearest, takes
from tinyflash.read.tflite.flat import FlatOperator
from tinyflash.read.tflite.importing import Layer, Shape
from tinyflash.read.tflite.slices import sliced

_SPLITS = ("SPLIT", "SPLIT_V")

# Emits what leaves these places along each axis of an input, which makes a shape.
Take = Callable[[int, Sequence[Places], Shape], None]


def parts_to_read(
    operators: Iterable[FlatOperator], name: Callable[[FlatOperator], str]
) -> Iterator[tuple[FlatOperator, str]]:
    """Yields the parts of operators that have an output which is read, and the layer name of each.
    name: of a whole operator."""
    for operator in operators:
        for part in _parts_of(operator):
            if part.outputs and part.unread.issuperset(part.outputs):
                continue
            which = f".{part.options['Part']}" if "Part" in part.options else ""
            yield part, f"{name(operator)}{which}"


def _parts_of(operator: FlatOperator) -> list[FlatOperator]:
    """Returns the operator, or one for each output of a split, with the options Part and Parts."""
    count = len(operator.outputs)
    if operator.code not in _SPLITS:
        return [operator]
    return [
        replace(
            operator, outputs=(output,), options={**operator.options, "Part": i, "Parts": count}
        )
        for i, output in enumerate(operator.outputs)
    ]


def strided_slice(layer: Layer, take: Take | None = None) -> None:
    layer.count(4)
    taken, shape = sliced(layer, layer.shape(layer.flat_input(0)))
    (take or _of_bytes(layer))(0, taken, shape)


def cut(layer: Layer, take: Take | None = None) -> None:
    """SLICE: from `begin` on as many as `size` says, -1: all that follow."""
    layer.count(3)
    shape = layer.shape(layer.flat_input(0))
    begin, size = layer.numbers(1), layer.numbers(2)
    layer.require(
        len(begin) == len(size) == len(shape), f"begins at {begin}, of {len(shape)} dimensions"
    )
    ends = [n if s == -1 else b + s for b, s, n in zip(begin, size, shape, strict=True)]
    layer.require(
        all(0 <= b < e <= n for b, e, n in zip(begin, ends, shape, strict=True)),
        f"cuts from {begin} to {ends} out of {list(shape)}",
    )
    taken = [range(b, e) for b, e in zip(begin, ends, strict=True)]
    (take or _of_bytes(layer))(0, taken, tuple(map(len, taken)))


def split(layer: Layer, take: Take | None = None) -> None:
    """SPLIT: equal parts along an axis."""
    layer.count(2)
    shape = layer.shape(layer.flat_input(1))
    axis, count = _axis(layer, 0, shape), int(layer.option("Parts"))
    layer.require(shape[axis] % count == 0, f"splits {shape[axis]} into {count} equal parts")
    _part(layer, 1, shape, axis, [shape[axis] // count] * count, take)


def split_v(layer: Layer, take: Take | None = None) -> None:
    """SPLIT_V: parts of given sizes along an axis; one may be -1, what is left."""
    layer.count(3)
    shape = layer.shape(layer.flat_input(0))
    axis, sizes = _axis(layer, 2, shape), layer.numbers(1, most=1024)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(sizes) - 1
    layer.require(
        len(sizes) == int(layer.option("Parts"))
        and min(sizes, default=0) > 0
        and sum(sizes) == shape[axis],
        f"splits {shape[axis]} into {sizes}",
    )
    _part(layer, 0, shape, axis, sizes, take)


def _axis(layer: Layer, position: int, shape: Shape) -> int:
    numbers = layer.numbers(position)
    layer.require(
        len(numbers) == 1 and -len(shape) <= numbers[0] < len(shape),
        f"splits along {numbers} of {len(shape)} dimensions",
    )
    return numbers[0] % len(shape)


def _part(
    layer: Layer,
    position: int,
    shape: Shape,
    axis: int,
    sizes: Sequence[int],
    take: Take | None,
) -> None:
    part = int(layer.option("Part"))
    taken = [range(n) for n in shape]
    first = sum(sizes[:part])
    taken[axis] = range(first, first + sizes[part])
    (take or _of_bytes(layer))(position, taken, tuple(map(len, taken)))


def resize_nearest(layer: Layer, take: Take | None = None) -> None:
    """Rows and columns repeated or left out, as TensorFlow Lite chooses them."""
    layer.count(2)
    height, width, channels = layer.map_shape(layer.flat_input(0))
    size = layer.numbers(1)
    layer.require(len(size) == 2 and min(size) > 0, f"resizes to {size}")
    layer.require(max(size) < 2**16, f"resizes to {size}, a side beyond 65535")
    corners = bool(layer.option("AlignCorners", 0))
    pixels = bool(layer.option("HalfPixelCenters", 0))
    layer.require(not (corners and pixels), "aligns corners and has half pixel centers")
    rows, columns = (
        nearest(n, count, align_corners=corners, half_pixels=pixels)
        for n, count in zip((height, width), size, strict=True)
    )
    (take or _of_bytes(layer))(0, [[0], rows, columns, range(channels)], (1, *size, channels))


def broadcast_to(layer: Layer, take: Take | None = None) -> None:
    layer.count(2)
    shape = tuple(layer.numbers(1))
    taken = repeated(layer, layer.shape(layer.flat_input(0)), layer.shape(layer.flat_output))
    (take or _of_bytes(layer))(0, taken, shape)


def expanded(layer: Layer, x: Tensor, shape: Shape, role: str) -> Tensor:
    """Returns x with its places of 1 repeated, so that it has `shape`."""
    if x.shape == shape:
        return x
    y = _through(layer, x, _passes(layer, x, repeated(layer, x.shape, shape)), f"{role}.")
    return y if y.shape == shape else layer.between(f"{role}.y", "reshape", y, shape)


def repeated(layer: Layer, found: Shape, shape: Shape) -> list[Places]:
    """Returns the places along each axis of `found`, with ones before it up to the rank of
    `shape`."""
    sides = (1,) * (len(shape) - len(found)) + found
    fits = len(sides) == len(shape) and all(d in (1, n) for d, n in zip(sides, shape, strict=True))
    layer.require(fits, f"shape {list(found)} does not broadcast to {list(shape)}")
    return [range(n) if d == n else [0] * n for d, n in zip(sides, shape, strict=True)]


def _of_bytes(layer: Layer) -> Take:
    return partial(_take, layer)


def _take(layer: Layer, position: int, taken: Sequence[Places], shape: Shape) -> None:
    """Emits the takes of these places, which make `shape`."""
    x, y = layer.flat_input(position), layer.flat_output
    layer.require(layer.shape(y) == shape, f"output shape is not {list(shape)}")
    layer.require(
        layer.quant(x) == layer.quant(y),
        "input and output have different scales; equal ones are supported",
    )
    source = layer.activation(position)
    passes = _passes(layer, source, taken)
    direct = bool(passes) and shape == (1, *passes[-1].y)
    source = _through(layer, source, passes[:-1] if direct else passes, "")
    if not direct:
        layer.emit("reshape", {"x": source})
        return
    if source.shape != (1, *passes[-1].x):
        source = layer.between("x", "reshape", source, (1, *passes[-1].x))
    layer.emit("take", {"x": source}, passes[-1].attrs)


def _passes(layer: Layer, x: Tensor, taken: Sequence[Places]) -> list[Pass]:
    try:
        return takes((1,) * (len(taken) - len(x.shape)) + x.shape, taken)
    except ValueError as error:
        layer.fail(str(error))


def _through(layer: Layer, x: Tensor, passes: Sequence[Pass], role: str) -> Tensor:
    """Emits takes on the way to the layer's output."""
    for i, one in enumerate(passes):
        if x.shape != (1, *one.x):
            x = layer.between(f"{role}x{i}", "reshape", x, (1, *one.x))
        x = layer.between(f"{role}y{i}", "take", x, (1, *one.y), one.attrs)
    return x
