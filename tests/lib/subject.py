"""A small training graph whose nodes become kernel cases, on data of a chosen kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from tests.lib.case import Case, capture
from tests.support.graphs import Layer, Net, same, sample

from tinyflash.compiler.passes.descend import descend
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.sparsify import sparsify
from tinyflash.graph import Clip, Graph, Node, Taken, Tensor
from tinyflash.layers import in_channels, out_channels
from tinyflash.program import Factor
from tinyflash.reference.environment import LAYERS, Environment
from tinyflash.reference.operators import OPERATORS
from tinyflash.reference.scales import COUNTER_MAX, EXPONENT_MAX, EXPONENT_MIN, GAIN_MAX, GAIN_MIN
from tinyflash.scheme import LayerUpdate
from tinyflash.scheme.loss import CROSS_ENTROPY, Loss
from tinyflash.scheme.optimizer import PLAIN as SGD
from tinyflash.scheme.optimizer import Optimizer

Shape = tuple[int, int, int]
Build = Callable[[Net, str], str]
SOURCE = Layer(zero=-20, clip=Clip(-100, 127))
RATE = Factor(41943, -21)  # 0.02
PEAKS = (0, 1, 7, 15, 16, 31, 32, 63, 64, 126, 127, 128, 5000, 2**31 - 1)


@dataclass(frozen=True)
class Data:
    """What fills the tensors, and the exponents. `fill`: random, extreme (+-127), largest
    (127), or zero; `spread`: how far the exponents of gradients that are read are apart at most."""

    fill: str = "random"
    e_dy: int = -9
    e_dx: int | None = None  # None: such that a few elements saturate
    rate: Factor = RATE
    spread: int = 2

    def __str__(self) -> str:
        rate = f"rate {self.rate.mantissa}*2^{self.rate.exponent}"
        return f"{self.fill}, exponents {self.e_dy} to {self.e_dx}, {rate}"

    def values(self, rng: np.random.Generator, shape: tuple[int, ...], low: int) -> np.ndarray:
        """int64 values in [low, 127]."""
        if self.fill == "zero":
            return np.zeros(shape, dtype=np.int64)
        if self.fill == "largest":
            return np.full(shape, 127, dtype=np.int64)
        if self.fill == "extreme":
            return rng.choice([low, 127], shape)
        return rng.integers(low, 128, shape)


PLAIN = Data()


@dataclass(frozen=True)
class Subject:
    """`layer`: name of the node whose own and derived nodes are captured; "": all nodes."""

    title: str
    graph: Graph
    layer: str
    rng: np.random.Generator

    def cases(self, data: Data = PLAIN, *ops: str) -> Iterator[Case]:
        """A case for each captured node whose operator is in `ops`, or for all of them."""
        env = self.environment(data)
        for node in self.graph.nodes:
            chosen = self.layer in ("", node.name, node.layer) and (not ops or node.op in ops)
            if chosen and "reshape" not in node.op:
                self.disturb(env, node, data)
                yield capture(env, node, f"{node.op} {node.name}, {self.title}: {data}")

    def environment(self, data: Data) -> Environment:
        """The memory after a forward pass; the chosen layer's input filled anew."""
        env = Environment(self.graph, seed=int(self.rng.integers(2**32)))
        env.step, env.rate = int(self.rng.choice([0, 7, 2**32 - 1])), data.rate
        env.label = int(self.rng.integers(self.graph.tensors[self.graph.logits].size))
        env.weights_saturated = int(self.rng.choice([0, COUNTER_MAX - 1]))
        env.values[self.graph.input.tensor] = sample(self.graph, self.rng).astype(np.int64)
        if self.graph.target:
            shape = self.graph.tensors[self.graph.target].shape
            env.values[self.graph.target] = data.values(self.rng, shape, -128)
        for node in self.graph.nodes:
            if node.op in LAYERS and data.fill != "random":
                self._fill(env, node, ("w", "w_frozen"), data, -127)
            if node.name == self.layer and data.fill != "random":
                self._fill(env, node, ("x", "a", "b"), data, -128)
            if node.operator.stage == "loss":
                return env
            OPERATORS[node.op](env, node)
        raise AssertionError("a training graph has a loss")

    def _fill(
        self, env: Environment, node: Node, roles: tuple[str, ...], data: Data, low: int
    ) -> None:
        for role in roles:
            tensor = self.graph.tensors.get(node.inputs.get(role, ""))
            if tensor is not None and tensor.dtype == "int8":
                env.values[tensor.name] = data.values(self.rng, tensor.shape, low)

    def disturb(self, env: Environment, node: Node, data: Data) -> None:
        """Gradients to read, their exponents, and the scale of the gradient to write."""
        for name in node.inputs.values():
            tensor = self.graph.tensors[name]
            if tensor.kind == "trainable":
                self._disturb_trained(env, tensor, data)
            if tensor.kind == "gradient":
                env.values[name] = data.values(self.rng, tensor.shape, -127)
                room = data.e_dy < EXPONENT_MAX - data.spread
                wobble = int(self.rng.integers(data.spread + 1)) if room else 0
                env.scales[name].exponent = data.e_dy + wobble
                env.scales[name].clipped = int(self.rng.choice([0, 1, 2, 2**16 - 1]))
        if node.op == "advance":
            self._disturb_scales(env)
        elif "dx" in node.outputs:
            scale = env.scales[node.outputs["dx"]]
            scale.exponent = settled(env, node) if data.e_dx is None else data.e_dx
            scale.peak = int(self.rng.choice([0, 30, 2**31 - 1]))
            scale.saturated = int(self.rng.choice([0, COUNTER_MAX - 1]))

    def _disturb_trained(self, env: Environment, tensor: Tensor, data: Data) -> None:
        """What a rule remembers, anywhere in its range. Of a map's channels: in any unit."""
        if tensor.name.startswith("fisher_") and data.fill != "zero":
            values = self.rng.integers(0, 2**31, tensor.shape) >> self.rng.integers(0, 31)
            last = data.fill == "extreme"  # of all units, and what only a wrong file has
            values[0] = 2000 if last and self.rng.integers(2) else self.rng.integers(0, 256)
            env.values[tensor.name] = values
        if tensor.name.endswith(("_velocity", "_low")) and data.fill != "zero":
            bound = 2**31 - 1 - 2**16 if tensor.dtype == "int32" else 2**15 - 1
            low, high = (0, 255) if tensor.dtype == "uint8" else (-bound, bound)
            values = self.rng.integers(low, high + 1, tensor.shape)
            if data.fill == "extreme":
                values = self.rng.choice([low, high], tensor.shape)
            env.values[tensor.name] = values.astype(np.int64)

    def _disturb_scales(self, env: Environment) -> None:
        for scale in env.scale_list:
            scale.peak = int(self.rng.choice(PEAKS))
            scale.gain = int(self.rng.choice([GAIN_MIN, -6, GAIN_MAX]))
            scale.exponent = int(self.rng.choice([EXPONENT_MIN, -12, EXPONENT_MAX]))


