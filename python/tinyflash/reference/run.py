"""Interprets graphs: one inference, or one training step in place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Array, Graph, Node
from tinyflash.program import Factor
from tinyflash.reference.arith import Ints, ints
from tinyflash.reference.environment import Environment
from tinyflash.reference.operators import OPERATORS
from tinyflash.reference.scales import Scale
from tinyflash.runtime.session import Counters, Int8Array, Outcome


class Machine:
    """A graph with its memory. exponents: the initial ones of gradients, by tensor name."""

    def __init__(
        self, graph: Graph, seed: int = 0, exponents: Mapping[str, int] | None = None
    ) -> None:
        self.graph = graph
        self.environment = Environment(graph, seed)
        for name, exponent in (exponents or {}).items():
            self.environment.scales[name].exponent = exponent

    def infer(self, x: npt.ArrayLike) -> Int8Array:
        """Returns the stored output, flat."""
        output = self.graph.output.tensor
        self.run(_ancestors(self.graph, output), x)
        return self.values[output].astype(np.int8).ravel()

    def train_step(self, x: npt.ArrayLike, label: int, rate: Factor) -> Outcome:
        """Runs one training step on one sample: every node of the graph, in order."""
        env = self.environment
        env.label, env.rate = label, rate
        self.run(self.graph.nodes, x)
        return Outcome(env.predicted, env.probability / 2**15, env.error)

    def train_on_target(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: Factor) -> Outcome:
        """The same if the loss compares the output with a target, in stored integers."""
        name = self.graph.target
        self.values[name] = ints(target).reshape(self.graph.tensors[name].shape)
        return self.train_step(x, 0, rate)

    def run(self, nodes: tuple[Node, ...], x: npt.ArrayLike) -> None:
        """Runs some nodes of the graph, in order, on a stored sample of any shape."""
        name = self.graph.input.tensor
        self.values[name] = ints(x).reshape(self.graph.tensors[name].shape)
        for node in nodes:
            OPERATORS[node.op](self.environment, node)

    @property
    def values(self) -> dict[str, Ints]:
        """Every tensor computed so far, by name, as int64."""
        return self.environment.values

    @property
    def scales(self) -> dict[str, Scale]:
        """The scales by gradient tensor. A reshaped gradient has the scale of its source."""
        return self.environment.scales

    @property
    def weights(self) -> dict[str, Array]:
        """The stored trained tensors, by name."""
        tensors = [t for t in self.graph.tensors.values() if t.kind == "trainable"]
        return {t.name: self.values[t.name].astype(t.dtype) for t in tensors}

    def counters(self) -> Counters:
        """The counters since the start."""
        env = self.environment
        scales = env.scale_list
        return Counters(
            step=env.step,
            weights_saturated=env.weights_saturated,
            updates_skipped=env.updates_skipped,
            exponents=tuple(s.exponent for s in scales),
            gradients_saturated=tuple(s.saturated for s in scales),
        )


def _ancestors(graph: Graph, tensor: str) -> tuple[Node, ...]:
    """Returns the nodes that a tensor depends on, in order."""
    wanted, nodes = {tensor}, []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs.values()):
            wanted.update(node.inputs.values())
            nodes.append(node)
    return tuple(reversed(nodes))
