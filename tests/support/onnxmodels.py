"""Small ONNX models, each of one style or with one difficulty; NETWORKS by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.support.onnxfile import OnnxFile


def plain() -> bytes:
    """Convolutions, normalised; flattened maps before the classifier."""
    f = OnnxFile(("batch", 3, 12, 10), 1)
    x = f.node("Relu", f.norm(f.conv("x", 8, 3, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]), 8))
    x = f.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = f.node("Relu", f.conv(x, 12, 8, 3, 3, auto_pad="SAME_UPPER"))
    return f.finish(f.gemm(f.node("Flatten", x), 5, 72, transB=1))


def residual() -> bytes:
    """An inverted residual: ReLU6 as Clip, depthwise, a sum, a mean."""
    f = OnnxFile((1, 4, 9, 9), 2)
    zero, six = f.constant(0.0), f.constant(6.0)
    stem = f.norm(f.conv("x", 6, 4, 3, 3, strides=[2, 2], pads=[1, 1, 1, 1]), 6)
    wide = f.node("Clip", f.conv(stem, 18, 6, 1, 1), zero, six)
    deep = f.conv(wide, 18, 1, 3, 3, group=18, pads=[1, 1, 1, 1])
    body = f.norm(f.conv(f.node("Clip", f.norm(deep, 18), zero, six), 6, 18, 1, 1), 6)
    y = f.node("ReduceMean", f.node("Add", stem, body), f.integers(2, 3), keepdims=0)
    w = f.normal(6, 4)
    return f.finish(f.node("Softmax", f.node("Add", f.node("MatMul", y, w), f.normal(4)), axis=1))


def excited() -> bytes:
    """Squeeze and excite, with hard swish and hard sigmoid."""
    f = OnnxFile((1, 3, 8, 8), 3)
    x = f.node("HardSwish", f.norm(f.conv("x", 8, 3, 3, 3, pads=[1, 1, 1, 1]), 8))
    squeezed = f.node("Relu", f.conv(f.node("GlobalAveragePool", x), 4, 8, 1, 1))
    gate = f.node("HardSigmoid", f.conv(squeezed, 8, 4, 1, 1), alpha=1 / 6, beta=0.5)
    x = f.conv(f.node("Mul", x, gate), 6, 8, 1, 1)
    return f.finish(f.gemm(f.node("Flatten", f.node("GlobalAveragePool", x)), 3, 6))


def swished() -> bytes:
    """SiLU as a product, the gate through linear layers, as by PyTorch."""
    f = OnnxFile((1, 3, 8, 6), 4)
    x = f.conv("x", 8, 3, 3, 3, pads=[0, 1, 2, 1])
    x = f.node("Mul", x, f.node("Sigmoid", x))
    pooled = f.node("Flatten", f.node("GlobalAveragePool", x))
    gate = f.node("Sigmoid", f.gemm(f.node("Tanh", f.gemm(pooled, 4, 8)), 8, 4))
    x = f.node("Mul", f.node("Reshape", gate, f.integers(1, 8, 1, 1)), x)
    return f.finish(f.conv(x, 2, 8, 1, 1))


def branches() -> bytes:
    """Branches that are joined, one of them through a fixed scale; a channel shuffle."""
    f = OnnxFile((1, 4, 6, 6), 5)
    a, b = f.conv("x", 4, 4, 1, 1), f.node("Sigmoid", f.conv("x", 4, 4, 1, 1))
    x = f.node("Concat", a, f.node("LeakyRelu", b, alpha=0.1), b, axis=1)
    x = f.node("Reshape", x, f.integers(1, 3, 4, 6, 6))
    x = f.node("Reshape", f.node("Transpose", x, perm=[0, 2, 1, 3, 4]), f.integers(1, 12, 6, 6))
    return f.finish(f.conv(x, 5, 12, 2, 2, dilations=[2, 2], group=1))


def pooled() -> bytes:
    """Pools that round up, whose padding counts, and that pad unevenly."""
    f = OnnxFile((1, 2, 11, 9), 6)
    x = f.conv("x", 4, 2, 1, 1)
    pads = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    a = f.node("AveragePool", x, **pads, count_include_pad=1)
    b = f.node("MaxPool", x, **pads)
    x = f.node("Add", a, b)
    x = f.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    return f.finish(f.conv(x, 3, 4, 3, 3))


def one_dimensional() -> bytes:
    """Over one dimension, with a normalisation that stands before padding, and groups."""
    f = OnnxFile((1, 6, 32), 7)
    x = f.node("Relu", f.conv(f.norm("x", 6), 8, 6, 5, strides=[2], pads=[2, 2]))
    x = f.conv(x, 8, 4, 3, group=2, pads=[1, 1])
    x = f.node("AveragePool", f.node("Relu", f.norm(x, 8)), kernel_shape=[2], strides=[2])
    x = f.node("ReduceMean", x, f.integers(2), keepdims=0)
    return f.finish(f.gemm(x, 4, 8, transB=1, alpha=0.5, beta=2.0))


def scaled_input() -> bytes:
    """Pixels are normalised within the model; shape arithmetic leads to the classifier."""
    f = OnnxFile(("n", 3, 8, 8), 8)
    x = f.node("Sub", f.node("Div", "x", f.constant(2.0)), f.normal(1, 3, 1, 1, scale=0.5))
    x = f.node("Relu", f.conv(x, 4, 3, 3, 3, strides=[2, 2]))
    batch = f.node("Gather", f.node("Shape", x), f.constant(0, np.int64), axis=0)
    axes = f.integers(0)
    shape = f.node("Concat", f.node("Unsqueeze", batch, axes), f.integers(-1), axis=0)
    return f.finish(f.gemm(f.node("Reshape", x, shape), 3, 36))


def channels_last_outside() -> bytes:
    """As TensorFlow's converter writes them: transposed at both ends, ReLU6 between Min and Max."""
    f = OnnxFile((1, 8, 8, 3), 9)
    x = f.node("Transpose", "x", perm=[0, 3, 1, 2])
    pads = f.integers(0, 0, 0, 0, 0, 0, 1, 1)
    x = f.conv(f.node("Pad", x, pads), 5, 3, 3, 3, strides=[2, 2])
    x = f.node("Min", f.node("Max", x, f.constant(0.0)), f.constant(6.0))
    gate = f.node("Add", f.conv(x, 5, 5, 1, 1), f.constant(3.0))
    x = f.node("Mul", x, f.node("Mul", f.node("Clip", gate, f.constant(0.0), f.constant(6.0)),
                                f.constant(1 / 6)))  # fmt: skip
    return f.finish(f.node("Transpose", x, perm=[0, 2, 3, 1]))


