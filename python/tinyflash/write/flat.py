"""Serialises plain records to the bytes of a .tflite file: the inverse of `read.flat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite

from tinyflash.read.tflite.flat import OPTIONS, FlatModel, FlatOperator, FlatTensor

_VERSION = 3
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # alignment of constants, as in TensorFlow's converter
_LARGEST_OLD_CODE = 127  # larger codes are written only in the new field


def serialise(model: FlatModel, names: Sequence[str]) -> bytes:
    """Returns the file's bytes. names: of the tensors, only for readers."""
    builder = flatbuffers.Builder(1 << 16)
    codes = sorted({operator.code for operator in model.operators})
    contents = [b"", *(b"" if t.data is None else t.data.tobytes() for t in model.tensors)]
    buffers = _tables(builder, [_buffer(builder, content) for content in contents])
    graphs = _tables(builder, [_subgraph(builder, model, names, codes)])
    listed = _tables(builder, [_code(builder, code) for code in codes])
    description = builder.CreateString(model.name)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, _VERSION)
    tflite.ModelAddOperatorCodes(builder, listed)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddDescription(builder, description)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _subgraph(builder: Any, model: FlatModel, names: Sequence[str], codes: list[str]) -> int:
    pairs = zip(model.tensors, names, strict=True)
    tensors = _tables(builder, [_tensor(builder, tensor, name) for tensor, name in pairs])
    operators = _tables(builder, [_operator(builder, op, codes) for op in model.operators])
    inputs, outputs = _integers(builder, model.inputs), _integers(builder, model.outputs)
    name = builder.CreateString(model.name)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    tflite.SubGraphAddName(builder, name)
    return int(tflite.SubGraphEnd(builder))


def _tables(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _integers(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, np.int32)))


def _buffer(builder: Any, content: bytes) -> int:
    """Writes a buffer, with its bytes aligned from the start of the file."""
    data = None
    if content:
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        data = builder.EndVector()
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return int(tflite.BufferEnd(builder))


def _tensor(builder: Any, tensor: FlatTensor, name: str) -> int:
    called = builder.CreateString(name)
    shape = _integers(builder, tensor.shape)
    quantization = _quantization(builder, tensor) if tensor.scales else None
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, tensor.type))
    tflite.TensorAddBuffer(builder, 0 if tensor.data is None else tensor.index + 1)
    tflite.TensorAddName(builder, called)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    return int(tflite.TensorEnd(builder))


def _quantization(builder: Any, tensor: FlatTensor) -> int:
    scale = builder.CreateNumpyVector(np.asarray(tensor.scales, np.float32))
    zero = builder.CreateNumpyVector(np.asarray(tensor.zeros, np.int64))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddZeroPoint(builder, zero)
    tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _operator(builder: Any, operator: FlatOperator, codes: list[str]) -> int:
    options, kind = None, ""
    if operator.code in OPTIONS:
        kind, _ = OPTIONS[operator.code]
        getattr(tflite, f"{kind}Start")(builder)
        for field, value in operator.options.items():
            getattr(tflite, f"{kind}Add{field}")(builder, value)
        options = getattr(tflite, f"{kind}End")(builder)
    inputs, outputs = _integers(builder, operator.inputs), _integers(builder, operator.outputs)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(operator.code))
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, kind))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _code(builder: Any, code: str) -> int:
    kind, _, custom = code.partition(" ")
    number = getattr(tflite.BuiltinOperator, kind)
    name = builder.CreateString(custom) if custom else None
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, _LARGEST_OLD_CODE))
    tflite.OperatorCodeAddVersion(builder, 1)
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    if name is not None:
        tflite.OperatorCodeAddCustomCode(builder, name)
    return int(tflite.OperatorCodeEnd(builder))
