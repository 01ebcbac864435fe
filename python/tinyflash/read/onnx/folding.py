"""Computes operators on constants while reading: mostly arithmetic of shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyflash.graph import Array
from tinyflash.read.onnx.importing import Constant, Layer, Value
from tinyflash.read.onnx.maps import squeezed_shape, unsqueezed_shape
from tinyflash.read.onnx.takes import sliced_places
from tinyflash.read.onnx.views import View

_LARGEST = 1 << 22  # largest number of elements of a constant
_MOST_FOLDED = 1 << 24  # of all computed constants

# Operators that onnx's own reference computes, and a bound of the result's size: the sum of the
# inputs' sizes, or their product for operators that broadcast.
_GROWING = (
    "Add", "And", "Div", "Equal", "Gather", "Greater", "Less", "MatMul", "Max", "Min", "Mod", "Mul",
    "Or", "Pow", "Sub", "Where",
)  # fmt: skip
_STEADY = (
    "Abs", "Cast", "Ceil", "Clip", "Concat", "Exp", "Flatten", "Floor", "Identity", "Log", "Neg",
    "Not", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu",
    "Reshape", "Round", "Sign", "Split", "Sqrt", "Transpose",
)  # fmt: skip


def _constant(layer: Layer) -> Array:
    """Constant: one of several attributes."""
    names = ("value", "value_float", "value_int", "value_floats", "value_ints")
    found = next((n for n in names if n in layer.node.attributes), None)
    if found is None:
        layer.fail("holds no numbers")
    value = layer.node.attributes[found]
    kind = np.int64 if "int" in found else np.float32
    return value if isinstance(value, np.ndarray) else np.asarray(value, kind)


def _shape(layer: Layer) -> Array:
    value = layer.value(0)
    shape = value.shape if isinstance(value, View) else value.data.shape
    start, end = layer.integer("start", 0), layer.integer("end", len(shape))
    return np.array(shape[start:end], np.int64)


def _size(layer: Layer) -> Array:
    value = layer.value(0)
    shape = value.shape if isinstance(value, View) else value.data.shape
    return np.array(math.prod(shape), np.int64)


def _filled(layer: Layer) -> Array:
    """ConstantOfShape."""
    shape = layer.integers(0) or ()
    layer.require(
        all(d >= 0 for d in shape) and math.prod(shape) <= _LARGEST, f"makes shape {list(shape)}"
    )
    value = layer.node.attributes.get("value", np.zeros(1, np.float32))
    layer.require(isinstance(value, np.ndarray) and value.size == 1, "is not filled with a number")
    return np.full(shape, np.asarray(value).ravel()[0])


def _expanded(layer: Layer) -> Array:
    data, shape = layer.constant(0).data, layer.integers(1) or ()
    layer.require(
        all(d > 0 for d in shape) and math.prod(shape) * max(data.size, 1) <= _LARGEST,
        f"makes shape {list(shape)}",
    )
    return data * np.ones(shape, data.dtype)


def _range(layer: Layer) -> Array:
    first, last, step = (layer.constant(i).data.ravel()[:1] for i in range(3))
    sound = first.size == last.size == step.size == 1 and step[0] != 0
    steps = (float(last[0]) - float(first[0])) / float(step[0]) if sound else math.inf
    layer.require(0 <= steps <= _LARGEST, "has no end")
    return np.asarray(first + np.arange(math.ceil(steps), dtype=first.dtype) * step)


def _sliced(layer: Layer) -> Array:
    data = layer.constant(0).data
    return data[np.ix_(*sliced_places(layer, data.shape))]


def _squeezed(layer: Layer) -> Array:
    data = layer.constant(0).data
    return data.reshape(squeezed_shape(layer, data.shape))


def _unsqueezed(layer: Layer) -> Array:
    data = layer.constant(0).data
    return data.reshape(unsqueezed_shape(layer, data.shape))


_OWN: dict[str, Callable[[Layer], Array]] = {
    "Constant": _constant,
    "Shape": _shape,
    "Size": _size,
}
_BOUNDED: dict[str, Callable[[Layer], Array]] = {
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Range": _range,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
}
FOLDED = (*_GROWING, *_STEADY, *_OWN, *_BOUNDED)


def fold(layer: Layer) -> bool:
    """Computes the node's outputs if all its inputs are constants; False if they are not."""
    op = layer.node.op
    if op in _OWN:
        layer.give(Constant(_OWN[op](layer)))
        return True
    known = all(layer.is_constant(i) for i in range(len(layer.node.inputs)) if layer.has(i))
    if not known or not layer.node.inputs:
        return False
    if op in _BOUNDED:
        value = _BOUNDED[op](layer)
        _count(layer, value)
        layer.give(Constant(value))
        return True
    if op not in (*_GROWING, *_STEADY):
        return False
    for position, value in _computed(layer).items():
        _count(layer, value)
        layer.give(_with_scales(layer, value), position)
    return True


def _count(layer: Layer, value: Array) -> None:
    layer.to.folded += value.size
    layer.require(layer.to.folded <= _MOST_FOLDED, "computes more constants than supported")


def _computed(layer: Layer) -> dict[int, Array]:
    """Computes the outputs, by position, with onnx's reference implementation."""
    from onnx.helper import make_graph, make_node
    from onnx.reference import ReferenceEvaluator

    node = layer.node
    names = [f"x{i}" if name else "" for i, name in enumerate(node.inputs)]
    feeds = {n: layer.constant(i).data for i, n in enumerate(names) if n}
    sizes = [max(x.size, 1) for x in feeds.values()]
    size = math.prod(sizes) if node.op in _GROWING else sum(sizes)
    layer.require(size <= _LARGEST, "computes a constant that is too large")
    outputs = [f"y{i}" for i in range(len(node.outputs))]
    attributes = {k: _plain(v) for k, v in node.attributes.items()}
    try:
        proto = make_node(node.op, names, outputs, **attributes)
        # A node by itself would be executed as of onnx's newest opset, whatever `opsets` says.
        graph = make_graph([proto], "constants", [], [])
        machine = ReferenceEvaluator(graph, opsets={"": layer.opset})
        with np.errstate(all="ignore"):
            found = machine.run(outputs, feeds)
    except Exception as error:  # a damaged shape can raise anything
        line = " ".join(str(error).split())[:120]
        layer.fail(f"cannot be computed from constants ({line})")
    return {i: np.asarray(found[i]) for i, name in enumerate(node.outputs) if name}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _with_scales(layer: Layer, value: Array) -> Value:
    """Returns the result. Quantized weights that are only moved keep their scales."""
    source = layer.constant(0)
    if layer.node.op == "Identity":
        return source
    if layer.node.op != "Transpose" or not source.scales:
        return Constant(value)
    order = layer.whole("perm", tuple(reversed(range(value.ndim))))
    return Constant(value, source.scales, order.index(source.axis))
