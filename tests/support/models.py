"""Builds small .tflite files without TensorFlow: tensors, operators, layers of random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.support.flatfile import FileNetwork, FileOperator, FileTensor, Shape, serialise

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


class File(FileNetwork):
    """A .tflite file in the making. Methods add layers and return the index of their output."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.random = np.random.default_rng(seed)

    def finish(self, *outputs: int) -> bytes:
        """The bytes of the file."""
        self.outputs = list(outputs) or self.outputs
        return serialise(self)

    # ---- Pieces ---------------------------------------------------------------------------------

    def tensor(self, shape: Shape, scale: float | None = None, zero: int = 0, **rest: Any) -> int:
        scales = None if scale is None else [scale]
        zeros = None if scale is None else [zero]
        self.tensors.append(FileTensor(shape, scale=scales, zero=zeros, **rest))
        return len(self.tensors) - 1

    def constant(self, data: Any, type: str = "INT32", **rest: Any) -> int:  # noqa: A002
        values = np.asarray(data)
        return self.tensor(values.shape, type=type, data=values, **rest)

    def operator(
        self, code: str, inputs: list[int], output: int, kind: str = "", **fields: Any
    ) -> int:
        self.operators.append(FileOperator(code, inputs, [output], kind, fields))
        return output

    def input(self, shape: Shape, scale: float = 0.02, zero: int = 0, type: str = "INT8") -> int:  # noqa: A002
        index = self.tensor(shape, None if type == "FLOAT32" else scale, zero, type=type)
        self.inputs.append(index)
        return index

    def shape(self, index: int) -> Shape:
        return self.tensors[index].shape

    # ---- Layers with weights --------------------------------------------------------------------

    def _weights(self, x: int, shape: Shape, axis: int, out: int, scales: int) -> tuple[int, int]:
        """(weights, bias) with plausible scales; `scales` of them."""
        w = self.random.integers(-127, 128, shape)
        scale = [float(np.float32(s)) for s in 10 ** self.random.uniform(-2.5, -1.5, scales)]
        weights = self.tensor(
            shape, type="INT8", data=w, axis=axis if scales > 1 else 0, scale=None
        )
        self.tensors[weights].scale, self.tensors[weights].zero = scale, [0] * scales
        bias = self.constant(self.random.integers(-3000, 3000, out))
        x_scale = (self.tensors[x].scale or [0.0])[0]
        self.tensors[bias].scale = [float(np.float32(x_scale * s)) for s in scale]
        self.tensors[bias].zero = [0] * scales
        return weights, bias

    def _output(self, x: int, weights: int, shape: Shape, terms: int, zero: int) -> int:
        """An output tensor whose scale makes good use of its range."""
        x_scale = (self.tensors[x].scale or [0.0])[0]
        spread = 73 * 73 * np.sqrt(terms) * x_scale * np.mean(self.tensors[weights].scale or [0])
        return self.tensor(shape, float(np.float32(spread / 60)), zero)

    def window(
        self,
        code: str,
        x: int,
        kernel: tuple[int, int],
        *,
        out: int = 4,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NONE,
        zero: int = 3,
        per_channel: bool = True,
        bias: bool = True,
        groups: int = 1,
    ) -> int:
        """CONV_2D or DEPTHWISE_CONV_2D with `out` output channels."""
        _, height, width, channels = self.shape(x)
        depthwise = code == "DEPTHWISE_CONV_2D"
        shape = (1, *kernel, out) if depthwise else (out, *kernel, channels // groups)
        w, b = self._weights(x, shape, 3 if depthwise else 0, out, out if per_channel else 1)
        terms = kernel[0] * kernel[1] * (1 if depthwise else channels // groups)
        sides = [
            _out_side(n, k, s, d, padding)
            for n, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
        ]
        y = self._output(x, w, (1, *sides, out), terms, zero)
        fields = {
            "Padding": padding,
            "StrideH": stride[0],
            "StrideW": stride[1],
            "DilationHFactor": dilation[0],
            "DilationWFactor": dilation[1],
            "FusedActivationFunction": activation,
        }
        if depthwise:
            fields["DepthMultiplier"] = out // channels
        kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        return self.operator(code, [x, w, b] if bias else [x, w], y, kind, **fields)

    def conv(self, x: int, kernel: tuple[int, int], **rest: Any) -> int:
        return self.window("CONV_2D", x, kernel, **rest)

    def depthwise(self, x: int, kernel: tuple[int, int], **rest: Any) -> int:
        return self.window("DEPTHWISE_CONV_2D", x, kernel, **{"out": self.shape(x)[3], **rest})

    def dense(
        self,
        x: int,
        out: int,
        *,
        rows: int = 1,
        activation: int = NONE,
        zero: int = 3,
        per_channel: bool = False,
        bias: bool = True,
        keep: Shape | None = None,
    ) -> int:
        depth = int(np.prod(self.shape(x))) // rows
        w, b = self._weights(x, (out, depth), 0, out, out if per_channel else 1)
        y = self._output(x, w, (*(keep or (rows,)), out), depth, zero)
        fields = {"FusedActivationFunction": activation, "KeepNumDims": keep is not None}
        inputs = [x, w, b if bias else -1]
        return self.operator("FULLY_CONNECTED", inputs, y, "FullyConnectedOptions", **fields)

    def dealt(
        self, x: int, block: list[int], pads: list[list[int]], crops: list[list[int]], **rest: Any
    ) -> int:
        """A convolution on a map that is dealt out to a batch, as converters write dilation."""
        code = rest.pop("code", "CONV_2D")
        if rest.pop("apart", False):  # padded by an operator of its own
            amounts = [[0, 0], *pads, [0, 0]]
            shape = tuple(n + sum(p) for n, p in zip(self.shape(x), amounts, strict=True))
            x = self.operator("PAD", [x, self.constant(amounts)], self.like(x, shape))
            pads = [[0, 0]] * len(pads)
        _, *sides, channels = self.shape(x)
        far = [(n + sum(p)) // b for n, p, b in zip(sides, pads, block, strict=True)]
        batch = self.like(x, (int(np.prod(block)), *far, channels))
        self.operator("SPACE_TO_BATCH_ND", [x, *map(self.constant, (block, pads))], batch)
        whole = self.tensors[batch].shape
        wide = whole
        if len(sides) == 1:
            wide = (whole[0], 1, *whole[1:])
            batch = self.operator("EXPAND_DIMS", [batch, self.constant(1)], self.like(batch, wide))
        rest.setdefault("out", channels)
        y = self.window(code, batch, **rest)
        self.tensors[y].shape = made = (whole[0], *self.shape(y)[1:])
        if len(sides) == 1:
            narrow = self.like(y, (made[0], *made[2:]))
            y = self.operator("SQUEEZE", [y], narrow, "SqueezeOptions", SqueezeDims=[1])
        near = [n * b - sum(c) for n, b, c in zip(self.shape(y)[1:-1], block, crops, strict=True)]
        inputs = [y, *map(self.constant, (block, crops))]
        return self.operator(
            "BATCH_TO_SPACE_ND", inputs, self.like(y, (1, *near, self.shape(y)[-1]))
        )

    def transposed(
        self,
        x: int,
        kernel: tuple[int, int],
        *,
        out: int = 4,
        stride: tuple[int, int] = (2, 2),
        padding: int = SAME,
        zero: int = 3,
        more: tuple[int, int] = (0, 0),
        per_channel: bool = True,
        bias: bool = True,
        activation: int = NONE,
    ) -> int:
        """TRANSPOSE_CONV; `more` rows and columns than the least, below the stride."""
        _, height, width, channels = self.shape(x)
        w, b = self._weights(x, (out, *kernel, channels), 0, out, out if per_channel else 1)
        sides = [
            n * s - m if padding == SAME else (n - 1) * s + k + m
            for n, s, k, m in zip((height, width), stride, kernel, more, strict=True)
        ]
        shape = (1, *sides, out)
        terms = -(-kernel[0] // stride[0]) * -(-kernel[1] // stride[1]) * channels
        y = self._output(x, w, shape, terms, zero)
        inputs = [self.constant(shape), w, x, *([b] if bias else [])]
        window = {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1]}
        fused = {"FusedActivationFunction": activation}
        return self.operator("TRANSPOSE_CONV", inputs, y, "TransposeConvOptions", **window, **fused)

    def sequence(
        self, x: int, out: int, kernel: int, *, stride: int = 1, dilation: int = 1, **rest: Any
    ) -> int:
        """Keras' Conv1D of x [1][length][channels]: as a map of height 1, then as it was."""
        code, by = rest.pop("code", "CONV_2D"), rest.pop("by", "EXPAND_DIMS")
        one, length, channels = self.shape(x)
        wide = (one, 1, length, channels)
        flat = self.reshape(x, wide) if by == "RESHAPE" else self.expand(x, wide, 1)
        y = self.window(
            code, flat, (1, kernel), out=out, stride=(1, stride), dilation=(1, dilation), **rest
        )
        narrow = self.like(y, (one, *self.shape(y)[2:]))
        if by == "RESHAPE":
            return self.operator("RESHAPE", [y, self.constant(self.shape(narrow))], narrow)
        return self.operator("SQUEEZE", [y], narrow, "SqueezeOptions", SqueezeDims=[-3])

    def expand(self, x: int, shape: Shape, axis: int) -> int:
        return self.operator("EXPAND_DIMS", [x, self.constant(axis)], self.like(x, shape))

    # ---- Others ---------------------------------------------------------------------------------

    def pool(
        self,
        code: str,
        x: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: int = VALID,
        activation: int = NONE,
    ) -> int:
        _, height, width, channels = self.shape(x)
        sides = [
            _out_side(n, k, s, 1, padding)
            for n, k, s in zip((height, width), kernel, stride, strict=True)
        ]
        y = self.like(x, (1, *sides, channels))
        return self.operator(
            code,
            [x],
            y,
            "Pool2DOptions",
            Padding=padding,
            StrideH=stride[0],
            StrideW=stride[1],
            FilterHeight=kernel[0],
            FilterWidth=kernel[1],
            FusedActivationFunction=activation,
        )

    def like(self, x: int, shape: Shape | None = None) -> int:
        """A tensor scaled like x."""
        source = self.tensors[x]
        self.tensors.append(
            FileTensor(shape or source.shape, source.type, source.scale, source.zero)
        )
        return len(self.tensors) - 1

    def map(self, code: str, x: int, scale: float, zero: int, kind: str = "", **fields: Any) -> int:
        """A function of each element."""
        return self.operator(code, [x], self.tensor(self.shape(x), scale, zero), kind, **fields)

    def reshape(self, x: int, shape: Shape, code: str = "RESHAPE") -> int:
        return self.operator(code, [x, self.constant(shape)], self.like(x, shape))

    def binary(
        self, code: str, a: int, b: int, scale: float, zero: int = 0, activation: int = NONE
    ) -> int:
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        y = self.tensor(shape, scale, zero)
        kind = f"{code.capitalize()}Options"
        return self.operator(code, [a, b], y, kind, FusedActivationFunction=activation)

    def minimum(self, a: int, b: int, code: str = "MINIMUM") -> int:
        """Of two maps that are coded alike; `code`: or MAXIMUM."""
        return self.operator(code, [a, b], self.like(a), "MaximumMinimumOptions")

    def recoded(self, x: int, like: int) -> int:
        """X with the scale and zero point of another map."""
        found = self.tensors[like]
        return self.map("QUANTIZE", x, (found.scale or [0.0])[0], (found.zero or [0])[0])

    def slice(
        self, x: int, begin: list[int], end: list[int], step: list[int], shape: Shape, **masks: int
    ) -> int:
        """STRIDED_SLICE, which makes `shape`."""
        numbers = [self.constant(v) for v in (begin, end, step)]
        kind = "StridedSliceOptions"
        return self.operator("STRIDED_SLICE", [x, *numbers], self.like(x, shape), kind, **masks)

    def split(self, x: int, axis: int, sizes: list[int], equal: bool = False) -> list[int]:
        """SPLIT_V, or SPLIT into as many equal parts."""
        shapes = [list(self.shape(x)) for _ in sizes]
        for shape, size in zip(shapes, sizes, strict=True):
            shape[axis % len(shape)] = size
        outputs = [self.like(x, tuple(shape)) for shape in shapes]
        along = self.constant([axis] if equal else axis)
        if equal:
            inputs, code = [along, x], "SPLIT"
        else:
            inputs, code = [x, self.constant(sizes), along], "SPLIT_V"
        kind = {"SPLIT": "SplitOptions", "SPLIT_V": "SplitVOptions"}[code]
        fields = {"NumSplits": len(sizes)}
        self.operators.append(FileOperator(code, inputs, outputs, kind, fields))
        return outputs

    def resize(self, x: int, height: int, width: int, **fields: bool) -> int:
        y = self.like(x, (1, height, width, self.shape(x)[3]))
        inputs = [x, self.constant([height, width])]
        kind = "ResizeNearestNeighborOptions"
        return self.operator("RESIZE_NEAREST_NEIGHBOR", inputs, y, kind, **fields)

    def mean(self, x: int, axes: list[int], scale: float, zero: int, keep: bool = False) -> int:
        reduced = {axis % len(self.shape(x)) for axis in axes}
        sides = enumerate(self.shape(x))
        shape = tuple(1 if i in reduced else d for i, d in sides if keep or i not in reduced)
        y = self.tensor(shape, scale, zero)
        return self.operator("MEAN", [x, self.constant(axes)], y, "ReducerOptions", KeepDims=keep)

    def reduce_max(self, x: int, axes: list[int], keep: bool = False) -> int:
        reduced = {axis % len(self.shape(x)) for axis in axes}
        sides = enumerate(self.shape(x))
        shape = tuple(1 if i in reduced else d for i, d in sides if keep or i not in reduced)
        inputs, y = [x, self.constant(axes)], self.like(x, shape)
        return self.operator("REDUCE_MAX", inputs, y, "ReducerOptions", KeepDims=keep)

    def softmax(self, x: int, beta: float = 1.0) -> int:
        y = self.tensor(self.shape(x), 1 / 256, -128)
        return self.operator("SOFTMAX", [x], y, "SoftmaxOptions", Beta=beta)

    def log_softmax(self, x: int) -> int:
        y = self.tensor(self.shape(x), 1 / 16, 127)
        return self.operator("LOG_SOFTMAX", [x], y, "LogSoftmaxOptions")


def _out_side(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    if padding == SAME:
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1
