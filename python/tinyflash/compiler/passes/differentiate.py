"""Derives the training graph: clip masks, the loss, input gradients and in-place updates.

Reverse mode, at compile time, by a table of rules. Every layer with weights that the gradient
reaches gets an update. `sparsify` then removes what the scheme does not train, and `prune` removes
what has no reader left. So back-propagation ends at the earliest updated layer.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace

import numpy as np

from tinyflash.compiler.passes.losses import loss_node
from tinyflash.compiler.passes.slopes import has_slopes, slopes
from tinyflash.graph import (
    AdvanceAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    Node,
    PartAttrs,
    Tensor,
    WindowAttrs,
)
from tinyflash.layers import in_channels
from tinyflash.scheme.loss import CROSS_ENTROPY, Loss


def is_masked(node: Node) -> bool:
    """Whether the gradient of a node's output is zero where the output was clipped."""
    if not node.operator.clipped:
        return False
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs)
    return node.operator.saturates or node.attrs.clip != Clip()


@dataclass
class _Part:
    """One reader's share of the gradient of a tensor. `fresh`: it has its own tensor."""

    tensor: str
    fresh: bool


@dataclass
class _Builder:
    """Collects the results of differentiation, which walks the forward nodes backwards."""

    graph: Graph
    nodes: list[Node] = field(default_factory=list)  # backward, in execution order
    tensors: dict[str, Tensor] = field(default_factory=dict)
    parts: dict[str, list[_Part]] = field(default_factory=dict)  # by forward tensor
    blocked: set[str] = field(default_factory=set)  # tensors with unknown gradient
    made_by: dict[str, int] = field(default_factory=dict)  # of gradients, by node number
    trained: set[str] = field(default_factory=set)  # layers with an update
    judged: Container[str] = ()  # maps whose channels are judged

    def add(self, node: Node) -> None:
        """Appends a node of the backward part."""
        self.made_by.update(dict.fromkeys(node.outputs.values(), len(self.nodes)))
        if node.op.endswith("_update"):
            self.trained.add(node.layer)
        self.nodes.append(node)

    def gradient(self, of: str, tag: str = "") -> str:
        """Declares a gradient tensor for a forward tensor and returns its name."""
        forward = self.graph.tensors[of]
        name = f"d_{of}{tag}"
        while name in self.tensors:
            name += "_"
        self.tensors[name] = Tensor(name, forward.shape, "int8", "gradient")
        return name

    def mask(self, of: str) -> str:
        """Declares the clip mask of a forward tensor and returns its name."""
        size = self.graph.tensors[of].size
        self.tensors[f"mask_{of}"] = Tensor(f"mask_{of}", (-(-size // 8),), "uint8", "mask")
        return f"mask_{of}"

    def give(self, to: str, tensor: str, fresh: bool) -> None:
        self.parts.setdefault(to, []).append(_Part(tensor, fresh))


def differentiate(
    graph: Graph, headroom: int = 1, loss: Loss = CROSS_ENTROPY, judged: Container[str] = ()
) -> Graph:
    """Appends loss, backward and update nodes to a forward graph whose `logits` are named. judged:
    maps whose Fisher information is computed (SPEC 15)."""
    builder = _Builder(graph, judged=judged)
    dy = builder.gradient(graph.logits)
    builder.give(graph.logits, dy, fresh=True)
    node, tensors = loss_node(graph, loss, dy)
    builder.add(node)
    builder.tensors.update({t.name: t for t in tensors})
    graph = replace(graph, target=node.inputs.get("target", ""))
    for node in reversed(graph.nodes):
        _backward(builder, node)
    builder.add(Node("advance", "advance", {}, {}, AdvanceAttrs(headroom)))
    forward = [n for node in graph.nodes for n in _forward(builder, node)]
    return graph.with_nodes((*forward, *builder.nodes), builder.tensors.values())


def _forward(builder: _Builder, node: Node) -> list[Node]:
    """Returns a forward node as training needs it: with trainable weights, followed by the clip
    mask."""
    result = [_trainable(builder, node)]
    y = node.outputs["y"]
    if f"mask_{y}" in builder.tensors:
        assert isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs)
        attrs = ClipAttrs(node.attrs.clip)
        result.append(Node("mask", node.name, {"y": y}, {"mask": f"mask_{y}"}, attrs))
    return result


def _trainable(builder: _Builder, node: Node) -> Node:
    if node.name not in builder.trained:
        return node
    for role in ("w_frozen", "b"):
        if role in node.inputs:
            tensor = builder.graph.tensors[node.inputs[role]]
            builder.tensors[tensor.name] = replace(tensor, kind="trainable")
    return _with_weights_trained(builder.graph, node)


def _with_weights_trained(graph: Graph, node: Node) -> Node:
    """Returns the node with all input channels trained: weights in role "w"."""
    inputs = {("w" if role == "w_frozen" else role): t for role, t in node.inputs.items()}
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    return replace(node, inputs=inputs, attrs=replace(node.attrs, kept=in_channels(graph, node)))


# ---- Backward --------------------------------------------------------------------------------


def _backward(builder: _Builder, node: Node) -> None:
    """Passes the gradient of a node's output on to its inputs, by the rule of its operator."""
    y = node.outputs["y"]
    rule = RULES.get(node.op)
    reached = y in builder.parts
    if y in builder.blocked or (reached and rule is None):
        builder.blocked.update(node.inputs.values())
    elif reached and rule is not None:
        dy = _collect(builder, y, node)
        if y in builder.judged:
            _judge(builder, node, dy)
        rule(builder, node, dy)


def _judge(builder: _Builder, node: Node, dy: str) -> None:
    """Keeps the Fisher information of the channels of a node's output."""
    y = builder.graph.tensors[node.outputs["y"]]
    zeros = np.zeros(1 + y.shape[-1], np.int32)
    d = Tensor(f"fisher_{y.name}", zeros.shape, "int32", "trainable", data=zeros)
    builder.tensors[d.name] = d
    builder.add(Node("fisher", node.name, {"y": y.name, "dy": dy, "d": d.name}, {}))


def _collect(builder: _Builder, y: str, producer: Node) -> str:
    """Returns the whole gradient of `y`: the sum of its readers' parts, with the clip mask
    applied."""
    parts = builder.parts[y]
    masked = is_masked(producer) and y != builder.graph.logits
    while len(parts) > 2:
        total = _sum(builder, producer, parts[0], parts[1], mask=None)
        parts = [total, *parts[2:]]
    mask = builder.mask(y) if masked else None
    if len(parts) == 2:
        return _sum(builder, producer, parts[0], parts[1], mask).tensor
    if mask is None:
        return parts[0].tensor
    if parts[0].fresh:
        _mask_producer(builder, parts[0].tensor, mask)
        return parts[0].tensor
    return _sum(builder, producer, parts[0], None, mask).tensor


def _sum(builder: _Builder, producer: Node, a: _Part, b: _Part | None, mask: str | None) -> _Part:
    dx = builder.gradient(producer.outputs["y"])
    inputs = {"a": a.tensor}
    if b is not None:
        inputs["b"] = b.tensor
    if mask is not None:
        inputs["mask"] = mask
    builder.add(Node("gradient_add", producer.name, inputs, {"dx": dx}))
    return _Part(dx, fresh=True)


def _mask_producer(builder: _Builder, gradient: str, mask: str) -> None:
    """Makes the kernel that produces a gradient apply the mask as it stores."""
    at = builder.made_by[gradient]
    node = builder.nodes[at]
    while node.operator.view_of:
        at = builder.made_by[node.inputs[node.operator.view_of]]
        node = builder.nodes[at]
    builder.nodes[at] = replace(node, inputs={**node.inputs, "mask": mask})


def _derived(node: Node, suffix: str, inputs: dict[str, str], outputs: dict[str, str]) -> Node:
    return Node(f"{node.op}_{suffix}", node.name, inputs, outputs, node.attrs, node.name)


def _weighted_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Input gradient first: it reads the weights that the update then changes."""
    x = node.inputs["x"]
    layer = _with_weights_trained(builder.graph, node)
    dx = builder.gradient(x)
    weights = {role: t for role, t in layer.inputs.items() if role in ("w", "w_frozen")}
    builder.add(_derived(layer, "backward_input", {"dy": dy, **weights}, {"dx": dx}))
    builder.add(_derived(layer, "update", {"x": x, "dy": dy, "w": weights["w"]}, {}))
    if "b" in node.inputs:
        inputs = {"dy": dy, "b": node.inputs["b"]}
        builder.add(Node("bias_update", node.name, inputs, {}, layer=node.name))
    builder.give(x, dx, fresh=True)


def _unary_rule(builder: _Builder, node: Node, dy: str) -> None:
    dx = builder.gradient(node.inputs["x"])
    builder.add(_derived(node, "backward_input", {"dy": dy}, {"dx": dx}))
    builder.give(node.inputs["x"], dx, fresh=True)


def _max_pool_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Reads x again, to find the largest element of each window."""
    x = node.inputs["x"]
    dx = builder.gradient(x)
    builder.add(_derived(node, "backward_input", {"x": x, "dy": dy}, {"dx": dx}))
    builder.give(x, dx, fresh=True)


def _lookup_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Reads x again, for the slope of the function at x."""
    x = node.inputs["x"]
    quant, table = builder.graph.tensors[x].quant, builder.graph.tensors[node.inputs["table"]].data
    assert isinstance(node.attrs, LookupAttrs) and table is not None
    if quant is None or not has_slopes(node.attrs):
        builder.blocked.add(x)
        return
    data = slopes(node.attrs, quant, table.astype(np.int8))
    slope = Tensor(f"{node.name}_slope", (256,), "int16", "constant", data=data)
    builder.tensors[slope.name] = slope
    dx = builder.gradient(x)
    inputs = {"x": x, "slope": slope.name, "dy": dy}
    builder.add(_derived(node, "backward_input", inputs, {"dx": dx}))
    builder.give(x, dx, fresh=True)


def _softmax_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Reads y again: the slopes of a softmax are functions of its probabilities."""
    dx = builder.gradient(node.inputs["x"])
    inputs = {"y": node.outputs["y"], "dy": dy}
    builder.add(_derived(node, "backward_input", inputs, {"dx": dx}))
    builder.give(node.inputs["x"], dx, fresh=True)


def _no_rule(builder: _Builder, node: Node, _: str) -> None:
    """Passes no gradient on."""
    builder.blocked.add(node.inputs["x"])


def _mul_rule(builder: _Builder, node: Node, dy: str) -> None:
    """The gradient of each operand reads the other operand again."""
    for index, (role, other) in enumerate((("a", "b"), ("b", "a"))):
        dx = builder.gradient(node.inputs[role])
        part = _derived(node, "backward_input", {"x": node.inputs[other], "dy": dy}, {"dx": dx})
        builder.add(replace(part, name=f"{node.name}.{role}", attrs=PartAttrs(index)))
        builder.give(node.inputs[role], dx, fresh=True)


def _prelu_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Reads x again, for its signs. The slopes are not trained."""
    x = node.inputs["x"]
    dx = builder.gradient(x)
    inputs = {"x": x, "alpha": node.inputs["alpha"], "dy": dy}
    builder.add(_derived(node, "backward_input", inputs, {"dx": dx}))
    builder.give(x, dx, fresh=True)


def _chosen_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Each element of dy goes to one operand. Which one, a and y say; nothing needs b again."""
    inputs = {"a": node.inputs["a"], "y": node.outputs["y"], "dy": dy}
    for index, role in enumerate("ab"):
        dx = builder.gradient(node.inputs[role])
        part = _derived(node, "backward_input", inputs, {"dx": dx})
        builder.add(replace(part, name=f"{node.name}.{role}", attrs=PartAttrs(index)))
        builder.give(node.inputs[role], dx, fresh=True)


def _concatenate_rule(builder: _Builder, node: Node, dy: str) -> None:
    """Each input's gradient is its own part of dy."""
    for index in range(len(node.inputs)):
        x = node.inputs[f"x{index}"]
        dx = builder.gradient(x)
        part = _derived(node, "backward_input", {"dy": dy}, {"dx": dx})
        builder.add(replace(part, name=f"{node.name}.{index}", attrs=PartAttrs(index)))
        builder.give(x, dx, fresh=True)


def _reshape_rule(builder: _Builder, node: Node, dy: str) -> None:
    """The same bytes with another shape. dy decides whether they may be masked."""
    shared = builder.parts[node.outputs["y"]]
    _unary_rule(builder, node, dy)
    if len(shared) == 1 and not shared[0].fresh:
        builder.parts[node.inputs["x"]][-1].fresh = False


def _add_rule(builder: _Builder, node: Node, dy: str) -> None:
    """In real units both branches have the gradient of the sum, so this needs no kernel."""
    builder.give(node.inputs["a"], dy, fresh=False)
    builder.give(node.inputs["b"], dy, fresh=False)


def _sub_rule(builder: _Builder, node: Node, dy: str) -> None:
    """As of a sum for a; b has the negative."""
    builder.give(node.inputs["a"], dy, fresh=False)
    if builder.graph.tensors[node.inputs["b"]].data is not None:
        return
    dx = builder.gradient(node.inputs["b"])
    builder.add(_derived(node, "backward_input", {"dy": dy}, {"dx": dx}))
    builder.give(node.inputs["b"], dx, fresh=True)


RULES: dict[str, Callable[[_Builder, Node, str], None]] = {
    "conv2d": _weighted_rule,
    "depthwise": _weighted_rule,
    "fully_connected": _weighted_rule,
    "average_pool": _unary_rule,
    "max_pool": _max_pool_rule,
    "concatenate": _concatenate_rule,
    "transpose": _unary_rule,
    "lookup": _lookup_rule,
    "mean": _unary_rule,
    "pad": _unary_rule,
    "take": _unary_rule,
    "reshape": _reshape_rule,
    "add": _add_rule,
    "sub": _sub_rule,
    "mul": _mul_rule,
    "prelu": _prelu_rule,
    "maximum": _chosen_rule,
    "minimum": _chosen_rule,
    "softmax": _softmax_rule,
    "log_softmax": _no_rule,
}
