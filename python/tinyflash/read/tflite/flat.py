"""Reads a .tflite file into plain records: only this file uses FlatBuffers.

The generated accessors trust the file, and a damaged offset can make them raise anything. This file
turns it all into one ModelError. Other modules interpret the records.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tflite

from tinyflash import files
from tinyflash.errors import ModelError, printable
from tinyflash.read.limits import LARGEST_FILE, MOST_OPERATORS

Option = int | float | bool
Record = TypeVar("Record")

_MOST_ENTRIES = (
    1 << 20
)  # of all lists together (they may share bytes): scales, zero points, operands
_MOST_TENSORS = 16 * MOST_OPERATORS
_MOST_OPERANDS = 1024  # of one operator
_MOST_CODES = 256  # kinds of operators, including custom ones
_LARGEST_RANK = 64
_LONGEST_NAME = 240  # bytes
_VERSION = 3
_IDENTIFIER = b"TFL3"
_POINTER = b"version https://git-lfs"

# Errors that the accessors raise on a damaged file.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class FlatTensor:
    """A tensor of the file. `data`: raw bytes of a constant; None if computed at run time."""

    index: int
    type: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int
    data: npt.NDArray[np.uint8] | None
    unusual: str  # an unsupported feature that it uses: "", "sparse storage", ...
    name: str = ""


@dataclass(frozen=True)
class FlatOperator:
    """An operator of the file. Omitted inputs are -1. unread: outputs that nothing needs. refused:
    why it cannot be read, if that is known."""

    index: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]
    unread: frozenset[int] = frozenset()
    refused: str = ""


@dataclass(frozen=True)
class FlatModel:
    """A file with one subgraph."""

    name: str
    tensors: tuple[FlatTensor, ...]
    operators: tuple[FlatOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _names(constants: type) -> dict[int, str]:
    return {v: k for k, v in vars(constants).items() if isinstance(v, int)}


_CODES = _names(tflite.BuiltinOperator)
_TYPES = _names(tflite.TensorType)

# The options table of each operator, and its used fields.
_WINDOW = ("Padding", "StrideH", "StrideW", "FusedActivationFunction")
_DILATED = (*_WINDOW, "DilationHFactor", "DilationWFactor")
_POOL = (*_WINDOW, "FilterHeight", "FilterWidth")
_FUSED = ("FusedActivationFunction",)
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ABS": ("AbsOptions", ()),
    "ADD": ("AddOptions", _FUSED),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", *_FUSED)),
    "CONV_2D": ("Conv2DOptions", _DILATED),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_DILATED, "DepthMultiplier")),
    "DIV": ("DivOptions", _FUSED),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("WeightsFormat", *_FUSED)),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "GELU": ("GeluOptions", ("Approximate",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "MUL": ("MulOptions", _FUSED),
    "PACK": ("PackOptions", ("Axis",)),
    "REDUCE_MAX": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_PROD": ("ReducerOptions", ("KeepDims",)),
    "RESIZE_NEAREST_NEIGHBOR": (
        "ResizeNearestNeighborOptions",
        ("AlignCorners", "HalfPixelCenters"),
    ),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    ),
    "SUB": ("SubOptions", _FUSED),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _WINDOW),
}


def load(path: Path) -> FlatModel:
    """Reads and checks a file with exactly one subgraph."""
    try:
        content = files.read_bytes(path, LARGEST_FILE)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(_POINTER):
        raise ModelError(f"{path}: only a Git LFS pointer to the model; run git lfs pull")
    if len(content) < 8 or content[4:8] != _IDENTIFIER:
        raise ModelError(f"{path}: not a .tflite file (it lacks the mark TFL3)")
    try:
        return _model(path, tflite.Model.GetRootAsModel(content, 0))
    except _DAMAGE as error:
        raise ModelError(
            f"{path}: damaged or truncated .tflite file ({len(content)} bytes); fetch it again"
        ) from error


def _model(path: Path, model: tflite.Model) -> FlatModel:
    if model.Version() != _VERSION:
        raise ModelError(f"{path}: schema version {model.Version()}; {_VERSION} is supported")
    subgraphs = model.SubgraphsLength()
    if subgraphs != 1:
        raise ModelError(f"{path}: has {subgraphs} subgraphs; exactly one is supported")
    graph = model.Subgraphs(0)
    _refuse_more(path, graph.OperatorsLength(), MOST_OPERATORS, "operators")
    _refuse_more(path, graph.TensorsLength(), _MOST_TENSORS, "tensors")
    codes = [
        _code(model.OperatorCodes(i))
        for i in range(_count(model.OperatorCodesLength(), _MOST_CODES))
    ]
    operators = (_operator(codes, graph.Operators(i), i) for i in range(graph.OperatorsLength()))
    tensors = (_tensor(model, graph.Tensors(i), i) for i in range(graph.TensorsLength()))
    return FlatModel(
        name=printable(path.stem),
        tensors=_bounded(tensors, lambda t: len(t.scales) + len(t.zeros)),
        operators=_bounded(operators, lambda o: len(o.inputs) + len(o.outputs)),
        inputs=_integers(graph.InputsLength, graph.InputsAsNumpy),
        outputs=_integers(graph.OutputsLength, graph.OutputsAsNumpy),
    )


def _refuse_more(path: Path, count: int, limit: int, what: str) -> None:
    if count > limit:
        raise ModelError(f"{path}: has {count:,} {what}; networks of up to {limit:,} are read")


def _bounded(records: Iterable[Record], entries: Callable[[Record], int]) -> tuple[Record, ...]:
    """Returns all records. Rejects lists with more entries than a plausible file has."""
    kept, total = [], 0
    for record in records:
        total += entries(record)
        _count(total)
        kept.append(record)
    return tuple(kept)


def _count(count: int, limit: int = _MOST_ENTRIES) -> int:
    if not 0 <= count <= limit:
        raise ValueError(f"a list of {count}")
    return count


def _integers(
    length: Callable[[], int],
    values: Callable[[], npt.NDArray[np.integer]],
    most: int = _MOST_ENTRIES,
) -> tuple[int, ...]:
    return tuple(int(v) for v in values()) if _count(length(), most) else ()


def _code(code: tflite.OperatorCode) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        name = (code.CustomCode() or b"")[:_LONGEST_NAME].decode(errors="replace")
        return f"CUSTOM {printable(name)}".strip()
    return _CODES.get(number, f"operator number {number}")


def _operator(codes: list[str], operator: tflite.Operator, index: int) -> FlatOperator:
    code = codes[operator.OpcodeIndex()]
    return FlatOperator(
        index=index,
        code=code,
        inputs=_integers(operator.InputsLength, operator.InputsAsNumpy, _MOST_OPERANDS),
        outputs=_integers(operator.OutputsLength, operator.OutputsAsNumpy, _MOST_OPERANDS),
        options=_options(operator, code),
    )


def _options(operator: tflite.Operator, code: str) -> dict[str, Option]:
    """Returns the listed fields of the operator; none if the file has no options for it."""
    if code not in OPTIONS:
        return {}
    kind, fields = OPTIONS[code]
    present = operator.BuiltinOptionsType() == getattr(tflite.BuiltinOptions, kind)
    table = operator.BuiltinOptions() if present else None
    if table is None:
        return {}
    options = getattr(tflite, kind)()
    options.Init(table.Bytes, table.Pos)
    return {field: getattr(options, field)() for field in fields}


def _tensor(model: tflite.Model, tensor: tflite.Tensor, index: int) -> FlatTensor:
    scales, zeros, axis = _quantization(tensor.Quantization())
    if tensor.Buffer() >= model.BuffersLength():
        raise ValueError("no such buffer")
    buffer = model.Buffers(tensor.Buffer())
    return FlatTensor(
        index=index,
        type=_TYPES[tensor.Type()],
        shape=_integers(tensor.ShapeLength, tensor.ShapeAsNumpy, _LARGEST_RANK),
        scales=scales,
        zeros=zeros,
        axis=axis,
        data=_data(buffer),
        unusual="data outside of the FlatBuffer" if buffer.Offset() > 1 else _unusual(tensor),
        name=(tensor.Name() or b"")[:_LONGEST_NAME].decode(errors="replace"),
    )


def _quantization(
    quantization: tflite.QuantizationParameters | None,
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if quantization is None:
        return (), (), 0
    scales: tuple[float, ...] = ()
    if _count(quantization.ScaleLength()):
        scales = tuple(float(v) for v in quantization.ScaleAsNumpy())
    zeros = _integers(quantization.ZeroPointLength, quantization.ZeroPointAsNumpy)
    return scales, zeros, quantization.QuantizedDimension()


def _data(buffer: tflite.Buffer) -> npt.NDArray[np.uint8] | None:
    if not buffer.DataLength():
        return None
    data: npt.NDArray[np.uint8] = buffer.DataAsNumpy()
    return data


def _unusual(tensor: tflite.Tensor) -> str:
    quantization = tensor.Quantization()
    if tensor.IsVariable():
        return "state kept between runs (a variable tensor)"
    if tensor.Sparsity() is not None:
        return "sparse storage"
    if quantization is not None and quantization.DetailsType():
        return "a custom quantization"
    return ""