def settled(env: Environment, node: Node) -> int:
    """The exponent of dx at which the largest elements are about to saturate."""
    scale = env.scales[node.outputs["dx"]]
    for exponent in range(EXPONENT_MAX, EXPONENT_MIN, -1):
        scale.exponent, scale.peak = exponent, 0
        OPERATORS[node.op](env, node)
        if scale.peak >= 100:
            return exponent
    return EXPONENT_MIN


def subject(
    title: str,
    build: Build,
    shape: Shape,
    kept: int | None = None,
    loss: Loss = CROSS_ENTROPY,
    optimizer: Optimizer = SGD,
    source: Layer = SOURCE,
    judged: bool = False,
) -> Subject:
    """What `build` adds last, behind a masked layer, `source`, that makes its input of `shape`.
    `kept`: the channels of it that are trained, all by default. judged: so are its channels."""
    net = Net(np.random.default_rng(hash_of(title)))
    x = net.conv2d(net.input((*shape[:2], 2)), shape[2], same(shape, 1), source)
    graph = net.graph(build(net, x))
    maps = (graph.nodes[-1].outputs["y"],) if judged else ()
    full = differentiate(graph, int(net.rng.integers(7)), loss, maps)
    reached = {n.layer for n in full.nodes if n.op.endswith("_update")}
    updates = {
        n.name: _update(graph, n, kept if n is graph.nodes[-1] else None)
        for n in graph.nodes
        if n.name in reached
    }
    trained = descend(sparsify(full, updates), optimizer, updates)
    return Subject(title, trained, graph.nodes[-1].name, net.rng)


def numbered(subject: Subject) -> Subject:
    """The same layers with output channels that have other numbers in the source model."""
    graph = subject.graph
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        if node.op in LAYERS:
            start, out = 0, out_channels(graph, node)
            rows = tuple(int(i) for i in subject.rng.permutation(2 * out + 300)[:out])
            for role in ("w", "w_frozen", "b"):
                tensor = tensors.get(node.inputs.get(role, ""))
                if tensor is None:
                    continue
                taken = rows
                if node.op == "depthwise" and role != "b":  # its parts are of different channels
                    taken = rows[start : start + tensor.shape[-1]]
                    start += tensor.shape[-1]
                tensors[tensor.name] = replace(tensor, taken=Taken(taken))
    title = f"{subject.title}, numbered otherwise"
    return replace(subject, title=title, graph=replace(graph, tensors=tensors))


def _update(graph: Graph, node: Node, kept: int | None) -> LayerUpdate:
    channels = in_channels(graph, node)
    kept = channels if kept is None else min(kept, channels)
    return LayerUpdate(kept, channels, bias=True, weight_rate=1.5, bias_rate=0.7)


def hash_of(text: str) -> int:
    """A seed that is the same in every run."""
    return int.from_bytes(text.encode(), "little") % (2**61 - 1)
