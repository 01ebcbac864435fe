"""Rules of float .tflite files for slices, splits, maps in another size, and the largest
elements; operands that broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinyflash.read.maxima import maxima
from tinyflash.read.places import Places, takes
from tinyflash.read.tflite.floating.importing import FloatLayer
from tinyflash.read.tflite.importing import Layer, Shape
from tinyflash.read.tflite.maps import span_of
from tinyflash.read.tflite.takes import Take, repeated


def of_reals(rule: Callable[[Layer, Take], None]) -> Callable[[FloatLayer], None]:
    """Returns the rule of int8 files for the same operator of float ones."""

    def read(layer: FloatLayer) -> None:
        def take(position: int, taken: Sequence[Places], shape: Shape) -> None:
            layer.require(
                layer.shape(layer.flat_output) == shape, f"output shape is not {list(shape)}"
            )
            layer.give(_taken(layer, position, taken))

        rule(layer, take)

    return read


def expanded(layer: FloatLayer, position: int) -> str:
    """Returns an input with its places of 1 repeated, so that it has the output's shape."""
    flat, y = layer.flat_input(position), layer.flat_output
    x = _taken(layer, position, repeated(layer, layer.shape(flat), layer.shape(y)))
    return _shaped(layer, x, layer.batched(y)[1:])


def _taken(layer: FloatLayer, position: int, taken: Sequence[Places]) -> str:
    y, found = layer.tensor(position), layer.shape(layer.flat_input(position))
    shape = (1,) * (len(taken) - len(found)) + found
    try:
        passes = takes(shape, taken)
    except ValueError as error:
        layer.fail(str(error))
    for one in passes:
        y = layer.node("take", [_shaped(layer, y, one.x)], (1, *one.y), one.attrs)
    return y


def reduce_max(layer: FloatLayer) -> None:
    """The largest along adjacent axes, by max pools."""
    y, span = layer.tensor(0), span_of(layer)
    for before, sliding, after in maxima(layer.shape(layer.flat_input(0)), span[0], span[-1]):
        y = layer.node("max_pool", [_shaped(layer, y, before[1:])], after, sliding)
    layer.give(y)


def _shaped(layer: FloatLayer, x: str, shape: Shape) -> str:
    whole = (1, *shape)
    return x if layer.to.shapes[x] == whole else layer.node("reshape", [x], whole)
