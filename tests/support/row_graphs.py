"""Random networks of maps with many rows, by seed: chains and branches of what goes by rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from tests.support.graphs import Layer, Net, slid
from tests.support.random_graphs import NEWER, random_steps

from tinyflash.graph import Clip, Graph, Window
from tinyflash.layers import groups_of
from tinyflash.reference.environment import LAYERS
from tinyflash.scheme import Rule, Scheme


@dataclass
class RowNet:
    """Adds operators to a net; `x` is the current map."""

    rng: np.random.Generator
    newer: bool = False
    net: Net = field(init=False)
    x: str = field(init=False)

    def __post_init__(self) -> None:
        self.net = Net(self.rng)
        self.x = self.net.input((self.pick(5, 36), self.pick(3, 12), self.channels()))

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def channels(self) -> int:
        return self.pick(1, 97) if self.pick(0, 8) == 0 else self.pick(1, 9)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.net.tensors[self.x].shape

    def layer(self) -> Layer:
        clip = Clip(self.pick(-128, -60), self.pick(80, 128)) if self.pick(0, 2) else Clip()
        return Layer(zero=self.pick(-30, 31), clip=clip)

    def window(self, largest: int = 7) -> Window:
        """Any window that fits the current map; padding is less than the kernel."""
        while True:
            kernel = (self.pick(1, largest + 1), self.pick(1, largest + 1))
            dilation = (self.pick(1, 3), self.pick(1, 3)) if self.pick(0, 3) == 0 else (1, 1)
            pads = [self.pick(0, kernel[i % 2]) for i in range(4)]
            stride = (self.pick(1, 3), self.pick(1, 3)) if self.pick(0, 2) else (1, 1)
            window = Window(kernel, stride, dilation, (pads[0], pads[1], pads[2], pads[3]))
            if min(slid(self.shape, window)) >= 1:
                return window

    def grow(self) -> None:
        """One more operator, or a branch that comes back."""
        choices: tuple[Callable[[], None], ...] = (
            *(self._conv2d, self._grouped, self._depthwise, self._pointwise, self._residual),
            *(self._pool, self._pad, self._function, self._join, self._product, self._softmax),
        )
        choices += (self._minimum, self._take, self._sub, self._prelu) * self.newer
        choices[self.pick(0, len(choices))]()

    def _conv2d(self) -> None:
        self.x = self.net.conv2d(self.x, self.channels(), self.window(), self.layer())

    def _grouped(self) -> None:
        channels = self.shape[2]
        groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        out = groups * self.pick(1, 3)
        self.x = self.net.conv2d(self.x, out, self.window(3), self.layer(), groups)

    def _depthwise(self) -> None:
        multiplier = self.pick(1, 3) if self.shape[2] < 20 else 1
        self.x = self.net.depthwise(self.x, self.window(), self.layer(), multiplier)

    def _pointwise(self) -> None:
        self.x = self.net.conv2d(self.x, self.channels(), Window((1, 1)), self.layer())

    def _branch(self) -> str:
        """A map of the same shape, some rows of lookahead away."""
        kernel = 2 * self.pick(0, 3) + 1
        pad = kernel // 2
        window = Window((kernel, kernel), padding=(pad, pad, pad, pad))
        y = self.net.depthwise(self.x, window, self.layer())
        return self.net.conv2d(y, self.shape[2], Window((1, 1)), self.layer())

    def _residual(self) -> None:
        a = self._branch() if self.pick(0, 2) else self.x
        self.x = self.net.add(a, self._branch())

    def _sub(self) -> None:
        other = self._branch() if self.pick(0, 2) else self.net.row(self.x)
        self.x = self.net.sub(self.x, other)

    def _prelu(self) -> None:
        self.x = self.net.prelu(self.x, self.pick(1, 4))

    def _product(self) -> None:
        self.x = self.net.mul(self.x, self._branch())

    def _minimum(self) -> None:
        op = ("maximum", "minimum")[self.pick(0, 2)]
        self.x = self.net.minimum(self.x, self._branch(), op)

    def _take(self) -> None:
        """A slice, or some places repeated, but not a map that grows without end."""
        taken = [random_steps(self.rng, size) for size in self.shape]
        shape = tuple(count for _, count in taken)
        if 4 <= int(np.prod(shape)) < 4000:
            self.x = self.net.take(self.x, shape, *(steps for steps, _ in taken))

    def _join(self) -> None:
        self.x = self.net.concatenate([self._branch(), self.x], axis=2)

    def _pool(self) -> None:
        window = replace(self.window(4), dilation=(1, 1))
        op = ("average_pool", "max_pool")[self.pick(0, 2)]
        self.x = self.net.pool(op, self.x, window, self.layer().clip)

    def _pad(self) -> None:
        before = self.pick(0, 3), self.pick(0, 3), self.pick(0, 2)
        self.x = self.net.pad(self.x, before, (self.pick(0, 3), self.pick(0, 2), 0))

    def _function(self) -> None:
        name = ("relu", "logistic", "tanh")[self.pick(0, 3)]
        self.x = self.net.function(self.x, name)

    def _softmax(self) -> None:
        self.x = self.net.softmax(self.x)


def row_graph(seed: int) -> tuple[Graph, Scheme]:
    """A network of 3 to 8 steps that ends in a few classes, and what of it is trained."""
    rng = np.random.default_rng(seed)
    net = RowNet(rng, newer=seed >= NEWER)
    for _ in range(net.pick(3, 9)):
        net.grow()
    pooled = net.net.mean(net.x, (0, 1))
    graph = net.net.graph(net.net.fully_connected(pooled, net.pick(2, 6)))
    layers = [n for n in graph.nodes if n.op in LAYERS]
    trained = {
        n.name: float(rng.choice([0.0, 1.0] + [0.3, 0.6] * (groups_of(n) == 1))) for n in layers
    }
    trained[layers[-1].name] = 1.0
    rules = (Rule(layers=(n,), weights=r, bias=r > 0.5) for n, r in trained.items())
    return graph, Scheme(tuple(rules))
