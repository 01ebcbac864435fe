"""Random .tflite files by seed: networks of every operator that is read, all of them trainable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from tests.support.models import SAME, VALID, File

LARGEST_MAP = 2000  # elements


@dataclass
class RandomFile:
    """Adds random operators to a file; `y` is the current map, `maps` are all so far."""

    seed: int
    file: File = field(init=False)
    maps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = File(self.seed)
        shape = (1, self.pick(2, 9), self.pick(2, 9), self.pick(1, 5))
        self._input((1, shape[1] * 4, shape[3]) if self.pick(0, 4) == 0 else shape)

    def pick(self, low: int, high: int) -> int:
        return int(self.file.random.integers(low, high))

    def _input(self, shape: tuple[int, ...]) -> None:
        """int8, raw bytes or floats; scales up to those of pictures in 0..255."""
        scale, zero = float(np.float32(10 ** self.file.random.uniform(-3, 0))), self.pick(-128, 128)
        kind = ("INT8", "UINT8", "FLOAT32")[self.pick(0, 3)]
        x = self.file.input(shape, scale, zero + 128 * (kind == "UINT8"), kind)
        if kind != "INT8":
            x = self.file.operator("QUANTIZE", [x], self.file.tensor(shape, scale, zero))
        if len(shape) == 3:
            x = self.file.sequence(x, self.pick(1, 7), 3, stride=self.pick(1, 3))
            x = self.file.expand(x, (1, 1, *self.file.shape(x)[1:]), 1)
        self.maps.append(x)

    @property
    def y(self) -> int:
        return self.maps[-1]

    @property
    def zero(self) -> int:
        return int(self.file.random.choice([-128, 127, 0, 5]))

    def scale(self, x: int) -> float:
        return (self.file.tensors[x].scale or [0.0])[0]

    def grow(self) -> None:
        """One more operator."""
        layers = (self._conv, self._depthwise, self._grouped)
        others = (
            *(self._add, self._mul, self._number, self._function, self._pool, self._pad),
            *(self._join, self._transpose, self._softmax),
        )
        choices: tuple[Callable[[], int], ...] = layers if self.pick(0, 2) else others
        y = choices[self.pick(0, len(choices))]()
        if np.prod(self.file.shape(y)) <= LARGEST_MAP:
            self.maps.append(y)

    def _window(self) -> dict[str, object]:
        _, height, width, _ = self.file.shape(self.y)
        kernel = (self.pick(1, min(height, 4) + 1), self.pick(1, min(width, 4) + 1))
        stride, padding = (self.pick(1, 3), self.pick(1, 3)), (SAME, VALID)[self.pick(0, 2)]
        return {"kernel": kernel, "stride": stride, "padding": padding}

    def _layer(self) -> dict[str, object]:
        per_channel, bias = bool(self.pick(0, 4)), bool(self.pick(0, 4))
        more = {"activation": self.pick(0, 4), "zero": self.zero}
        return {**self._window(), **more, "per_channel": per_channel, "bias": bias}

    def _conv(self) -> int:
        return self.file.window("CONV_2D", self.y, out=self.pick(1, 9), **self._layer())

    def _depthwise(self) -> int:
        out = self.file.shape(self.y)[3] * (self.pick(2, 4) if self.pick(0, 3) == 0 else 1)
        return self.file.window("DEPTHWISE_CONV_2D", self.y, out=out, **self._layer())

    def _grouped(self) -> int:
        channels = self.file.shape(self.y)[3]
        groups = int(
            self.file.random.choice([g for g in range(1, channels + 1) if channels % g == 0])
        )
        out = groups * self.pick(1, 4)
        return self.file.window("CONV_2D", self.y, out=out, groups=groups, **self._layer())

    def _rival(self) -> int:
        alike = [m for m in self.maps if self.file.shape(m) == self.file.shape(self.y)]
        return alike[self.pick(0, len(alike))]

    def _add(self) -> int:
        other = self._rival()
        scale = (self.scale(self.y) + self.scale(other)) * 0.8
        return self.file.binary("ADD", self.y, other, scale, self.zero, self.pick(0, 4))

    def _mul(self) -> int:
        other = self._rival()
        scale = self.scale(self.y) * self.scale(other) * 60
        return self.file.binary("MUL", self.y, other, scale, self.zero)

    def _number(self) -> int:
        code = ("ADD", "SUB", "MUL")[self.pick(0, 3)]
        scale = 1 / 64 if code == "MUL" else self.scale(self.y)
        number = self.file.constant([self.pick(-128, 128)], "INT8", scale=scale, zero=self.zero)
        operands = (self.y, number) if self.pick(0, 2) else (number, self.y)
        return self.file.binary(code, *operands, self.scale(self.y) * 1.5, self.zero)

    def _function(self) -> int:
        code = ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "QUANTIZE")[self.pick(0, 6)]
        if code == "LOGISTIC":
            return self.file.map(code, self.y, 1 / 256, -128)
        if code == "TANH":
            return self.file.map(code, self.y, 1 / 128, 0)
        if code == "RELU6":
            return self.file.operator(code, [self.y], self.file.like(self.y))
        fields = {"kind": "LeakyReluOptions", "Alpha": 0.3} if code == "LEAKY_RELU" else {}
        return self.file.map(code, self.y, self.scale(self.y) * 0.7, self.zero, **fields)

    def _pool(self) -> int:
        code = ("MAX_POOL_2D", "AVERAGE_POOL_2D")[self.pick(0, 2)]
        return self.file.pool(code, self.y, **self._window(), activation=self.pick(0, 4))

    def _pad(self) -> int:
        amounts = [[0, 0], *([self.pick(0, 3), self.pick(0, 2)] for _ in range(2)), [0, 0]]
        pairs = zip(self.file.shape(self.y), amounts, strict=True)
        shape = tuple(size + sum(around) for size, around in pairs)
        y = self.file.like(self.y, shape)
        return self.file.operator("PAD", [self.y, self.file.constant(amounts)], y, "PadOptions")

    def _join(self) -> int:
        *outer, channels = self.file.shape(self.y)
        y = self.file.like(self.y, (*outer, 2 * channels))
        other = self.file.operator("RELU6", [self.y], self.file.like(self.y))
        return self.file.operator(
            "CONCATENATION", [other, self.y], y, "ConcatenationOptions", Axis=3
        )

    def _transpose(self) -> int:
        order = [0, *(1 + self.file.random.permutation(3))]
        y = self.file.like(self.y, tuple(self.file.shape(self.y)[i] for i in order))
        return self.file.operator("TRANSPOSE", [self.y, self.file.constant(order)], y)

    def _softmax(self) -> int:
        return self.file.softmax(self.y, float(self.file.random.choice([0.5, 1.0])))

    def finish(self) -> bytes:
        """The end: averaged or flattened, classified, perhaps as probabilities, in some type."""
        y = self.y
        if self.pick(0, 2):
            y = self.file.mean(y, [1, 2], self.scale(y), self.zero)
        y = self.file.dense(y, self.pick(2, 6), per_channel=bool(self.pick(0, 2)), zero=self.zero)
        if self.pick(0, 3) == 0:
            y = self.file.softmax(y)
        kind = ("INT8", "UINT8", "FLOAT32")[self.pick(0, 3)]
        if kind == "UINT8":
            zero = (self.file.tensors[y].zero or [0])[0]
            end = self.file.tensor(self.file.shape(y), self.scale(y), zero + 128, type=kind)
            y = self.file.operator("QUANTIZE", [y], end)
        elif kind == "FLOAT32":
            end = self.file.tensor(self.file.shape(y), type=kind)
            y = self.file.operator("DEQUANTIZE", [y], end)
        return self.file.finish(y)


def random_file(seed: int) -> bytes:
    """A network of 2 to 9 operators between its two ends."""
    builder = RandomFile(seed)
    for _ in range(builder.pick(2, 10)):
        builder.grow()
    return builder.finish()
