"""Files of uint8 networks, as TensorFlow made them before int8, as the int8 networks that compute
the same: every number 128 less, weights without their zero point.

That is exact but for two things, which are refused: weights too far from their zero point, and
averages whose halves uint8 rounds up, int8 away from zero.

The multiplier of a fully connected layer is TFLM's, s_x * s_w / s_y in double, as for every int8
file. LiteRT rounds s_x * s_w to float32 first, so that an answer on a boundary of rounding may be
one off there. TFLM decides: it is what runs on a microcontroller, and one rule serves all files.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflash.quantize.windows import SAME, same_padding
from tinyflash.read.tflite.flat import FlatModel, FlatOperator, FlatTensor

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_SHIFT = 128


def modernised(model: FlatModel) -> FlatModel:
    """Returns an int8 model, with uint8 at its ends. Other models are returned as they are."""
    weights = _weights(model)
    if not weights:
        return model
    tensors = [_shifted(t) if t.type == "UINT8" else t for t in model.tensors]
    refused: dict[int, str] = {}
    for index in weights:
        whole = model.tensors[index]
        if whole.type != "UINT8" or whole.data is None or len(whole.zeros) > 1:
            continue
        zero = whole.zeros[0] if whole.zeros else 0
        if not 0 <= zero <= 255:
            continue
        centred = whole.data.astype(np.int16) - zero
        if centred.min(initial=0) < -128 or centred.max(initial=0) > 127:
            refused[index] = (
                f"has uint8 weights {int(np.abs(centred).max())} steps from their zero point, "
                "beyond int8; convert the model with full-integer int8 quantization"
            )
            continue
        data = np.frombuffer(centred.astype(np.int8).tobytes(), np.uint8)
        tensors[index] = replace(whole, type="INT8", zeros=(0,) * len(whole.scales), data=data)
    operators = [_judged(model, o, refused) for o in model.operators]
    return _with_ends(replace(model, tensors=tuple(tensors), operators=tuple(operators)), model)


def _weights(model: FlatModel) -> set[int]:
    """The tensors of uint8 weights."""
    found = {o.inputs[1] for o in model.operators if o.code in _WEIGHTED and len(o.inputs) > 1}
    known = (i for i in found if 0 <= i < len(model.tensors))
    return {i for i in known if model.tensors[i].type == "UINT8"}


def _shifted(tensor: FlatTensor) -> FlatTensor:
    """The same real numbers in int8."""
    data = None if tensor.data is None else (tensor.data ^ _SHIFT).astype(np.uint8)
    zeros = tensor.zeros or (0,) * len(tensor.scales)
    return replace(tensor, type="INT8", zeros=tuple(z - _SHIFT for z in zeros), data=data)


def _judged(model: FlatModel, operator: FlatOperator, refused: dict[int, str]) -> FlatOperator:
    reasons = [refused[i] for i in operator.inputs if i in refused]
    if operator.code == "MEAN" or (
        operator.code == "AVERAGE_POOL_2D" and not _is_odd(model, operator)
    ):
        reasons.append(
            "averages uint8 numbers, and halves would round otherwise in int8; convert the model "
            "with full-integer int8 quantization"
        )
    return replace(operator, refused=reasons[0]) if reasons else operator


def _is_odd(model: FlatModel, operator: FlatOperator) -> bool:
    """Whether every window has an odd number of elements, so that no average is a half."""
    x = operator.inputs[0] if operator.inputs else -1
    shape = model.tensors[x].shape if 0 <= x < len(model.tensors) else ()
    if len(shape) != 4 or min(shape) < 1:
        return False
    for side, axis in (("H", 1), ("W", 2)):
        long = "Height" if side == "H" else "Width"
        kernel = int(operator.options.get(f"Filter{long}", 0))
        stride = int(operator.options.get(f"Stride{side}", 0))
        if kernel < 1 or stride < 1 or shape[axis] > 2**16:
            return False
        same = operator.options.get("Padding") == SAME
        before, after = same_padding(shape[axis], kernel, stride, 1) if same else (0, 0)
        first = np.arange(-before, shape[axis] + after - kernel + 1, stride)
        inside = np.minimum(first + kernel, shape[axis]) - np.maximum(first, 0)
        if (inside % 2 == 0).any():
            return False
    return True


def _with_ends(model: FlatModel, legacy: FlatModel) -> FlatModel:
    """Puts a QUANTIZE between each uint8 end of the file and its int8 tensor."""
    tensors, operators = list(model.tensors), list(model.operators)
    inputs, outputs, last = list(model.inputs), list(model.outputs), len(model.operators)
    for ends, before in ((inputs, True), (outputs, False)):
        for place, index in enumerate(ends):
            if not 0 <= index < len(legacy.tensors) or legacy.tensors[index].type != "UINT8":
                continue
            outer = replace(legacy.tensors[index], index=len(tensors))
            tensors[index] = replace(tensors[index], name="")
            tensors.append(outer)
            pair = ((outer.index,), (index,)) if before else ((index,), (outer.index,))
            operator = FlatOperator(last, "QUANTIZE", *pair, {})
            operators.insert(0 if before else len(operators), operator)
            ends[place], last = outer.index, last + 1
    return replace(
        model,
        tensors=tuple(tensors),
        operators=tuple(operators),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )
