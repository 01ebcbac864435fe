"""Random cases of the kernels that a set has: layers and sums of any shape and any coding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from tests.lib.bands import banded, overlapping
from tests.lib.case import Case
from tests.lib.cases import OPTIMIZERS, conv2d, depthwise, fully_connected
from tests.lib.subject import Build, Data, Shape, Subject, subject
from tests.support.graphs import Layer, Net, slid

from tinyflash.graph import Clip, Window
from tinyflash.program import Factor
from tinyflash.reference.scales import EXPONENT_MAX, EXPONENT_MIN

T = TypeVar("T")

ENDS = (-128, -127, -1, 0, 1, 126, 127)
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 19)
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 21)
GAINS = (
    1.0,
    1.0,
    1.0,
    0.01,
    30.0,
    1e5,
)  # shifts to the right, tiny multipliers, shifts to the left
FILLS = ("random", "random", "extreme", "zero")


class Draw:
    """What a random subject is made of."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        """One of [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices: T) -> T:
        return choices[self.number(0, len(choices) - 1)]

    def zero(self) -> int:
        return self.one_of(self.number(-128, 127), self.one_of(*ENDS))

    def clip(self) -> Clip:
        """None, usually; else any."""
        low, high = sorted((self.number(-128, 127), self.number(-128, 127)))
        return self.one_of(Clip(), Clip(), Clip(low, high), Clip(low, 127), Clip(-128, high))

    def layer(self, out: int) -> Layer:
        return Layer(
            spread=self.one_of(4.0, 100.0),
            dead=self.number(0, out - 1) if self.number(0, 3) == 0 else 0,
            bias=self.number(0, 3) > 0,
            zero=self.zero(),
            clip=self.clip(),
            per_tensor=self.number(0, 4) == 0,
            gain=self.one_of(*GAINS),
        )

    def data(self) -> Data:
        exponents = (self.number(-20, 0), self.number(-24, -2))
        if self.number(0, 4) == 0:
            ends = (EXPONENT_MIN, EXPONENT_MAX)
            exponents = (self.one_of(*ends, -9), self.one_of(*ends, -9))
        rate = Factor(self.number(32768, 65535), self.number(-24, -12))
        return Data(self.one_of(*FILLS), *exponents, rate)

    def shape(self) -> Shape:
        return self.one_of(*WIDTHS), self.one_of(*WIDTHS), self.one_of(*CHANNELS)

    def window(self, shape: Shape, kernels: int, dilations: int) -> Window:
        """One that fits the map, its padding included."""
        while True:
            kernel = (self.number(1, kernels), self.number(1, kernels))
            top, left, bottom, right = (self.number(0, kernel[i % 2] + 1) for i in range(4))
            strides = (self.number(1, 3), self.number(1, 3))
            dilation = (self.number(1, dilations), self.number(1, dilations))
            window = Window(kernel, strides, dilation, (top, left, bottom, right))
            if min(slid(shape, window)) > 0:
                return window


def _conv2d(draw: Draw) -> tuple[Build, Shape]:
    out, shape = draw.one_of(*CHANNELS), draw.shape()
    window = draw.window(shape, draw.one_of(1, 3, 3, 5, 9), draw.one_of(1, 1, 2))
    return conv2d(window, draw.layer(out), out), shape


def _depthwise(draw: Draw) -> tuple[Build, Shape]:
    shape = draw.shape()
    return depthwise(draw.window(shape, draw.one_of(3, 5, 7, 8), 1), draw.layer(shape[2])), shape


def _fully_connected(draw: Draw) -> tuple[Build, Shape]:
    out, height = draw.one_of(*CHANNELS, 33, 70), draw.one_of(*WIDTHS)
    shape = (height, draw.number(1, 5), draw.one_of(*CHANNELS, 33, 70))
    return fully_connected(draw.layer(out), out), shape


def _sum(draw: Draw) -> tuple[Build, Shape]:
    """Of a map and one that is made of it, at any ratio of their scales; some a difference, and
    some of a map and one row."""
    shape, gain, zero = draw.shape(), draw.one_of(0.7, 1.0, 1.6, 2.5, 7.0, 20.0), draw.zero()
    other, clip, kind = draw.zero(), draw.clip(), draw.number(0, 9)

    def build(net: Net, x: str) -> str:
        made = net.conv2d(x, shape[2], Window((1, 1)), Layer(zero=other, gain=gain))
        if kind < 2:
            return (net.add, net.sub)[kind](x, net.row(made), zero=zero, clip=clip)
        a, b = (x, made) if kind % 2 else (made, x)
        return (net.sub if kind < 4 else net.add)(a, b, zero=zero, clip=clip)

    return build, shape


FAMILIES: dict[str, Callable[[Draw], tuple[Build, Shape]]] = {
    "conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _sum,
}


def random_cases(kernel_set: str, kernel: str, count: int, seed: int) -> Iterator[Case]:
    """The first `count` cases that a kernel of a set computes; the same ones for a seed."""
    number = 0
    while count:
        for case in _cases(kernel, f"{seed}, {number}"):
            mine = case.by(kernel_set) if count and case.row.kernel == kernel else None
            if mine:
                yield mine
                count -= 1
        number += 1


def _cases(kernel: str, seed: str) -> Iterator[Case]:
    """Those of one random subject: whole maps, bands of rings, or outputs upon their inputs."""
    family = next(name for name in FAMILIES if kernel.startswith(name))
    draw = Draw(int.from_bytes(f"{kernel} {seed}".encode(), "little"))
    build, shape = FAMILIES[family](draw)
    one = _subject(draw, f"random {seed}", build, shape)
    if kernel.endswith("_forward") and draw.number(0, 2) == 0:
        yield from banded(one)
    elif draw.number(0, 3) == 0:
        yield from overlapping(one)
    else:
        yield from one.cases(draw.data(), family if kernel.endswith("_forward") else kernel)


def _subject(draw: Draw, title: str, build: Build, shape: Shape) -> Subject:
    kept = draw.one_of(0, shape[2], draw.number(0, shape[2]))
    optimizer = OPTIMIZERS[draw.one_of(*OPTIMIZERS)]
    source = Layer(zero=draw.zero(), clip=draw.one_of(Clip(), Clip(-100, 127)))
    one = subject(title, build, shape, kept, optimizer=optimizer, source=source)
    return replace(one, rng=draw.rng)
