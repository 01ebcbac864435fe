"""Random subjects of kernel cases: layers and sums of any shape and any coding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from tests.lib.cases import OPTIMIZERS, conv2d, depthwise, fully_connected
from tests.lib.subject import Build, Shape, Subject, numbered, subject
from tests.support.graphs import Layer, Net, slid

from tinyflash.graph import Clip, Window

T = TypeVar("T")

ENDS = (-128, -127, -1, 0, 1, 126, 127)
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 19)
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 21)
GAINS = (1.0, 1.0, 1.0, 0.01, 30.0, 1e5)  # the last two shift to the left
RATIOS = (0.7, 1.0, 1.6, 2.5, 7.0, 20.0, 1e-3, 1e4, 1e-11, 1e11)  # of the scales of a sum


class Draw:
    """What a random subject is made of."""

    def __init__(self, seed: str) -> None:
        self.rng = Random(seed)
        self.unit = 1  # channels are trained in multiples of it

    def number(self, low: int, high: int) -> int:
        """One of [low, high]."""
        return self.rng.randint(low, high)

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
    shape, multiplier = draw.shape(), draw.one_of(1, 1, 1, 1, 1, 2)
    window = draw.window(shape, draw.one_of(3, 5, 7, 8), draw.one_of(1, 1, 1, 1, 2))
    draw.unit = multiplier
    return depthwise(window, draw.layer(shape[2]), multiplier), shape


def _fully_connected(draw: Draw) -> tuple[Build, Shape]:
    out, height = draw.one_of(*CHANNELS, 33, 70), draw.one_of(*WIDTHS)
    shape = (height, draw.number(1, 5), draw.one_of(*CHANNELS, 33, 70))
    if draw.number(0, 2) == 0:  # one position or two
        shape = (draw.number(1, 2), 1, draw.number(1, 170))
    return fully_connected(draw.layer(out), out), shape


def _sum(draw: Draw) -> tuple[Build, Shape]:
    """Of a map and one that is made of it, at any ratio of their scales; some a difference, and
    some of a map and one row."""
    shape, gain, zero = draw.shape(), draw.one_of(*RATIOS), draw.zero()
    other, clip, kind = draw.zero(), draw.clip(), draw.number(0, 9)

    def build(net: Net, x: str) -> str:
        made = net.conv2d(x, shape[2], Window((1, 1)), Layer(zero=other, gain=gain))
        if kind < 2:
            return (net.add, net.sub)[kind](x, net.row(made), zero=zero, clip=clip)
        a, b = (x, made) if kind % 2 else (made, x)
        return (net.sub if kind < 4 else net.add)(a, b, zero=zero, clip=clip)

    return build, shape


def _residual(draw: Draw) -> tuple[Build, Shape]:
    """Tensors with several readers, and clipped sums: masks, and sums of gradients."""
    shape, clip, other = draw.shape(), draw.clip(), draw.clip()

    def build(net: Net, x: str) -> str:
        a = net.conv2d(x, shape[2], Window((1, 1)), Layer(clip=other))
        b = net.add(net.add(x, a), x, clip=clip)
        return net.add(b, a)

    return build, shape


def _bias(draw: Draw) -> tuple[Build, Shape]:
    return draw.one_of(_fully_connected, _depthwise)(draw)


def _product(draw: Draw) -> tuple[Build, Shape]:
    """Of two maps, of a map and itself, or of a map and one row, at many ratios of scales."""
    shape, gain, kind = draw.shape(), draw.one_of(1e-3, 0.1, 1.0, 1.0, 1.0, 40.0), draw.number(0, 4)
    layer = Layer(zero=draw.zero(), gain=gain)
    zero, clip = draw.zero(), draw.clip()

    def build(net: Net, x: str) -> str:
        b = x
        if kind > 1:
            b = net.fully_connected(net.mean(x, (0, 1)), shape[2], layer)
        elif kind:
            b = net.conv2d(x, shape[2], Window((1, 1)), layer)
        return net.mul(x, b, zero=zero, clip=clip)

    return build, shape


def _mean(draw: Draw) -> tuple[Build, Shape]:
    axes, zero = draw.one_of((0, 1), (0, 1), (0,), (1,), (2,), (1, 2), (0, 1, 2)), draw.zero()
    shape = draw.one_of(draw.shape(), (*draw.shape()[:2], 67), (24, 24, draw.number(1, 9)))
    return lambda net, x: net.mean(x, axes, zero=zero), shape


def _lookup(draw: Draw) -> tuple[Build, Shape]:
    name, zero = draw.one_of("tanh", "logistic", "relu", "hard_swish", "gelu"), draw.zero()
    return lambda net, x: net.function(x, name, zero=zero), draw.shape()


def _pool(draw: Draw, op: str) -> tuple[Build, Shape]:
    """Windows each of which covers a position of the map; some cover all of it."""
    shape = draw.shape()
    kernel = draw.one_of(shape[:2], (draw.number(1, 5), draw.number(1, 5)), (2, 2), (3, 3))
    strides = draw.one_of((draw.number(1, 3), draw.number(1, 3)), kernel)
    top, left, bottom, right = (draw.number(0, min(kernel[i % 2], 6) - 1) for i in range(4))
    window = Window(kernel, strides, (1, 1), draw.one_of((0, 0, 0, 0), (top, left, bottom, right)))
    clip = draw.clip()
    if min(slid(shape, window)) < 1:
        window = Window((1, 1))
    return lambda net, x: net.pool(op, x, window, clip), shape


def _average_pool(draw: Draw) -> tuple[Build, Shape]:
    return _pool(draw, "average_pool")


def _max_pool(draw: Draw) -> tuple[Build, Shape]:
    return _pool(draw, "max_pool")


@dataclass(frozen=True)
class Family:
    """How to draw a subject that has nodes for some kernels. `whole`: the nodes are not of one
    layer alone."""

    draw: Callable[[Draw], tuple[Build, Shape]]
    kernels: tuple[str, ...]  # the beginnings of their names
    whole: bool = False


FAMILIES = {
    "conv2d": Family(_conv2d, ("conv2d_",)),
    "depthwise": Family(_depthwise, ("depthwise_",)),
    "fully_connected": Family(_fully_connected, ("fully_connected_",)),
    "bias": Family(_bias, ("bias_",)),
    "add": Family(_sum, ("add_",)),
    "residual": Family(_residual, ("gradient_add", "mask_"), whole=True),
    "mul": Family(_product, ("mul_",)),
    "mean": Family(_mean, ("mean_",)),
    "lookup": Family(_lookup, ("lookup_",)),
    "average_pool": Family(_average_pool, ("average_pool_",)),
    "max_pool": Family(_max_pool, ("max_pool_",)),
}


def random_subject(family: Family, draw: Draw, title: str) -> Subject:
    """One layer or sum; the same one for the same state of `draw` and title."""
    build, shape = family.draw(draw)
    kept = draw.one_of(0, shape[2], draw.number(0, shape[2])) * draw.unit
    optimizer = OPTIMIZERS[draw.one_of(*OPTIMIZERS)]
    source = Layer(zero=draw.zero(), clip=draw.one_of(Clip(), Clip(-100, 127)))
    one = subject(title, build, shape, kept, optimizer=optimizer, source=source)
    if draw.number(0, 3) == 0:
        one = numbered(one)
    return replace(one, layer="") if family.whole else one
