"""Dilated convolutions that a file writes as SPACE_TO_BATCH_ND, CONV_2D, BATCH_TO_SPACE_ND.

The first deals the rows and columns of a map out to a batch, and the last collects them again. So
the convolution between, of stride 1, meets rows that are `block` apart: it is dilated. Its padding
is what the first one adds, plus its own, less what the last one crops. All padding is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from tinyflash.quantize.windows import EXPLICIT, SAME, same_padding
from tinyflash.read.tflite.flat import FlatModel, FlatOperator, FlatTensor, Option
from tinyflash.read.tflite.importing import Layer

_OPENS, _CLOSES = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"
_WINDOWS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_VIEWS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")  # of one dimension: to a map of height 1 and back
_LARGEST = 255  # of a dilation, and of padding


def refuse(layer: Layer) -> None:
    """What is left of these operators cannot be read."""
    layer.fail(
        "is supported only around one convolution of stride 1, as a dilation; let the converter "
        "fold it"
    )


def undone(model: FlatModel) -> FlatModel:
    """Returns the model with a dilated convolution in place of each such group of operators."""
    groups = list(_groups(model))
    if not groups:
        return model
    tensors = list(model.tensors)
    made: dict[int, list[FlatOperator]] = {}
    for group in groups:
        made[group.operators[-1].index] = list(_dilated(group, tensors))
    gone = {o.index for group in groups for o in group.operators}
    kept = (made.get(o.index, [] if o.index in gone else [o]) for o in model.operators)
    return replace(model, tensors=tuple(tensors), operators=tuple(chain(*kept)))


@dataclass(frozen=True)
class _Group:
    """The operators from the first to the last, and the options of the dilated convolution.

    views: the map has one dimension, and is one of height 1 for the convolution.
    """

    operators: tuple[FlatOperator, ...]
    window: FlatOperator
    options: dict[str, Option]
    views: bool


def _groups(model: FlatModel) -> Iterator[_Group]:
    readers: dict[int, list[FlatOperator]] = {}
    for operator in model.operators:
        for tensor in dict.fromkeys(operator.inputs):
            readers.setdefault(tensor, []).append(operator)
    for operator in model.operators:
        if operator.code == _OPENS:
            found = _followed(model, operator, readers)
            group = None if found is None else _group(model, found)
            if group is not None:
                yield group


def _followed(
    model: FlatModel, first: FlatOperator, readers: dict[int, list[FlatOperator]]
) -> list[FlatOperator] | None:
    """Returns the operators from the first to the last, each the only reader of the one before."""
    found = [first]
    while found[-1].code != _CLOSES:
        (y, *others) = found[-1].outputs or (-1,)
        next_ones = readers.get(y, [])
        if others or y in model.outputs or len(next_ones) != 1 or next_ones[0].inputs[0] != y:
            return None
        if next_ones[0].code not in (*_WINDOWS, *_VIEWS, _CLOSES) or len(found) > 4:
            return None
        found.append(next_ones[0])
    return found


def _group(model: FlatModel, found: list[FlatOperator]) -> _Group | None:
    codes = [o.code for o in found]
    views = len(found) == 5 and codes[1] in _VIEWS and codes[3] in _VIEWS
    if not (views or len(found) == 3) or codes[len(codes) // 2] not in _WINDOWS:
        return None
    window = found[len(found) // 2]
    options = _options(model, found, window, views)
    return None if options is None else _Group(tuple(found), window, options, views)


def _options(
    model: FlatModel, found: list[FlatOperator], window: FlatOperator, views: bool
) -> dict[str, Option] | None:
    """Returns the options of the dilated convolution; None if it is none."""
    opening, closing = (_numbers(model, o) for o in (found[0], found[-1]))
    weights = _tensor(model, window.inputs[1])
    before = [
        _tensor(model, t) for t in (found[0].inputs[0], found[0].outputs[0], window.inputs[0])
    ]
    after = [
        _tensor(model, t) for t in (window.outputs[0], found[-1].inputs[0], found[-1].outputs[0])
    ]
    if (
        opening is None
        or closing is None
        or weights is None
        or not (_alike(before) and _alike(after))
    ):
        return None
    (block, pads), (again, crops) = opening, closing
    x, dealt, inside, result, collected, y = (t.shape for t in (*before, *after) if t is not None)
    if views:
        if any(len(shape) != 3 for shape in (x, dealt, collected, y)):
            return None
        x, dealt, collected, y = ((s[0], 1, *s[1:]) for s in (x, dealt, collected, y))
        block, again, pads, crops = [1, *block], [1, *again], [[0, 0], *pads], [[0, 0], *crops]
    ranks = {len(shape) for shape in (x, inside, result, y, weights.shape)}
    batch = (x[0], *inside[:1], *result[:1], y[0]) if ranks == {4} else ()
    deals = block == again and len(block) == 2 and min(block) > 0
    if not deals or dealt != inside or collected != result:
        return None
    if batch != (1, block[0] * block[1], block[0] * block[1], 1):
        return None
    return _explicit(window, weights.shape[1:3], (x, inside, result, y), block, pads, crops)


def _alike(tensors: Sequence[FlatTensor | None]) -> bool:
    """Whether all are there, fixed in shape, and of one scale and zero point."""
    found = [t for t in tensors if t is not None]
    codings = {(t.scales, t.zeros, t.type) for t in found}
    return (
        len(found) == len(tensors)
        and len(codings) == 1
        and all(min(t.shape, default=0) > 0 for t in found)
    )


def _explicit(
    window: FlatOperator,
    kernel: Sequence[int],
    shapes: Sequence[tuple[int, ...]],
    block: list[int],
    pads: list[list[int]],
    crops: list[list[int]],
) -> dict[str, Option] | None:
    """shapes: of the map, of the convolution's input and output in the file, and of the result."""
    options = dict(window.options)
    for i, (name, side) in enumerate((("H", "Top Bottom"), ("W", "Left Right"))):
        size, before, after, made = (shape[i + 1] for shape in shapes)
        dilation = int(options.get(f"Dilation{name}Factor", 1))
        padded = size + sum(pads[i])
        fits = padded == before * block[i] and made == after * block[i] - sum(crops[i])
        if options.get(f"Stride{name}") != 1 or not fits or min(*pads[i], *crops[i]) < 0:
            return None
        own = same_padding(before, kernel[i], 1, dilation)[0] if options["Padding"] == SAME else 0
        apart = dilation * block[i]
        first = pads[i][0] + own * block[i] - crops[i][0]
        last = made + (kernel[i] - 1) * apart - size - first
        if not (0 <= first <= _LARGEST and last >= 0 and apart <= _LARGEST):
            return None
        options[f"Dilation{name}Factor"] = apart
        options |= zip((f"Pad{s}" for s in side.split()), (first, last), strict=True)
    return {**options, "Padding": EXPLICIT}


