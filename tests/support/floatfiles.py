"""Float .tflite files: int8 ones with all numbers made real, as before their conversion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyflash.read.tflite.flat import FlatModel, FlatOperator, FlatTensor, load
from tinyflash.write.flat import serialise

_CODING = ("QUANTIZE", "DEQUANTIZE")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def floated(path: Path, weights: str = "FLOAT32") -> bytes:
    """The float network of the int8 file at `path`. weights: how to store them: FLOAT32, FLOAT16
    behind a DEQUANTIZE, or INT8 with their scales."""
    model = load(path)
    tensors = [_real(t) for t in model.tensors]
    alias: dict[int, int] = {}
    operators: list[FlatOperator] = []
    for operator in model.operators:
        inputs = tuple(_final(alias, i) for i in operator.inputs)
        if operator.code in _CODING:
            alias[operator.outputs[0]] = inputs[0]
            continue
        if operator.code in _WEIGHTED and weights != "FLOAT32":
            w = model.tensors[inputs[1]]
            if weights == "INT8":
                tensors[w.index] = w
            else:
                half = replace(_real(w, "<f2"), index=len(tensors), type="FLOAT16")
                tensors[w.index] = replace(tensors[w.index], data=None)
                tensors.append(half)
                operators.append(FlatOperator(0, "DEQUANTIZE", (half.index,), (w.index,), {}))
        if operator.code == "SQUEEZE":  # whose options are not kept
            shape = np.array(model.tensors[operator.outputs[0]].shape, "<i4")
            data = np.frombuffer(shape.tobytes(), np.uint8)
            tensors.append(
                FlatTensor(len(tensors), "INT32", shape.shape, (), (), 0, data, "", "shape")
            )
            inputs, operator = (*inputs, len(tensors) - 1), replace(operator, code="RESHAPE")
        operators.append(replace(operator, inputs=inputs))
    operators = [replace(operator, index=i) for i, operator in enumerate(operators)]
    outputs = tuple(_final(alias, i) for i in model.outputs)
    found = FlatModel(model.name, tuple(tensors), tuple(operators), model.inputs, outputs)
    return serialise(found, [t.name for t in tensors])


def _final(alias: dict[int, int], index: int) -> int:
    while index in alias:
        index = alias[index]
    return index


def _real(tensor: FlatTensor, dtype: str = "<f4") -> FlatTensor:
    """Integers without a scale are shapes, axes, paddings."""
    if not tensor.scales:
        return tensor
    plain = replace(tensor, type="FLOAT32", scales=(), zeros=(), axis=0)
    if tensor.data is None:
        return plain
    stored = tensor.data.view({"INT8": "i1", "INT32": "<i4"}[tensor.type]).reshape(tensor.shape)
    sides = [1] * stored.ndim
    if len(tensor.scales) > 1:
        sides[tensor.axis] = -1
    zeros = np.array(tensor.zeros or [0] * len(tensor.scales)).reshape(sides)
    real = (stored.astype(np.int64) - zeros) * np.array(tensor.scales).reshape(sides)
    return replace(plain, data=np.frombuffer(real.astype(dtype).tobytes(), np.uint8))
