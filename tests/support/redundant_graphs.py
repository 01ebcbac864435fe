"""Random networks full of operators that do nothing, undo each other, or repeat each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.support.graphs import WHOLE
from tests.support.random_graphs import RandomNet

from tinyflash.graph import Clip, Graph, LookupAttrs, Quant, Window
from tinyflash.scheme import Scheme, parse_scheme

ALL = parse_scheme("[[update]]\nweights = 1\nbias = true")
HALF = parse_scheme("[[update]]\nweights = 0.5\nbias = true")


@dataclass
class RedundantNet(RandomNet):
    """Adds, between the operators of a random net, some that a compiler should remove."""

    def grow(self) -> None:
        super().grow()
        choices = (
            *(self._turn, self._reshape, self._pad_nothing, self._join_alone, self._pool_points),
            *(self._table, self._clip, self._pad_twice, self._repeat, self._compute_constant),
        )
        choices[self.pick(0, len(choices))]()

    def _turn(self) -> None:
        order = tuple(int(i) for i in self.rng.permutation(3))
        back = tuple(int(i) for i in np.argsort(order))
        self.maps.append(self.net.transpose(self.net.transpose(self.x, order), back))

    def _reshape(self) -> None:
        shape, size = self.shape, self.net.tensors[self.x].size
        self.maps.append(self.net.reshape(self.net.reshape(self.x, (size, 1, 1)), shape))

    def _pad_nothing(self) -> None:
        self.maps.append(self.net.pad(self.x, (0, 0, 0), (0, 0, 0)))

    def _pad_twice(self) -> None:
        """Before a layer that pads as well."""
        padded = self.net.pad(self.net.pad(self.x, (1, 0, 0), (0, 0, 0)), (0, 1, 0), (1, 0, 0))
        window = Window((4, 3), padding=(0, 1, 1, 1))
        self.maps.append(self.net.conv2d(padded, self.pick(1, 5), window, self.layer()))

    def _join_alone(self) -> None:
        self.maps.append(self.net.concatenate([self.x], self.pick(0, 3)))

    def _pool_points(self) -> None:
        op = str(self.rng.choice(["average_pool", "max_pool"]))
        self.maps.append(self.net.pool(op, self.x, Window((1, 1))))

    def _table(self, clip: Clip = WHOLE) -> None:
        """A requantization to the same scale, and bounds."""
        table = np.clip(np.arange(256, dtype=np.uint8).view(np.int8), clip.low, clip.high)
        self.maps.append(self.net.table(self.x, table.astype(np.int8), LookupAttrs("quantize")))

    def _clip(self) -> None:
        self._table(Clip(self.pick(-128, -40), self.pick(60, 128)))

    def _repeat(self) -> None:
        """The same function twice, and what both feed."""
        a, b = self.net.function(self.x, "hard_swish"), self.net.function(self.x, "hard_swish")
        self.maps.append(self.net.add(a, b))

    def _compute_constant(self) -> None:
        shape, quant = self.shape, self.net.tensors[self.x].quant
        assert quant is not None
        data = [self.rng.integers(-128, 128, shape).astype(np.int8) for _ in range(2)]
        a, b = (self.net.constant(d, Quant(quant.scale, 3), span=1.0) for d in data)
        self.maps.append(self.net.add(self.x, self.net.function(self.net.add(a, b), "tanh")))


def redundant_graph(seed: int) -> tuple[Graph, Scheme]:
    """A network of 4 to 14 operators, and a scheme that trains all of it, or half."""
    builder = RedundantNet(np.random.default_rng([seed, 7]))
    for _ in range(builder.pick(2, 6)):
        builder.grow()
    graph = builder.net.graph(builder.classify(builder.pick(2, 6)), f"redundant_{seed}")
    grouped = any(getattr(node.attrs, "groups", 1) > 1 for node in graph.nodes)
    return graph, ALL if grouped or seed % 2 else HALF
