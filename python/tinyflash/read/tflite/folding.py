"""Computes arithmetic on constants while reading: mostly shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyflash.graph import Array
from tinyflash.read.tflite.importing import Layer
from tinyflash.read.tflite.slices import sliced

Fold = Callable[[Layer, list[Array]], Array]


def _strided_slice(layer: Layer, inputs: list[Array]) -> Array:
    taken, shape = sliced(layer, inputs[0].shape)
    return inputs[0][np.ix_(*taken)].reshape(shape)


def _axis(layer: Layer) -> int:
    return int(layer.option("Axis", 0))


def _from_output_shape(layer: Layer, inputs: list[Array]) -> Array:
    return inputs[0].reshape(layer.shape(layer.flat_output, empty=True))


def _gather(layer: Layer, inputs: list[Array]) -> Array:
    layer.require(not layer.option("BatchDims", 0), "gathers in batches")
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=_axis(layer))


def _cast(layer: Layer, inputs: list[Array]) -> Array:
    types = {"INT32": np.int32, "INT64": np.int64}
    layer.require(layer.flat_output.type in types, f"casts to {layer.flat_output.type}")
    return inputs[0].astype(types[layer.flat_output.type])


_INTEGERS: dict[str, Callable[[Array, Array], Array]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
}


def _arithmetic(layer: Layer, inputs: list[Array]) -> Array:
    layer.require(layer.flat_output.type in ("INT32", "INT64"), "has no input computed at run time")
    return _INTEGERS[layer.operator.code](*inputs)


def _product(_: Layer, inputs: list[Array]) -> Array:
    axes = tuple(int(a) for a in inputs[1].ravel())
    product: Array = np.asarray(np.multiply.reduce(inputs[0], axis=axes))
    return product


_MOST_NUMBERS = 1024  # types in arithmetic of shapes
_MOVES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE")  # weights pass through these

_FOLDS: dict[str, Fold] = {
    "ADD": _arithmetic,
    "CAST": _cast,
    "CONCATENATION": lambda layer, inputs: np.concatenate(inputs, axis=_axis(layer)),
    "EXPAND_DIMS": _from_output_shape,
    "GATHER": _gather,
    "MUL": _arithmetic,
    "PACK": lambda layer, inputs: np.stack(inputs, axis=_axis(layer)),
    "REDUCE_PROD": _product,
    "RESHAPE": _from_output_shape,
    "SQUEEZE": _from_output_shape,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _arithmetic,
    "TRANSPOSE": lambda _, inputs: np.transpose(inputs[0], inputs[1].tolist()),
}
FOLDABLE = {"SHAPE", *_FOLDS}


def fold(layer: Layer) -> bool:
    """Computes the layer's output if all its inputs are constants; False if they are not."""
    if layer.operator.code == "SHAPE":
        value: Array = np.array(layer.shape(layer.flat_input(0)), np.int32)
    elif layer.operator.code in _FOLDS and layer.operator.inputs and _all_constant(layer):
        value = _computed(layer)
    else:
        return False
    flat = layer.flat_output
    layer.require(
        value.shape == layer.shape(flat, empty=True),
        f"computes shape {list(value.shape)}, the file says {list(flat.shape)}",
    )
    layer.to.constants[flat.index] = value
    return True


def _computed(layer: Layer) -> Array:
    inputs = [layer.constant(i) for i in range(len(layer.operator.inputs))]
    small = inputs[1:] if layer.operator.code in _MOVES else inputs
    layer.require(
        sum(x.size for x in small) <= _MOST_NUMBERS,
        f"computes with more than {_MOST_NUMBERS} constants; let the converter fold them",
    )
    layer.require(_same_coding(layer), "joins or moves constants between different scales")
    try:
        with np.errstate(over="ignore"):  # wraps around, as integers do
            return np.asarray(_FOLDS[layer.operator.code](layer, inputs))
    except (ValueError, TypeError, IndexError) as error:
        layer.fail(f"cannot be computed from constants ({error})")


def _same_coding(layer: Layer) -> bool:
    """Whether all int8 constants of a layer have the same scale and zero point."""
    flats = [*(layer.flat_input(i) for i in range(len(layer.operator.inputs))), layer.flat_output]
    return len({(f.scales, f.zeros) for f in flats if f.type == "INT8"}) < 2


def _all_constant(layer: Layer) -> bool:
    positions = range(len(layer.operator.inputs))
    return all(layer.has_input(i) and layer.is_constant(i) for i in positions)
