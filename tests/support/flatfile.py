"""Writes .tflite files from plain records: what TensorFlow's converter would write, or broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

Shape = tuple[int, ...]

_NUMPY = {
    "FLOAT32": "<f4",
    "INT8": "i1",
    "UINT8": "u1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
}


@dataclass
class FileTensor:
    """A tensor of the file to be; change any field to make a broken file."""

    shape: Shape
    type: str = "INT8"
    scale: list[float] | None = None
    zero: list[int] | None = None
    axis: int = 0
    data: Any = None
    variable: bool = False
    outside: int = 0  # where in the file the data is said to be, outside of the FlatBuffer

    def bytes(self) -> bytes:
        if isinstance(self.data, bytes):
            return self.data
        return np.asarray(self.data).astype(_NUMPY[self.type]).tobytes()


@dataclass
class FileOperator:
    """An operator of the file to be; `options`: the table's kind and its fields."""

    code: str
    inputs: list[int]
    outputs: list[int]
    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class FileNetwork:
    """A whole file. A record that occurs twice is written once, and referred to twice."""

    tensors: list[FileTensor] = field(default_factory=list)
    operators: list[FileOperator] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    subgraphs: int = 1
    identifier: bytes = b"TFL3"
    version: int = 3
    custom: bytes = b""  # the name of all custom operators


def serialise(network: FileNetwork) -> bytes:
    """The bytes of the file."""
    builder = flatbuffers.Builder(1024)
    codes = sorted({op.code for op in network.operators})
    empty = _buffer(builder, b"", 0)
    contents = [(b"" if t.data is None else t.bytes(), t.outside) for t in network.tensors]
    buffers = _tables(builder, [empty, *(_buffer(builder, *content) for content in contents)])
    graphs = _tables(builder, [_subgraph(builder, network, codes)] * network.subgraphs)
    listed = _tables(builder, [_code(builder, c, network.custom) for c in codes])
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, network.version)
    tflite.ModelAddOperatorCodes(builder, listed)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=network.identifier)
    return bytes(builder.Output())


def _subgraph(builder: Any, network: FileNetwork, codes: list[str]) -> int:
    tensors = _once(network.tensors, lambda t, i: _tensor(builder, t, i))
    operators = _once(network.operators, lambda op, _: _operator(builder, op, codes))
    tensors, operators = _tables(builder, tensors), _tables(builder, operators)
    inputs, outputs = _integers(builder, network.inputs), _integers(builder, network.outputs)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    return int(tflite.SubGraphEnd(builder))


def _once(records: Sequence[Any], write: Callable[[Any, int], int]) -> list[int]:
    """Where each record is, one that occurs again written no second time."""
    written: dict[int, int] = {}
    for index, record in enumerate(records):
        if id(record) not in written:
            written[id(record)] = write(record, index)
    return [written[id(record)] for record in records]


def _tables(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _integers(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, np.int32)))


def _buffer(builder: Any, content: bytes, outside: int) -> int:
    data = builder.CreateByteVector(content) if content else None
    tflite.BufferStart(builder)
    tflite.BufferAddOffset(builder, outside)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return int(tflite.BufferEnd(builder))


def _tensor(builder: Any, tensor: FileTensor, index: int) -> int:
    name = builder.CreateString(f"tensor {index}")
    shape = _integers(builder, tensor.shape)
    quantization = None
    if tensor.scale is not None:
        scale = builder.CreateNumpyVector(np.asarray(tensor.scale, np.float32))
        zero = builder.CreateNumpyVector(np.asarray(tensor.zero or [], np.int64))
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
        quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, tensor.type))
    tflite.TensorAddBuffer(builder, index + 1)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddIsVariable(builder, tensor.variable)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    return int(tflite.TensorEnd(builder))


def _operator(builder: Any, op: FileOperator, codes: list[str]) -> int:
    options = None
    if op.kind:
        fields = {
            k: _integers(builder, v) if isinstance(v, list) else v for k, v in op.fields.items()
        }
        getattr(tflite, f"{op.kind}Start")(builder)
        for name, value in fields.items():
            getattr(tflite, f"{op.kind}Add{name}")(builder, value)
        options = getattr(tflite, f"{op.kind}End")(builder)
    inputs, outputs = _integers(builder, op.inputs), _integers(builder, op.outputs)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(op.code))
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, op.kind))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _code(builder: Any, code: str, custom: bytes) -> int:
    """A builtin operator's code by its name, or by a number that no operator has."""
    number = int(code) if code.isdecimal() else getattr(tflite.BuiltinOperator, code)
    name = builder.CreateString(custom) if code == "CUSTOM" else None
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    tflite.OperatorCodeAddVersion(builder, 1)
    if name is not None:
        tflite.OperatorCodeAddCustomCode(builder, name)
    return int(tflite.OperatorCodeEnd(builder))
