"""Rules for operators that act on each element: sums, tables, softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyflash.graph import (
    Clip,
    ClipAttrs,
    LookupAttrs,
    NoAttrs,
    Number,
    Quant,
    SoftmaxAttrs,
    Tensor,
)
from tinyflash.quantize import tables
from tinyflash.quantize.curves import tabulated
from tinyflash.quantize.tables import Coding, Operand, Table
from tinyflash.read.tflite.importing import Layer, Shape
from tinyflash.read.tflite.takes import expanded
from tinyflash.read.tflite.windows import fused_clip

_BYTES = ("INT8", "UINT8")
OWN = "CUSTOM tinyflash."  # what custom operators of our own are called


# ---- Functions of one input ---------------------------------------------------------------------

_TABLES: dict[str, Callable[[Layer, Coding, Coding], Table]] = {
    "QUANTIZE": lambda _, x, y: tables.requantize(x, y),
    "ABS": lambda _, x, y: tabulated("abs", x, y),
    "ELU": lambda _, x, y: tabulated("elu", x, y, 1.0),
    "GELU": lambda layer, x, y: tabulated(_gelu(layer), x, y),
    "RELU": lambda _, x, y: tables.relu(x, y),
    "RELU6": lambda _, x, y: tables.relu6(x, y),
    "LEAKY_RELU": lambda layer, x, y: tables.leaky_relu(x, y, float(layer.option("Alpha"))),
    "LOGISTIC": lambda _, x, y: tables.logistic(x, y),
    "TANH": lambda _, x, y: tables.tanh(x, y),
    "HARD_SWISH": lambda _, x, y: tables.hard_swish(x, y),
}


def lookup(layer: Layer) -> None:
    """A function of one element, as a table of 256 bytes."""
    layer.count(1)
    types = _BYTES if layer.operator.code == "QUANTIZE" else ("INT8",)
    x = layer.activation(0, types)
    layer.typed(layer.flat_output, types)
    code = layer.operator.code
    alpha = float(layer.option("Alpha")) if code == "LEAKY_RELU" else float(code == "ELU")
    attrs = LookupAttrs(_gelu(layer) if code == "GELU" else code.lower(), alpha)
    _emit_lookup(layer, x, _TABLES[code], attrs)


def prelu(layer: Layer) -> None:
    """Slopes that broadcast, as one for each channel does; one for all of them is a table."""
    layer.count(2)
    x, flat = layer.activation(0), layer.flat_input(1)
    layer.typed(flat, ("INT8",))
    stored = layer.constant(1).astype(np.int64).ravel()
    layer.require(stored.size > 0, "has no slopes")
    if bool((stored != stored[0]).any()):
        _prelu_by_row(layer, x)
        return
    slope = layer.coding(flat).operand(stored[:1])
    alpha = float(slope.centred[0]) * slope.scale
    number = Number(int(stored[0]), layer.quant(flat))
    attrs = LookupAttrs("prelu", alpha, number=number)
    _emit_lookup(layer, x, lambda _, x, y: tables.prelu(x, y, slope), attrs)


def _prelu_by_row(layer: Layer, x: Tensor) -> None:
    shape = layer.shape(layer.flat_input(0))
    layer.require(
        shape == layer.shape(layer.flat_output),
        f"input shape {list(shape)}, output shape {list(layer.flat_output.shape)}",
    )
    row = _is_row(layer.shape(layer.flat_input(1)), shape)
    alpha = layer.constant_operand(1) if row else _operand(layer, 1, shape)
    layer.emit("prelu", {"x": x, "alpha": alpha}, ClipAttrs(Clip()))


def _gelu(layer: Layer) -> str:
    return "gelu_tanh" if layer.option("Approximate", False) else "gelu"


def own(layer: Layer) -> None:
    """A function that the format has no operator for, as `write_tflite` writes it. The second
    input, if there is one, is its alpha."""
    layer.count(1, 2)
    name = layer.operator.code.removeprefix(OWN)
    alpha = 0.0
    if layer.has_input(1):
        given = layer.constant(1, ("FLOAT32",))
        layer.require(given.size == 1, "has an alpha that is not one number")
        alpha = float(given.ravel()[0])
    x = layer.activation(0)
    _emit_lookup(layer, x, lambda _, x, y: tabulated(name, x, y, alpha), LookupAttrs(name, alpha))


def _emit_lookup(
    layer: Layer,
    x: Tensor,
    function: Callable[[Layer, Coding, Coding], Table],
    attrs: LookupAttrs,
) -> None:
    position = int(attrs.number is not None and attrs.number.first)
    flat, y = layer.flat_input(position), layer.flat_output
    layer.require(
        layer.shape(flat) == layer.shape(y),
        f"input shape {list(flat.shape)}, output shape {list(y.shape)}",
    )
    try:
        table = function(layer, layer.coding(flat), layer.coding(y))
    except ValueError as error:
        layer.fail(str(error))
    inputs = {"x": x, "table": layer.constant_tensor("table", table)}
    layer.emit("lookup", inputs, attrs)


def softmax(layer: Layer) -> None:
    """Softmax over the last dimension."""
    beta = float(layer.option("Beta"))
    layer.emit(
        "softmax", _exponentials(layer, 511, Quant((1 / 256,), -128), beta), SoftmaxAttrs(beta)
    )


def log_softmax(layer: Layer) -> None:
    """The logarithm of a softmax over the last dimension."""
    layer.emit("log_softmax", _exponentials(layer, 4095, Quant((1 / 16,), 127), 1.0))


def _exponentials(layer: Layer, most: int, quant: Quant, beta: float) -> dict[str, Tensor]:
    """Returns the operands of a softmax of so many classes that makes this unit."""
    layer.count(1)
    x = layer.activation(0)
    flat, y = layer.flat_input(0), layer.flat_output
    shape = layer.shape(flat)
    layer.require(shape == layer.shape(y) and bool(shape), "changes the shape")
    layer.require(
        layer.quant(y) == quant,
        f"needs output scale 1/{1 / quant.scale[0]:.0f} and zero point {quant.zero}",
    )
    layer.require(shape[-1] <= most, f"has {shape[-1]} classes; {most} are supported")
    try:
        table = tables.softmax_exponentials(layer.quant(flat).scale[0], beta)
    except ValueError as error:
        layer.fail(str(error))
    return {"x": x, "table": layer.constant_tensor("table", table)}


# ---- Functions of two inputs --------------------------------------------------------------------

Arithmetic = Callable[[Operand, Operand, Coding, Clip], Table]


def add(layer: Layer) -> None:
    """The sum of two maps, or of a map and a constant that broadcasts, or a constant number."""
    if _scalar_position(layer) is not None:
        _with_scalar(layer, tables.add)
        return
    _combine(layer, "add", (1, 0) if layer.is_constant(0) else (0, 1))


def sub(layer: Layer) -> None:
    """The difference of two maps, or of a map and a constant, in either order."""
    if _scalar_position(layer) is not None:
        _with_scalar(layer, tables.subtract)
        return
    _combine(layer, "sub", (0, 1))


def _combine(layer: Layer, op: str, order: tuple[int, int]) -> None:
    """Emits a and b, the inputs in some order. b may be a constant row for all rows of a."""
    layer.count(2)
    shape = layer.shape(layer.flat_output)
    a, b = order
    layer.require(
        not (layer.is_constant(a) and layer.is_constant(b)), "has no input computed at run time"
    )
    first = _operand(layer, a, shape)
    row = layer.is_constant(b) and _is_row(layer.shape(layer.flat_input(b)), shape)
    second = layer.constant_operand(b) if row else _operand(layer, b, shape)
    layer.emit(op, {"a": first, "b": second}, ClipAttrs(fused_clip(layer)))


def _is_row(row: Shape, shape: Shape) -> bool:
    """Whether `row`, without leading ones, is the end of `shape`."""
    while row[:1] == (1,):
        row = row[1:]
    return row == shape[len(shape) - len(row) :]


def mul(layer: Layer) -> None:
    """The product of two maps, one of which may broadcast, or of a map and a constant number."""
    if _scalar_position(layer) is not None:
        _with_scalar(layer, tables.multiply)
        return
    shape = layer.shape(layer.flat_output)
    first = 0 if layer.shape(layer.flat_input(0)) == shape else 1
    layer.require(
        layer.shape(layer.flat_input(first)) == shape,
        f"neither input has the output's shape {list(shape)}",
    )
    a, b = (_factor(layer, position, shape) for position in (first, 1 - first))
    layer.require(a.data is None or b.data is None, "has no input computed at run time")
    layer.emit("mul", {"a": a, "b": b}, ClipAttrs(fused_clip(layer)))


def choose(layer: Layer) -> None:
    """The smaller, or the larger, of two maps of one shape, scale and zero point, or of a map and a
    constant number: a bound."""
    position = _scalar_position(layer)
    if position is not None:
        _bound(layer, position)
        return
    operands = [layer.activation(position) for position in (0, 1)]
    for position in (0, 1):
        _require_alike(layer, position)
    layer.emit(layer.operator.code.lower(), {"a": operands[0], "b": operands[1]}, NoAttrs())


def _bound(layer: Layer, position: int) -> None:
    """The input at `position` is a constant number, the bound of the other one."""
    x, flat = layer.activation(1 - position), layer.flat_input(position)
    layer.typed(flat, ("INT8",))
    _require_alike(layer, 1 - position)
    _require_one_coding(layer, position)
    stored = int(layer.constant(position).ravel()[0])
    clip = Clip(-128, stored) if layer.operator.code == "MINIMUM" else Clip(stored, 127)
    coding = layer.coding(layer.flat_output)
    table = np.clip(tables.requantize(coding, coding), clip.low, clip.high)
    inputs = {"x": x, "table": layer.constant_tensor("table", table)}
    layer.emit("lookup", inputs, LookupAttrs("quantize", clip=clip))


def _require_alike(layer: Layer, position: int) -> None:
    """Refuses an input that has not the shape, scale and zero point of the output."""
    x, y = layer.flat_input(position), layer.flat_output
    shapes = layer.shape(x), layer.shape(y)
    layer.require(
        shapes[0] == shapes[1],
        f"input {position} has shape {list(shapes[0])}, the output {list(shapes[1])}; both inputs "
        "of the output's shape, or one constant number, are supported",
    )
    _require_one_coding(layer, position)


def _require_one_coding(layer: Layer, position: int) -> None:
    x, y = layer.flat_input(position), layer.flat_output
    units = layer.quant(x), layer.quant(y)
    layer.require(
        units[0] == units[1],
        f"input {position} has scale {units[0].scale[0]:.6g} and zero point {units[0].zero}, the "
        f"output {units[1].scale[0]:.6g} and {units[1].zero}; equal ones are supported",
    )


def _factor(layer: Layer, position: int, shape: Shape) -> Tensor:
    """Returns one operand of a product: a whole map, the row for all rows of the other one, or what
    broadcasts, repeated."""
    if not _is_row(layer.shape(layer.flat_input(position)), shape):
        return _operand(layer, position, shape)
    if layer.is_constant(position):
        return layer.constant_operand(position)
    return layer.activation(position)


def _scalar_position(layer: Layer) -> int | None:
    """Returns the number of the input that is a constant of one element; None if neither is."""
    layer.count(2)
    found = (i for i in (1, 0) if layer.is_constant(i) and layer.constant(i).size == 1)
    return next(found, None)


def _with_scalar(layer: Layer, arithmetic: Arithmetic) -> None:
    position = _scalar_position(layer)
    if position is None:
        layer.fail("is supported with one constant number as the other input")
    x, flat = layer.activation(1 - position), layer.flat_input(position)
    layer.typed(flat, ("INT8",))
    stored = layer.constant(position).astype(np.int64).ravel()
    operand, clip = layer.coding(flat).operand(stored), fused_clip(layer)
    number = Number(int(stored[0]), layer.quant(flat), first=position == 0)

    def function(_: Layer, x: Coding, y: Coding) -> Table:
        operands = (operand, x.operand()) if number.first else (x.operand(), operand)
        return arithmetic(*operands, y, clip)

    code = layer.operator.code.lower()
    _emit_lookup(layer, x, function, LookupAttrs(code, _slope(code, number), clip, number))


def _slope(code: str, number: Number) -> float:
    """Returns the derivative of a sum, a difference or a product by the input that is not
    constant."""
    if code == "mul":
        return (number.stored - number.quant.zero) * number.quant.scale[0]
    return -1.0 if code == "sub" and number.first else 1.0


def _operand(layer: Layer, position: int, shape: Shape) -> Tensor:
    flat = layer.flat_input(position)
    found = layer.shape(flat)
    if not layer.is_constant(position):
        return expanded(layer, layer.activation(position), shape, f"input{position}")
    fits = len(found) <= len(shape) and all(
        d in (1, full) for d, full in zip(found[::-1], shape[::-1], strict=False)
    )
    layer.require(fits, f"constant of shape {list(found)} does not broadcast to {list(shape)}")
    return layer.constant_operand(position, shape)
