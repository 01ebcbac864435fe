"""Small networks for tests, each around one thing that files hold; a function makes a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.support.models import (
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    VALID,
    File,
    Shape,
)

Network = Callable[[], bytes]
MAP: Shape = (1, 9, 7, 3)


def everything() -> File:
    """Floats at both ends, a layer of each common kind between: for tests to break."""
    file = File(5)
    x = file.input((1, 8, 8, 3), type="FLOAT32")
    y = file.operator("QUANTIZE", [x], file.tensor((1, 8, 8, 3), 0.05, 3))
    y = file.conv(y, (3, 3), stride=(2, 2), activation=1)
    a = file.depthwise(y, (3, 3))
    y = file.binary("ADD", y, a, 0.1)
    y = file.mean(y, [1, 2], 0.05, 0)
    y = file.softmax(file.dense(y, 5))
    end = file.tensor((1, 5), type="FLOAT32")
    file.finish(file.operator("DEQUANTIZE", [y], end))
    return file


def conv_same() -> bytes:
    """Odd sizes, stride 2: asymmetric padding."""
    file = File(1)
    x = file.input((1, 10, 7, 3), zero=-128)
    y = file.conv(x, (3, 3), stride=(2, 2), activation=RELU6, zero=-128, out=5)
    return file.finish(file.conv(y, (2, 4), stride=(1, 3), padding=SAME, zero=127))


def conv_valid() -> bytes:
    file = File(2)
    x = file.input(MAP, zero=127)
    y = file.conv(x, (3, 2), stride=(2, 1), padding=VALID, activation=RELU)
    return file.finish(file.conv(y, (1, 1), stride=(2, 2), activation=RELU_N1_TO_1, zero=-3))


def conv_dilated() -> bytes:
    file = File(3)
    x = file.input(MAP)
    y = file.conv(x, (3, 3), dilation=(2, 3), per_channel=False)
    return file.finish(file.conv(y, (2, 2), dilation=(3, 2), padding=VALID, bias=False))


def conv_grouped() -> bytes:
    """Two groups, as many groups as channels, and groups under a kernel of 1."""
    file = File(21)
    x = file.input((1, 7, 6, 4), zero=-30)
    y = file.conv(x, (3, 3), out=6, groups=2, stride=(2, 1), activation=RELU)
    y = file.conv(y, (2, 3), out=12, groups=6, dilation=(1, 2), per_channel=False)
    return file.finish(file.conv(y, (1, 1), out=9, groups=3))


def conv_1d() -> bytes:
    """Convolutions over one dimension as Keras exports them: a map of height 1 and back."""
    file = File(22)
    x = file.input((1, 20, 3), zero=5)
    y = file.sequence(x, 8, 5, stride=2, activation=RELU)
    y = file.sequence(y, 8, 3, dilation=2, code="DEPTHWISE_CONV_2D")
    y = file.sequence(y, 4, 3, padding=VALID, by="RESHAPE")
    y = file.mean(y, [1], 0.05, -4)
    return file.finish(file.dense(y, 5))


def silent_channels() -> bytes:
    """Channels of scale 0, without weights, in each kind of layer."""
    file = File(22)
    y = file.conv(file.input(MAP), (3, 3), out=4)
    y = file.depthwise(y, (3, 3))
    y = file.dense(y, 6)
    for index, channel in ((0, 1), (1, 3), (2, 0)):
        w = file.tensors[file.operators[index].inputs[1]]
        weights = np.moveaxis(w.data, w.axis, 0)
        weights[channel] = 0
        assert w.scale is not None
        if len(w.scale) > 1:
            w.scale[channel] = 0.0
    return file.finish(y)


def depthwise() -> bytes:
    file = File(4)
    x = file.input((1, 11, 8, 5), zero=20)
    y = file.depthwise(x, (3, 3), stride=(2, 2), activation=RELU6, zero=-128)
    y = file.depthwise(y, (3, 5), dilation=(2, 1), per_channel=False)
    return file.finish(file.depthwise(y, (2, 2), padding=VALID, bias=False))


def depthwise_multiplier() -> bytes:
    """Several output channels per input channel, as in keyword networks."""
    file = File(5)
    x = file.input((1, 12, 9, 1))
    y = file.depthwise(x, (5, 4), out=8, stride=(2, 2), activation=RELU)
    return file.finish(file.depthwise(y, (3, 3), out=16))


def dense() -> bytes:
    """Without bias, with scales per row, and over rows."""
    file = File(6)
    x = file.input((1, 6, 10))
    y = file.dense(x, 7, rows=6, keep=(1, 6), activation=RELU, zero=-128)
    y = file.dense(y, 9, per_channel=True, bias=False)
    return file.finish(file.dense(y, 4))


def pools() -> bytes:
    file = File(7)
    x = file.input((1, 12, 11, 6), zero=9)
    y = file.pool("MAX_POOL_2D", x, (3, 2), stride=(2, 2), padding=SAME, activation=RELU)
    y = file.pool("AVERAGE_POOL_2D", y, (3, 3), stride=(1, 2), padding=SAME)
    y = file.pool("MAX_POOL_2D", y, (2, 2), padding=VALID)
    return file.finish(file.pool("AVERAGE_POOL_2D", y, (5, 2), activation=RELU6))


def residual() -> bytes:
    """A sum of two branches, one of a constant per channel, and a rescaled one."""
    file = File(8)
    x = file.input(MAP, 0.05, 4)
    y = file.binary("ADD", x, file.conv(x, (3, 3), out=3), 0.09, -3, RELU)
    constant = file.constant([77, 3, -20], "INT8", scale=0.03, zero=-7)
    y = file.binary("ADD", y, constant, 0.07, 11)
    return file.finish(file.map("QUANTIZE", y, 0.05, -20))


def scalars() -> bytes:
    """Sums, differences and products with one number, in both orders."""
    file = File(9)
    y = file.input(MAP, 0.05, 4)
    for code, value in (("MUL", 90), ("ADD", -77), ("SUB", 50)):
        number = file.constant([value], "INT8", scale=0.03, zero=-7)
        y = file.binary(code, y, number, 0.09, -3)
    number = file.constant(33, "INT8", scale=0.02, zero=7)
    return file.finish(file.binary("SUB", number, y, 0.11, 5, RELU))


def products() -> bytes:
    """Squeeze and excite, operands in either order; products of equals, and with a row of rows."""
    file = File(23)
    x = file.input(MAP, 0.05, 4)
    y = file.conv(x, (3, 3), out=6, activation=RELU6, zero=-128)
    gate = file.conv(file.mean(y, [1, 2], 0.02, 9, keep=True), (1, 1), out=6)
    gate = file.map("LOGISTIC", gate, 1 / 256, -128)
    y = file.binary("MUL", y, gate, 0.01, -7)
    y = file.binary("MUL", gate, y, 0.004, 11, RELU)
    y = file.binary("MUL", y, file.conv(x, (3, 3), out=6), 0.01, 3)
    y = file.binary("MUL", y, file.pool("MAX_POOL_2D", y, (9, 1)), 0.0005, -20, RELU6)
    constant = file.constant([77, 3, -20, 4, 9, -128], "INT8", scale=0.03, zero=-7)
    return file.finish(file.binary("MUL", constant, y, 0.0007, 5))


def minima() -> bytes:
    """Of two branches, of a map and what it is pooled to, and of a map and itself; a maximum."""
    file = File(24)
    x = file.input(MAP, 0.05, 4)
    a, b = file.conv(x, (3, 3), out=6), file.conv(x, (1, 1), out=6, zero=-9)
    y = file.minimum(a, file.recoded(b, a))
    y = file.minimum(file.pool("MAX_POOL_2D", y, (2, 2), padding=SAME), y)
    y = file.minimum(y, a, "MAXIMUM")
    return file.finish(file.minimum(y, y))


def bounds() -> bytes:
    """Bounds that no fused activation has: minima and maxima with one number, in both orders."""
    file = File(38)
    y = file.conv(file.input(MAP, 0.05, 4), (3, 3), out=4)
    for code, stored, first in (("MINIMUM", 31, False), ("MAXIMUM", -57, True)):
        like = file.tensors[y]
        scale, zero = (like.scale or [0.0])[0], (like.zero or [0])[0]
        number = file.constant([stored], "INT8", scale=scale, zero=zero)
        a, b = (number, y) if first else (y, number)
        y = file.operator(code, [a, b], file.like(y), "MaximumMinimumOptions")
    return file.finish(file.conv(y, (2, 2), out=3))


def dealt() -> bytes:
    """Dilations that the converter wrote as batches: SAME and VALID, uneven, on one dimension.

    Without padding before: TFLM's kernel pads with memory that it never set.
    """
    file = File(36)
    x = file.input((1, 12, 9, 3), 0.05, 4)
    none = [[0, 0], [0, 0]]
    y = file.dealt(x, [2, 3], none, none, kernel=(3, 3), out=5)
    y = file.conv(y, (3, 2), padding=VALID, out=4)
    y = file.dealt(y, [5, 2], none, none, kernel=(2, 1), padding=VALID, code="DEPTHWISE_CONV_2D")
    y = file.reshape(y, (1, file.shape(y)[1] * file.shape(y)[2], 4))
    y = file.dealt(y, [4], [[0, 0]], [[0, 0]], kernel=(1, 3), out=3)
    return file.finish(file.sequence(y, 2, 3, stride=2))


def transposed() -> bytes:
    """Transposed convolutions whose stride is their kernel, and one of stride 1."""
    file = File(37)
    x = file.input((1, 4, 5, 3), 0.05, 4)
    y = file.transposed(x, (2, 3), stride=(2, 3), out=5, padding=VALID)
    y = file.transposed(file.conv(y, (3, 3), out=4), (3, 3), stride=(1, 1), per_channel=False)
    return file.finish(file.transposed(y, (1, 2), stride=(1, 2), out=2, bias=False))


def slices() -> bytes:
    """Rows, columns and channels cut and left out, by masks of every kind."""
    file = File(31)
    x = file.input((1, 9, 8, 6), 0.05, 4)
    y = file.slice(x, [0, 2, 0, 1], [1, 9, 8, 6], [1, 2, 3, 2], (1, 4, 3, 3))
    z = file.slice(
        x, [0, 1, -6, -4], [0, 5, -3, -1], [1, 1, 1, 1], (1, 4, 3, 3), BeginMask=1, EndMask=1
    )
    y = file.binary("ADD", y, z, 0.08, 3)
    cut = file.constant([0, 1, 0, 0]), file.constant([1, 2, -1, 3])
    y = file.operator("SLICE", [y, *cut], file.like(y, (1, 2, 3, 3)))
    one = file.slice(x, [0, 8, 0, 0], [1, 9, 8, 6], [1] * 4, (1, 8, 6), ShrinkAxisMask=2)
    parts = [file.dense(t, 5) for t in (y, one)]
    alike = [parts[0], *(file.recoded(t, parts[0]) for t in parts[1:])]
    joined = file.like(parts[0], (1, 10))
    return file.finish(
        file.operator("CONCATENATION", alike, joined, "ConcatenationOptions", Axis=1)
    )


def splits() -> bytes:
    """Parts of channels, rows and columns, one unread, and of numbers without a map."""
    file = File(32)
    x = file.input((1, 8, 6, 6), 0.05, 4)
    a, b, c = file.split(file.conv(x, (3, 3), out=6), 3, [2, 2, 2], equal=True)
    y = file.binary("ADD", file.conv(a, (3, 3), out=2), c, 0.2, -5)
    left, right = file.split(file.conv(b, (1, 1), out=2), -2, [4, 2])
    top, _, bottom = file.split(y, 1, [3, 4, 1])
    flat = [file.dense(t, 6) for t in (left, right, top, bottom)]
    first, second = file.split(flat[0], 1, [2, 4])
    third = file.binary("SUB", file.dense(flat[1], 4), second, 0.4, 9)
    fourth = file.dense(first, 4)
    y = file.binary("ADD", third, fourth, 0.6, 2)
    z = file.binary("ADD", file.dense(flat[2], 4), file.dense(flat[3], 4), 0.7, 1)
    return file.finish(file.binary("ADD", y, z, 0.9))


def resized() -> bytes:
    """Larger and smaller, evenly and unevenly, in every way of the format."""
    file = File(33)
    x = file.input((1, 5, 6, 3), 0.05, 4)
    y = file.resize(x, 10, 18)
    y = file.resize(file.conv(y, (3, 3), stride=(2, 2)), 7, 4)
    y = file.resize(file.conv(y, (3, 3)), 9, 13, AlignCorners=True)
    return file.finish(file.conv(y, (3, 3), stride=(3, 3)))


def differences() -> bytes:
    """Of two maps, of a map and constants in either place, and of maps that broadcast."""
    file = File(34)
    x = file.input(MAP, 0.05, 4)
    a = file.conv(x, (3, 3), out=3, zero=-9)
    y = file.binary("SUB", a, x, 0.09, -3, RELU)
    row = file.constant([77, 3, -20], "INT8", scale=0.03, zero=-7)
    y = file.binary("SUB", y, row, 0.07, 11)
    y = file.binary("SUB", row, y, 0.08, -11)
    rows = file.constant(np.arange(9).reshape(9, 1, 1) * 7, "INT8", scale=0.02, zero=5)
    y = file.binary("SUB", y, rows, 0.05, 2, RELU6)
    y = file.binary("ADD", row, y, 0.06, 1)
    gate = file.mean(y, [1, 2], 0.04, 3, keep=True)
    y = file.binary("ADD", gate, y, 0.07, 3)
    y = file.binary("SUB", y, file.conv(x, (3, 1), out=1), 0.09, 3)
    return file.finish(file.binary("SUB", file.pool("AVERAGE_POOL_2D", y, (1, 7)), gate, 0.1, 6))


CORNER: tuple[list[int], list[int], list[int], Shape] = (
    [0, 0, 0, 0],
    [1, 2, 2, 1],
    [1, 1, 1, 1],
    (1, 2, 2, 1),
)


def largest() -> bytes:
    """REDUCE_MAX of height and width, of channels, of more positions than a kernel has, of all."""
    file = File(35)
    x = file.input((1, 9, 260, 2), 0.05, 4)
    y = file.reduce_max(file.conv(x, (3, 3), out=6), [1], keep=True)
    columns = file.reduce_max(y, [2])
    y = file.reduce_max(file.conv(x, (3, 3), out=5, stride=(1, 20)), [-1], keep=True)
    both = file.reduce_max(file.conv(y, (3, 3), out=6, stride=(2, 2)), [1, 2])
    joined = file.binary("SUB", columns, both, 0.1)
    whole = file.reduce_max(file.slice(x, *CORNER), [0, 1, 2, 3], keep=True)
    return file.finish(file.binary("SUB", joined, whole, 0.2))


def activations() -> bytes:
    """Every function that becomes a table."""
    file = File(10)
    y = file.input((1, 40, 8), 0.06, -11)
    y = file.map("LEAKY_RELU", y, 0.05, -60, "LeakyReluOptions", Alpha=0.3)
    y = file.map("HARD_SWISH", y, 0.03, -100)
    y = file.map("TANH", y, 1 / 128, 0)
    y = file.map("RELU", y, 0.005, -20)
    y = file.map("RELU6", y, 0.005, -20)
    return file.finish(file.map("LOGISTIC", y, 1 / 256, -128))


def curves() -> bytes:
    """Functions that TensorFlow Lite tabulates from real numbers, and the absolute value."""
    file = File(23)
    y = file.conv(file.input(MAP), (3, 3))
    slope = file.constant([60], "INT8", scale=0.01, zero=-7)
    steps = (("ELU", "", []), ("ABS", "AbsOptions", []), ("PRELU", "", [slope]), ("ELU", "", []))
    for code, kind, more in steps:
        scale = (file.tensors[y].scale or [0.0])[0]
        y = file.operator(code, [y, *more], file.tensor(file.shape(y), 0.6 * scale, -20), kind)
    return file.finish(y)


def slopes() -> bytes:
    """PRELU with slopes per channel, of a row, of a column, and of each element."""
    file = File(41)
    y = file.conv(file.input(MAP, 0.05, 4), (3, 3), out=6)
    height, width, channels = file.shape(y)[1:]
    for shape in ((1, 1, channels), (channels,), (width, channels), (height, 1, 1), file.shape(y)):
        stored = file.random.integers(-128, 128, shape)
        alpha = file.constant(stored, "INT8", scale=0.009, zero=-7)
        scale = (file.tensors[y].scale or [0.0])[0]
        y = file.operator("PRELU", [y, alpha], file.tensor(file.shape(y), 0.9 * scale, -20))
    return file.finish(y)


def means() -> bytes:
    file = File(11)
    x = file.input((1, 6, 5, 8), 0.05, 4)
    y = file.conv(x, (1, 1), out=6)
    y = file.mean(y, [1], 0.04, -7, keep=True)
    y = file.reshape(y, (1, 5, 2, 3))
    return file.finish(file.mean(y, [1, 2], 0.03, 9))


def mean_of_channels() -> bytes:
    file = File(12)
    x = file.input((1, 6, 5, 8), 0.05, 4)
    return file.finish(file.mean(x, [-1], 0.04, -7))


def paddings() -> bytes:
    """PAD of height, width, channels with the zero point, PADV2 with a value."""
    file = File(13)
    x = file.input((1, 4, 5, 3), 0.05, 4)
    amounts = file.constant([[0, 0], [1, 2], [0, 3], [2, 1]])
    y = file.operator("PAD", [x, amounts], file.like(x, (1, 7, 8, 6)), "PadOptions")
    again = file.constant([[0, 0], [0, 1], [2, 0], [0, 0]])
    value = file.constant([-100], "INT8", scale=0.05, zero=4)
    y = file.operator("PADV2", [y, again, value], file.like(x, (1, 8, 10, 6)), "PadV2Options")
    return file.finish(file.conv(y, (3, 3), stride=(2, 2), padding=VALID))


def shapes() -> bytes:
    """Reshape, squeeze, expand and transposes."""
    file = File(14)
    x = file.input((1, 6, 4, 5), 0.05, 4)
    order = file.constant([0, 3, 1, 2])
    y = file.operator("TRANSPOSE", [x, order], file.like(x, (1, 5, 6, 4)), "TransposeOptions")
    y = file.reshape(y, (1, 1, 30, 4))
    y = file.operator("SQUEEZE", [y], file.like(y, (30, 4)), "SqueezeOptions")
    y = file.reshape(y, (4, 5, 6))
    order = file.constant([1, 0, 2])
    y = file.operator("TRANSPOSE", [y, order], file.like(y, (5, 4, 6)), "TransposeOptions")
    y = file.operator("EXPAND_DIMS", [y, file.constant(0)], file.like(y, (1, 5, 4, 6)))
    return file.finish(file.conv(y, (3, 3)))


def joined() -> bytes:
    """Two branches and a constant, side by side in channels, then in rows."""
    file = File(15)
    x = file.input(MAP, 0.05, 4)
    a = file.conv(x, (3, 3), out=4)
    b = file.map("QUANTIZE", x, *_coding(file, a))
    constant = file.constant(file.random.integers(-128, 128, (1, 9, 7, 1)), "INT8")
    file.tensors[constant].scale, file.tensors[constant].zero = (
        file.tensors[a].scale,
        file.tensors[a].zero,
    )
    y = file.operator(
        "CONCATENATION",
        [a, b, constant],
        file.like(a, (1, 9, 7, 8)),
        "ConcatenationOptions",
        Axis=-1,
    )
    y = file.operator(
        "CONCATENATION", [y, y], file.like(a, (1, 18, 7, 8)), "ConcatenationOptions", Axis=1
    )
    return file.finish(file.conv(y, (2, 2)))


def _coding(file: File, tensor: int) -> tuple[float, int]:
    found = file.tensors[tensor]
    return (found.scale or [0.0])[0], (found.zero or [0])[0]


def softmax() -> bytes:
    file = File(16)
    x = file.input((1, 5, 12), 0.2, 4)
    return file.finish(file.softmax(x, 1.3))


def log_softmax() -> bytes:
    """At the end of a classifier."""
    file = File(42)
    y = file.conv(file.input(MAP, 0.05, 4), (3, 3), stride=(2, 2), activation=RELU)
    return file.finish(file.log_softmax(file.dense(y, 11)))


def softmax_of_many() -> bytes:
    """As many classes as there may be, all nearly alike: the largest sum."""
    file = File(17)
    x = file.input((1, 511), 0.001, 4)
    return file.finish(file.softmax(x))


def computed_shape() -> bytes:
    """A reshape whose target is computed from another shape, as converters write Flatten."""
    file = File(17)
    x = file.input((1, 4, 5, 3))
    y = file.conv(x, (3, 3))
    shape = file.operator("SHAPE", [y], file.tensor((4,), type="INT32"), "ShapeOptions")
    one = [file.constant([i]) for i in (0, 1, 1)]
    batch = file.operator(
        "STRIDED_SLICE",
        [shape, *one],
        file.tensor((), type="INT32"),
        "StridedSliceOptions",
        ShrinkAxisMask=1,
    )
    target = file.operator(
        "PACK",
        [batch, file.constant(80)],
        file.tensor((2,), type="INT32"),
        "PackOptions",
        ValuesCount=2,
    )
    y = file.operator("RESHAPE", [y, target], file.like(y, (1, 80)))
    return file.finish(file.dense(y, 3))


def float_ends() -> bytes:
    file = File(18)
    x = file.input((1, 8, 8, 3), type="FLOAT32")
    y = file.operator("QUANTIZE", [x], file.tensor((1, 8, 8, 3), 0.037, 13), "QuantizeOptions")
    y = file.conv(y, (3, 3), stride=(2, 2), activation=RELU)
    y = file.dense(y, 5)
    end = file.tensor((1, 5), type="FLOAT32")
    return file.finish(file.operator("DEQUANTIZE", [y], end, "DequantizeOptions"))


def uint8_ends() -> bytes:
    """Bytes from 0 to 255 at both ends, as TensorFlow Lite's converter makes them."""
    file = File(19)
    x = file.input((1, 8, 8, 3), 1 / 255, 0, "UINT8")
    y = file.map("QUANTIZE", x, 1 / 255, -128)
    y = file.conv(y, (3, 3), stride=(2, 2), activation=RELU)
    y = file.dense(y, 5)
    scale, zero = _coding(file, y)
    end = file.tensor((1, 5), scale, zero + 128, type="UINT8")
    return file.finish(file.operator("QUANTIZE", [y], end, "QuantizeOptions"))


def uint8_rescaled() -> bytes:
    file = File(20)
    x = file.input((1, 64), 0.011, 100, "UINT8")
    y = file.map("QUANTIZE", x, 0.017, -20)
    end = file.tensor((1, 64), 0.023, 90, type="UINT8")
    return file.finish(file.operator("QUANTIZE", [y], end, "QuantizeOptions"))


NETWORKS: dict[str, Network] = {
    f.__name__: f
    for f in (
        bounds,
        conv_same,
        conv_valid,
        conv_dilated,
        conv_grouped,
        conv_1d,
        silent_channels,
        depthwise,
        depthwise_multiplier,
        dense,
        pools,
        residual,
        scalars,
        products,
        minima,
        dealt,
        transposed,
        slices,
        splits,
        resized,
        differences,
        largest,
        activations,
        curves,
        slopes,
        means,
        mean_of_channels,
        paddings,
        shapes,
        joined,
        softmax,
        log_softmax,
        softmax_of_many,
        computed_shape,
        float_ends,
        uint8_ends,
        uint8_rescaled,
    )
}
