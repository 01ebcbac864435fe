"""Rules for operators that act on each element: functions, sums, products, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyflash.quantize.floatgraph.graph import Bounds, Factor, Weights
from tinyflash.read.onnx import codings
from tinyflash.read.onnx.importing import Layer
from tinyflash.read.onnx.takes import expanded
from tinyflash.read.onnx.views import View, dense

Reals = npt.NDArray[np.floating]


# ---- Functions of one input ---------------------------------------------------------------------


def function(op: str) -> Callable[[Layer], None]:
    """Returns the rule of a function of only its input."""
    return lambda layer: layer.give(layer.each(op, layer.view(0)))


def relu(layer: Layer) -> None:
    _bound(layer, (0.0, math.inf))


def clip(layer: Layer) -> None:
    """The bounds are inputs; in older opsets, attributes. Integers bound what is quantized."""
    if any(layer.constant(i).data.dtype.kind in "iu" for i in _others(layer)):
        codings.clip(layer, layer.view(0))
        return
    low = _number(layer, 1) if layer.has(1) else layer.attribute("min", -math.inf)
    high = _number(layer, 2) if layer.has(2) else layer.attribute("max", math.inf)
    assert isinstance(low, float)
    assert isinstance(high, float)
    _bound(layer, (low, high))


def _bound(layer: Layer, bounds: Bounds, position: int = 0) -> None:
    layer.require(
        all(layer.constant(i).data.ndim <= len(layer.view(position).shape) for i in _others(layer)),
        "has a number of more dimensions than its map",
    )
    layer.require(
        bounds[0] < bounds[1] and bounds[0] <= 0 <= bounds[1],
        f"bounds {bounds[0]:.3g} and {bounds[1]:.3g}; a range with 0 in it is supported",
    )
    layer.give(layer.each("identity", layer.view(position), bounds=bounds))


def _others(layer: Layer) -> list[int]:
    """Which operands are constants."""
    return [i for i in range(len(layer.node.inputs)) if layer.is_constant(i)]


def _number(layer: Layer, position: int) -> float:
    data = layer.constant(position).data
    layer.require(data.size == 1 and data.dtype.kind in "fiu", f"input {position} is not a number")
    return float(data.ravel()[0])


def leaky_relu(layer: Layer) -> None:
    _leaky(layer, layer.real("alpha", 0.01))


def prelu(layer: Layer) -> None:
    """One slope for all is a table, unless it is negative; else one for each channel."""
    slopes, x = layer.floats(1), layer.view(0)
    layer.require(slopes.size > 0, "has no slopes")
    layer.require(
        slopes.ndim <= len(x.shape), f"slopes of {slopes.ndim} dimensions with {list(x.shape)}"
    )
    first = float(slopes.ravel()[0])
    if first >= 0 and bool((slopes == first).all()):
        _leaky(layer, first)
        return
    held, row = _channels(layer, x, slopes)
    row = np.broadcast_to(row, layer.to.shapes[held.tensor][-1:]).astype(np.float32)
    layer.give(layer.each("prelu", held, weights=Weights(row, np.zeros_like(row))))


def _leaky(layer: Layer, alpha: float) -> None:
    layer.require(alpha >= 0, f"slope {alpha:.3g}; 0 or more is supported")
    layer.give(layer.each("leaky_relu", layer.view(0), Factor(alpha)))


def hard_sigmoid(layer: Layer) -> None:
    """The line alpha x + beta, clipped to 0..1."""
    alpha, beta = np.array(layer.real("alpha", 0.2)), np.array(layer.real("beta", 0.5))
    layer.give(layer.each("identity", affine(layer, layer.view(0), alpha, beta), bounds=(0, 1)))


def swish(layer: Layer) -> None:
    """The product of x and its logistic."""
    x = layer.view(0)
    layer.require(layer.real("alpha", 1.0) == 1, "alpha other than 1 is not supported")
    gate = layer.each("logistic", x)
    shape = layer.to.shapes[x.tensor]
    layer.give(View(layer.emit("mul", [x.tensor, gate.tensor], shape), x.axes))


def negate(layer: Layer) -> None:
    layer.give(affine(layer, layer.view(0), np.array(-1.0), np.zeros(())))


def softmax(layer: Layer) -> None:
    _over_classes(layer, "softmax", 511)


def log_softmax(layer: Layer) -> None:
    _over_classes(layer, "log_softmax", 4095)


def _over_classes(layer: Layer, op: str, most: int) -> None:
    """Over one axis, which is moved to the end."""
    x = layer.view(0)
    rank = len(x.shape)
    axis = layer.axis(layer.integer("axis", -1 if layer.opset >= 13 else 1), rank)
    layer.require(
        layer.opset >= 13 or math.prod(x.shape[axis + 1 :]) == 1,
        "is over several axes; one is supported",
    )
    order = (*(i for i in x.order if i != axis), axis)
    held, _ = layer.compacted(x, order)
    layer.require(x.shape[axis] <= most, f"has {x.shape[axis]} classes; {most} are supported")
    layer.give(layer.each(op, held, Factor(1.0)))


# ---- Functions of two inputs --------------------------------------------------------------------


def affine(layer: Layer, x: View, factor: Reals, term: Reals) -> View:
    """Adds factor * x + term. Both broadcast to x and vary at most along its channels."""
    with np.errstate(over="ignore"):
        w, b = (a.astype(np.float32) for a in np.broadcast_arrays(factor, term))
    layer.require(bool(np.isfinite(w).all() and np.isfinite(b).all()), "has infinite constants")
    layer.require(w.size > 0, "has an empty constant")
    held, w = _channels(layer, x, w)
    _, b = _channels(layer, held, b)
    weights = Weights(w, b)
    return layer.each("scale", held, weights=weights)


def _channels(layer: Layer, x: View, row: Reals) -> tuple[View, Reals]:
    """Returns x in a layout with `row` along its tensor's last dimension, and the row."""
    layer.require(row.ndim <= len(x.shape), f"constant of {row.ndim} dimensions with {x.shape}")
    shape = (1,) * (len(x.shape) - row.ndim) + row.shape
    varying = [i for i, n in enumerate(shape) if n > 1]
    if not varying:
        return x, row.reshape(1)
    fits = len(shape) == len(x.shape) and all(shape[i] == x.shape[i] for i in varying)
    layer.require(
        fits and len(varying) == 1,
        f"constant of shape {list(row.shape)} with {list(x.shape)}; only one number, or one per "
        "channel, is supported",
    )
    axis = varying[0]
    last = layer.to.shapes[x.tensor][-1]
    if not (len(x.axes[axis]) == 1 and x.axes[axis][0].stride == 1 and last == x.shape[axis]):
        x, _ = layer.compacted(x, (*(i for i in x.order if i != axis), axis))
    return x, row.reshape(-1)


def add(layer: Layer) -> None:
    _sum(layer, 1.0, 1.0)


def subtract(layer: Layer) -> None:
    _sum(layer, 1.0, -1.0)


def _sum(layer: Layer, first: float, second: float) -> None:
    """Adds first * a + second * b, of a map and constants, or of two maps."""
    for position, factor, other in ((0, first, second), (1, second, first)):
        if layer.is_constant(1 - position):
            term = other * layer.floats(1 - position)
            layer.give(affine(layer, layer.view(position), np.array(factor), term))
            return
    _join(layer, "add" if second > 0 else "sub", layer.view(0), layer.view(1))


def _join(layer: Layer, op: str, a: View, b: View) -> None:
    """What an operator makes of two maps that broadcast to one shape, element by element."""
    joint = _joint(layer, a, b)
    larger = max((a, b), key=lambda view: math.prod(view.shape))
    a, b = (expanded(layer, view, joint, larger.order) for view in (a, b))
    shape = layer.to.shapes[a.tensor]
    layer.give(View(layer.emit(op, [a.tensor, layer.held_as(b, a, shape)], shape), a.axes))


def _joint(layer: Layer, a: View, b: View) -> tuple[int, ...]:
    """Returns the shape to which two maps broadcast."""
    try:
        return layer.sized(np.broadcast_shapes(a.shape, b.shape))
    except ValueError:
        layer.fail(f"joins shapes {list(a.shape)} and {list(b.shape)}, which do not broadcast")


def maximum(layer: Layer) -> None:
    _choose(layer, "maximum", lambda number: (number, math.inf))


def minimum(layer: Layer) -> None:
    _choose(layer, "minimum", lambda number: (-math.inf, number))


def _choose(layer: Layer, op: str, bounds: Callable[[float], Bounds]) -> None:
    """Of a map and a constant number, a bound, or of two maps."""
    layer.require(layer.has(1) and not layer.has(2), "is supported with two inputs")
    for position in (0, 1):
        if layer.is_constant(1 - position):
            _bound(layer, bounds(_number(layer, 1 - position)), position)
            return
    _join(layer, op, layer.view(0), layer.view(1))


def multiply(layer: Layer) -> None:
    """The product of a map and a constant, or of two maps that broadcast."""
    for position in (0, 1):
        if layer.is_constant(1 - position):
            factor = layer.floats(1 - position)
            layer.give(affine(layer, layer.view(position), factor, np.zeros(())))
            return
    a, b = layer.view(0), layer.view(1)
    if math.prod(a.shape) < math.prod(b.shape):
        a, b = b, a
    a = expanded(layer, a, _joint(layer, a, b), a.order)
    padded = b.reshaped((1,) * (len(a.shape) - len(b.shape)) + b.shape)
    assert padded is not None  # dimensions of 1
    shape = layer.to.shapes[a.tensor]
    whole = padded.shape == a.shape
    row = layer.held_as(padded, a, shape) if whole else _row(layer, a, padded)
    layer.give(View(layer.emit("mul", [a.tensor, row], shape), a.axes))


def _row(layer: Layer, a: View, b: View) -> str:
    """Returns a tensor of b that is multiplied with each row of a; if b is no row, repeated."""
    varying = [i for i, n in enumerate(b.shape) if n > 1]
    target = dense("", b.shape, a.order)
    if any(target.axes[i] != a.axes[i] for i in varying):
        whole = expanded(layer, b, a.shape, a.order)
        return layer.held_as(whole, a, layer.to.shapes[a.tensor])
    sizes = [b.shape[i] for i in a.order if b.shape[i] > 1] or [1]
    return layer.held_as(b, target, (1, *sizes))


def divide(layer: Layer) -> None:
    """Division by a constant."""
    divisor = layer.floats(1).astype(np.float64)
    layer.require(bool((divisor != 0).all()), "divides by zero")
    layer.give(affine(layer, layer.view(0), 1 / divisor, np.zeros(())))