def _dilated(group: _Group, tensors: list[FlatTensor]) -> Iterator[FlatOperator]:
    """Yields the operators in place of the group; with views, these on the whole map."""
    x, y = group.operators[0].inputs[0], group.operators[-1].outputs[0]
    window = group.window
    if not group.views:
        yield replace(window, inputs=(x, *window.inputs[1:]), outputs=(y,), options=group.options)
        return
    wide = [_widened(tensors, t, like) for t, like in ((x, x), (y, y))]
    before, after = group.operators[1], group.operators[3]
    yield replace(before, code="RESHAPE", inputs=(x,), outputs=(wide[0],), options={})
    inputs = (wide[0], *window.inputs[1:])
    yield replace(window, inputs=inputs, outputs=(wide[1],), options=group.options)
    yield replace(after, code="RESHAPE", inputs=(wide[1],), outputs=(y,), options={})


def _widened(tensors: list[FlatTensor], tensor: int, like: int) -> int:
    """Adds a tensor [1][1][length][channels] for one without a height."""
    found = tensors[like]
    shape = (1, *tensors[tensor].shape)
    tensors.append(replace(found, index=len(tensors), shape=shape))
    return len(tensors) - 1


def _tensor(model: FlatModel, index: int) -> FlatTensor | None:
    return model.tensors[index] if 0 <= index < len(model.tensors) else None


def _numbers(model: FlatModel, operator: FlatOperator) -> tuple[list[int], list[list[int]]] | None:
    """Returns the block, and the paddings or crops of each of its dimensions."""
    found = [_constant(model, i) for i in operator.inputs[1:]]
    if len(found) != 2 or len(operator.outputs) != 1:
        return None
    block, pairs = found
    if block is None or pairs is None or pairs.size != 2 * block.size:
        return None
    return block.ravel().tolist(), pairs.reshape(-1, 2).tolist()


def _constant(model: FlatModel, index: int) -> npt.NDArray[np.int64] | None:
    tensor = _tensor(model, index)
    if tensor is None or tensor.data is None or tensor.type != "INT32" or tensor.data.size % 4:
        return None
    return tensor.data.view("<i4").astype(np.int64) if tensor.data.size <= 64 else None
