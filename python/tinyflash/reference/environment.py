"""The memory of a running graph: tensors, scales of gradients, training state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tinyflash.graph import Graph, MeanAttrs, Node, Tensor, WindowAttrs
from tinyflash.program import Factor
from tinyflash.reference import constants
from tinyflash.reference.arith import Ints, ints
from tinyflash.reference.scales import COUNTER_MAX, Scale
from tinyflash.reference.windows import Sliding

NO_RATE = Factor(0, 0)
LAYERS = ("conv2d", "depthwise", "fully_connected")


@dataclass
class Environment:
    """The memory of a graph. `values` are int64 for every tensor type."""

    graph: Graph
    seed: int = 0
    step: int = 0
    label: int = 0
    rate: Factor = NO_RATE
    predicted: int = 0
    probability: int = 0  # Q15
    weights_saturated: int = 0
    updates_skipped: int = 0
    error: int = 0
    values: dict[str, Ints] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {t.name: ints(np.asarray(t.data)) for t in self.graph.constants()}
        for node in self.graph.nodes:
            self._add_scale(node)

    def _add_scale(self, node: Node) -> None:
        """Adds one scale per gradient, in node order. A reshape shares the scale of its source."""
        for name in node.outputs.values():
            if self.graph.tensors[name].kind == "gradient":
                shared = node.op == "reshape_backward_input"
                self.scales[name] = self.scales[node.inputs["dy"]] if shared else Scale()

    @property
    def scale_list(self) -> list[Scale]:
        """The scales in the order of STATE: the loss gradient's is first."""
        return list({id(scale): scale for scale in self.scales.values()}.values())

    def count_saturated(self, count: int) -> None:
        """SPEC 6.4."""
        self.weights_saturated = min(self.weights_saturated + count, COUNTER_MAX)

    def count_skipped(self) -> None:
        """SPEC 6.7."""
        self.updates_skipped = min(self.updates_skipped + 1, COUNTER_MAX)

    # ---- Tensors of a node -----------------------------------------------------------

    def tensor(self, node: Node, role: str) -> Tensor:
        name = node.inputs.get(role) or node.outputs[role]
        return self.graph.tensors[name]

    def get(self, node: Node, role: str) -> Ints:
        return self.values[node.inputs[role]]

    def get_map(self, node: Node, role: str) -> Ints:
        """Returns a tensor as [height][width][channels]."""
        return _as_map(self.get(node, role))

    def put(self, node: Node, role: str, value: Ints) -> None:
        tensor = self.tensor(node, role)
        stored = value.astype(tensor.dtype)
        assert np.array_equal(stored, value), f"{tensor.name} exceeds {tensor.dtype}"
        self.values[tensor.name] = ints(stored).reshape(tensor.shape)

    def weights(self, node: Node) -> Ints:
        """Returns the trained and frozen channels of a layer's weights together."""
        parts = [self.get(node, role) for role in ("w", "w_frozen") if role in node.inputs]
        return np.concatenate(parts, axis=-1)

    def sliding(self, node: Node, x: str = "x", y: str = "y") -> Sliding:
        """Returns the window of a node between the maps of two roles."""
        assert isinstance(node.attrs, WindowAttrs), node.op
        (x_h, x_w, _), (y_h, y_w, _) = (map_shape(self.tensor(node, role)) for role in (x, y))
        return Sliding(node.attrs.window, (x_h, x_w), (y_h, y_w))

    # ---- Constants of a layer --------------------------------------------------------

    @cached_property
    def _layers(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.graph.nodes if node.op in LAYERS}

    def layer(self, node: Node) -> Node:
        """Returns the forward node that a node of the training part was derived from."""
        return self._layers[node.layer]

    @cached_property
    def _requants(self) -> Mapping[str, constants.Requant]:
        return {name: constants.requant(self.graph, n) for name, n in self._layers.items()}

    @cached_property
    def _descents(self) -> Mapping[str, constants.Descent]:
        return {name: constants.descent(self.graph, n) for name, n in self._layers.items()}

    def requant(self, layer: Node) -> constants.Requant:
        return self._requants[layer.name]

    def descent(self, layer: Node) -> constants.Descent:
        return self._descents[layer.name]


def map_shape(tensor: Tensor) -> tuple[int, int, int]:
    """Returns [height][width][channels] of a map. Its shape may begin with a batch of 1."""
    height, width, channels = tensor.shape[-3:]
    return height, width, channels


def split_mean(node: Node, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns the shape of a mean's input as (outer, count, inner)."""
    assert isinstance(node.attrs, MeanAttrs)
    first, last = min(node.attrs.axes), max(node.attrs.axes)
    return (
        math.prod(shape[:first]),
        math.prod(shape[first : last + 1]),
        math.prod(shape[last + 1 :]),
    )


def _as_map(x: Ints) -> Ints:
    return x.reshape(x.shape[-3:])