def perceptron() -> bytes:
    """Rows of numbers, no map at all; a swish by its pieces; old opset with attributes."""
    f = OnnxFile((1, 20), 10, opset=9)
    x = f.gemm("x", 16, 20)
    gate = f.node("Clip", f.node("Add", x, f.constant([3.0])), min=0.0, max=6.0)
    x = f.node("Mul", f.node("Mul", x, gate), f.constant([1 / 6]))
    x = f.node("Dropout", f.node("Identity", x))
    x = f.node("PRelu", f.gemm(x, 12, 16), f.constant([0.25]))
    x = f.node("Squeeze", f.node("Unsqueeze", x, axes=[1]), axes=[1])
    return f.finish(f.node("Softmax", f.gemm(x, 4, 12)))


def logarithms() -> bytes:
    """A classifier as torch trains it with a negative log-likelihood."""
    f = OnnxFile((1, 3, 8, 8), 15)
    x = f.node("Relu", f.conv("x", 6, 3, 3, 3, strides=[2, 2]))
    return f.finish(f.node("LogSoftmax", f.gemm(f.node("Flatten", x), 7, 54), axis=1))


def smallest() -> bytes:
    """Min of two maps, one of a fixed scale, of the input, and of a number in either place."""
    f = OnnxFile((1, 4, 6, 6), 11)
    a, b = f.conv("x", 4, 4, 1, 1), f.conv("x", 4, 4, 3, 3, pads=[1, 1, 1, 1])
    x = f.node("Min", f.node("Min", a, b), f.node("Sigmoid", b))
    x = f.node("Max", x, f.conv("x", 4, 4, 1, 1))
    x = f.conv(f.node("Min", "x", x), 3, 4, 2, 2)
    x = f.node("Min", f.constant(2.0), f.node("Min", x, f.constant([1.5])))
    return f.finish(f.node("Max", f.constant(-9.0), x))


