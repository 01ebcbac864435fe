"""The kernel cases: every kernel over shapes, extremes of data, and exponents at their ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tinyflash.graph import Clip, Graph, Node, Window
from tinyflash.passes.differentiate import differentiate
from tinyflash.passes.layers import in_channels
from tinyflash.passes.scheme import LayerUpdate
from tinyflash.passes.sparsify import sparsify
from tinyflash.program import Factor
from tinyflash.reference.arith import factor_of
from tinyflash.reference.environment import LAYERS, Environment
from tinyflash.reference.operators import OPERATORS

from tests.agree.graphs import Layer, Net, same, sample
from tests.agree.shapes import LAYERS_UNDER_TEST, POOLS, WINDOWS
from tests.lib.case import Case, capture

Shape = tuple[int, ...]
Build = Callable[[Net, str], str]


@dataclass(frozen=True)
class Data:
    """What fills the tensors, and the exponents. `fill`: random, extreme (+-127), or zero."""

    fill: str = "random"
    e_dy: int = -9
    e_dx: int | None = None  # None: such that a few elements saturate
    rate: Factor = factor_of(0.02)  # noqa: RUF009

    def name(self) -> str:
        return f"{self.fill}, e {self.e_dy} to {self.e_dx}, rate {self.rate.exponent}"


DATA = (
    Data("extreme"),
    Data("zero"),
    Data(e_dx=-40),
    Data(e_dy=15, e_dx=-40, rate=Factor(65535, 200)),
    Data(e_dy=-40, e_dx=15, rate=Factor(32768, -200)),
    Data(rate=Factor(0, 0)),
    Data("extreme", rate=Factor(65535, 4)),
)


def filled(rng: np.random.Generator, shape: Shape, fill: str, limit: int = 127) -> np.ndarray:
    """int64 values in [-limit, limit]."""
    if fill == "zero":
        return np.zeros(shape, dtype=np.int64)
    if fill == "extreme":
        return rng.choice([-limit, limit], shape)
    return rng.integers(-limit, limit + 1, shape)


@dataclass(frozen=True)
class Subject:
    """A training graph and the name of the layer whose nodes are captured."""

    graph: Graph
    layer: str
    rng: np.random.Generator
    title: str

    def nodes(self) -> Iterator[Node]:
        """The layer's own nodes, forward and derived."""
        return (n for n in self.graph.nodes if self.layer in (n.name, n.layer))

    def cases(self, data: Data, ops: tuple[str, ...] = ()) -> Iterator[Case]:
        """A case for each node of the layer whose operator is in `ops`, or for all."""
        env = self._environment(data)
        for node in self.nodes():
            if not ops or node.op in ops:
                self._disturb(env, node, data)
                yield capture(env, node, f"{node.op}, {self.title}; {data.name()}")

    def _environment(self, data: Data) -> Environment:
        """The memory after a forward pass."""
        env = Environment(self.graph, seed=int(self.rng.integers(2**32)))
        env.step, env.rate = int(self.rng.choice([0, 7, 2**32 - 1])), data.rate
        env.weights_saturated = int(self.rng.choice([0, 2**32 - 2]))
        layer = next(n for n in self.graph.nodes if n.name == self.layer)
        for role in ("w", "w_frozen"):
            if role in layer.inputs and data.fill != "random":
                name = layer.inputs[role]
                env.values[name] = filled(self.rng, env.values[name].shape, data.fill)
        env.values[self.graph.input.tensor] = sample(self.graph, self.rng).astype(np.int64)
        for node in self.graph.nodes:
            if node.op == "softmax_loss":
                break
            OPERATORS[node.op](env, node)
        if data.fill == "extreme":
            for name in layer.inputs.values():
                tensor = self.graph.tensors[name]
                if tensor.kind == "activation":
                    env.values[name] = self.rng.choice([-128, 127], tensor.shape)
        return env

    def _disturb(self, env: Environment, node: Node, data: Data) -> None:
        """Gradients to read, their exponents, and that of the gradient to write."""
        for name in node.inputs.values():
            if self.graph.tensors[name].kind == "gradient":
                shape = self.graph.tensors[name].shape
                env.values[name] = filled(self.rng, shape, data.fill)
                env.scales[name].exponent = data.e_dy + int(self.rng.integers(2)) * (data.e_dy < 0)
        if "dx" in node.outputs:
            scale = env.scales[node.outputs["dx"]]
            scale.exponent = settled(env, node) if data.e_dx is None else data.e_dx
            scale.peak = int(self.rng.choice([0, 30, 2**31 - 1]))
            scale.saturated = int(self.rng.choice([0, 2**32 - 2]))


def settled(env: Environment, node: Node) -> int:
    """The exponent of dx at which the largest elements just saturate."""
    scale = env.scales[node.outputs["dx"]]
    for exponent in range(15, -40, -1):
        scale.exponent, scale.peak = exponent, 0
        OPERATORS[node.op](env, node)
        if scale.peak >= 100:
            return exponent
    return -9


def subject(
    title: str,
    build: Build,
    shape: Shape,
    kept: int | None = None,
    seed: int = 1,
    source: Layer = Layer(zero=-20, clip=Clip(-100, 127)),
) -> Subject:  # noqa: B008
    """A layer behind a masked one that makes its input of `shape`; `kept` channels of it trained."""
    net = Net(np.random.default_rng(seed))
    x = net.conv2d(net.input((*shape[:2], 2)), shape[2], same(shape, 1), source)
    y = build(net, x)
    graph = net.graph(y)
    layer = graph.nodes[-1]
    full = differentiate(graph, headroom=int(net.rng.integers(7)))
    if layer.op in LAYERS:
        channels = in_channels(graph, layer)
        kept = channels if kept is None else min(kept, channels)
        if "multiplier" not in title:
            first = graph.nodes[0]
            updates = {
                layer.name: LayerUpdate(kept, channels, bias=True),
                first.name: LayerUpdate(2, 2, bias=False),
            }
            full = sparsify(full, updates)
    return Subject(full, layer.name, net.rng, title)
