"""Random chains of layers, and the order that streams all that can be."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from tests.support.graphs import Net

from tinyflash.compiler.plan.calls import Order, whole
from tinyflash.compiler.plan.rows import rows
from tinyflash.compiler.plan.stream import stream
from tinyflash.graph import Clip, Graph, Window


def streamed_throughout(graph: Graph) -> Order:
    """Streams every chain of nodes that can be cut, whether it pays or not."""
    found = [rows(graph, node) for node in graph.nodes]
    calls, rings = [], {}
    for cut, run in groupby(range(len(found)), key=lambda i: found[i].cut):
        nodes = list(run)
        if cut:
            result = stream(graph, range(nodes[0], nodes[-1] + 1), found)
            calls += result.calls
            rings.update(result.rings)
        else:
            calls += [whole(graph).calls[i] for i in nodes]
    return Order(tuple(calls), rings)


class Chain:
    """A random chain of layers that slide over rows, with a sum that jumps over some of them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = Net(self.rng)
        height, width = self.pick(4, 33), self.pick(1, 13)
        self.x = self.net.input((height, width, self.pick(1, 5)), zero=self.pick(-20, 20))
        for _ in range(self.pick(2, 8)):
            self.grow()

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.net.tensors[self.x].shape

    def window(self, largest: int) -> Window:
        """Kernel 1 to `largest`, stride 1 or 2, any padding below the kernel."""
        height, width, _ = self.shape
        kernel = (self.pick(1, largest + 1), self.pick(1, min(largest, width + 2) + 1))
        padding = tuple(self.pick(0, kernel[i % 2]) for i in range(4))
        fits = height + padding[0] + padding[2] >= kernel[0]
        fits = fits and width + padding[1] + padding[3] >= kernel[1]
        stride = (self.pick(1, 3), self.pick(1, 3))
        return Window(kernel, stride, (1, 1), padding) if fits else Window((1, 1))

    def grow(self) -> None:
        channels = self.pick(1, 97) if self.pick(0, 3) == 0 else self.pick(1, 9)
        choice = self.pick(0, 6)
        if choice == 0:
            self.x = self.net.conv2d(self.x, channels, Window((1, 1)))
        elif choice == 1:
            self.x = self.net.conv2d(self.x, min(channels, 8), self.window(7))
        elif choice in (2, 3):
            self.x = self.net.depthwise(self.x, self.window(7))
        elif choice == 4:
            op = ("average_pool", "max_pool")[self.pick(0, 2)]
            self.x = self.net.pool(op, self.x, self.window(3), Clip(-100, 100))
        else:
            self.residual()

    def residual(self) -> None:
        """Pointwise, depthwise of the same size, pointwise, and the sum with where it began."""
        before, (_, _, channels) = self.x, self.shape
        inner = self.net.conv2d(before, 2 * channels, Window((1, 1)))
        kernel = 2 * self.pick(0, 4) + 1
        pad = kernel // 2
        slid = self.net.depthwise(inner, Window((kernel,) * 2, (1, 1), (1, 1), (pad,) * 4))
        self.x = self.net.add(before, self.net.conv2d(slid, channels, Window((1, 1))))

    def graph(self) -> Graph:
        pooled = self.net.mean(self.x, (0, 1))
        return self.net.graph(self.net.fully_connected(pooled, 3))