def sliced() -> bytes:
    """Pixels to channels by slices, parts of channels, a difference to an upsampled branch."""
    f = OnnxFile((1, 3, 12, 10), 12)
    ends, axes = f.integers(99, 99), f.integers(2, 3)
    corners = [
        f.node("Slice", "x", f.integers(i, j), ends, axes, f.integers(2, 2))
        for i in (0, 1)
        for j in (0, 1)
    ]
    x = f.node("Relu", f.conv(f.node("Concat", *corners, axis=1), 8, 12, 3, 3, pads=[1, 1, 1, 1]))
    parts = f.split(x, [3, 5], axis=1)
    deep = f.conv(parts[1], 3, 5, 3, 3, strides=[2, 2], pads=[1, 1, 1, 1])
    wide = f.node("Resize", deep, "", f.constant([1.0, 1, 2, 2]), nearest_mode="floor",
                  coordinate_transformation_mode="asymmetric")  # fmt: skip
    wide = f.node("Slice", wide, f.integers(0), f.integers(5), f.integers(-1))
    y = f.node("Sub", parts[0], wide)
    y = f.node("Add", y, f.node("ReduceMax", y, f.integers(2, 3)))
    return f.finish(f.gemm(f.node("ReduceMax", y, f.integers(2, 3), keepdims=0), 4, 3))


def transposed() -> bytes:
    """A decoder: transposed convolutions of strides 2, that divides one kernel, and 1."""
    f = OnnxFile((1, 3, 8, 6), 14)
    x = f.node("Relu", f.conv("x", 6, 3, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]))
    w = f.normal(6, 4, 3, 3, scale=0.2)
    x = f.node("ConvTranspose", x, w, f.normal(4), strides=[2, 2], pads=[1, 1, 1, 1],
               output_padding=[1, 1])  # fmt: skip
    x = f.node("ConvTranspose", f.node("Relu", x), f.normal(4, 3, 2, 2, scale=0.4), strides=[2, 2])
    x = f.node("ConvTranspose", x, f.normal(3, 2, 3, 1, scale=0.4), pads=[1, 0, 1, 0])
    return f.finish(f.node("Sigmoid", x))


def woven() -> bytes:
    """Channels that become rows and columns, as PixelShuffle writes it out, and back."""
    f = OnnxFile((1, 2, 4, 3), 15)
    x = f.node("Reshape", f.conv("x", 12, 2, 1, 1), f.integers(1, 3, 2, 2, 4, 3))
    x = f.node("Reshape", f.node("Transpose", x, perm=[0, 1, 4, 2, 5, 3]), f.integers(1, 3, 8, 6))
    x = f.node("Reshape", f.conv(x, 2, 3, 1, 1), f.integers(1, 2, 4, 2, 3, 2))
    x = f.node("Reshape", f.node("Transpose", x, perm=[0, 1, 3, 5, 2, 4]), f.integers(1, 8, 4, 3))
    return f.finish(f.conv(x, 3, 8, 3, 3))


def upsampled() -> bytes:
    """In an old opset: Upsample, Split and Slice with attributes; a number for each position."""
    f = OnnxFile((1, 2, 5, 6), 13, opset=9)
    x = f.node("Upsample", f.conv("x", 4, 2, 1, 1), f.constant([1.0, 1, 3, 2]), mode="nearest")
    x = f.node("Slice", x, starts=[1, -9], ends=[13, 2**31 - 1], axes=[2, 3])
    a, b = f.split(x, [2, 2], axis=1)
    gate = f.node("Sigmoid", f.conv(a, 1, 2, 3, 3, pads=[1, 1, 1, 1]))
    return f.finish(f.conv(f.node("Mul", b, gate), 3, 2, 3, 3, strides=[3, 3]))


NETWORKS: dict[str, Callable[[], bytes]] = {
    function.__name__: function
    for function in (
        plain,
        residual,
        excited,
        swished,
        branches,
        pooled,
        one_dimensional,
        scaled_input,
        channels_last_outside,
        perceptron,
        logarithms,
        smallest,
        sliced,
        upsampled,
        transposed,
        woven,
    )
}
