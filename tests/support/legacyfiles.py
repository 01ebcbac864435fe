"""uint8 .tflite files, as TensorFlow made them before int8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyflash.read.tflite.flat import FlatTensor, load
from tinyflash.write.flat import serialise

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def legacy(path: Path, zero: int = 117, reach: int = 100) -> bytes:
    """The int8 network at `path` in uint8: one scale for all channels, weights of at most `reach`
    around a zero point."""
    model = load(path)
    weights = {o.inputs[1] for o in model.operators if o.code in _WEIGHTED}
    dense = {o.inputs[1] for o in model.operators if o.code == "FULLY_CONNECTED"}
    biases = {o.inputs[2]: (o.inputs[0], o.inputs[1]) for o in model.operators
              if o.code in _WEIGHTED and len(o.inputs) > 2 and o.inputs[2] >= 0}  # fmt: skip
    tensors: list[FlatTensor] = []
    for t in model.tensors:
        if t.index in weights:
            assert t.data is not None
            stored = np.clip(t.data.view(np.int8).astype(int), -reach, 255 - zero) + zero
            data = stored.astype(np.uint8)
            scales = t.scales[:1]
            if t.index in dense:  # where TensorFlow Lite and TFLM round the same product
                scales = (2.0 ** round(np.log2(scales[0])),)
            t = replace(t, type="UINT8", scales=scales, zeros=(zero,), axis=0, data=data)
        elif t.index in biases:
            x, w = (model.tensors[i].scales[0] for i in biases[t.index])
            t = replace(t, scales=(float(np.float32(x * w)),), zeros=(0,), axis=0)
        elif t.type == "INT8":
            flipped = None if t.data is None else (t.data ^ 128).astype(np.uint8)
            zeros = tuple(z + 128 for z in t.zeros)
            t = replace(t, type="UINT8", zeros=zeros, data=flipped)
        tensors.append(t)
    found = replace(model, tensors=tuple(tensors))
    return serialise(found, [t.name for t in tensors])
