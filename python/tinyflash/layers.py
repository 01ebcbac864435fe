"""Queries about layers with weights that several passes share."""

from __future__ import annotations

from tinyflash.graph import Clip, DenseAttrs, Graph, Node, Tensor, WindowAttrs


def weight_of(node: Node) -> tuple[str, ...]:
    """Returns the names of a layer's weight tensors: the trained part, then the frozen one."""
    return tuple(node.inputs[role] for role in ("w", "w_frozen") if role in node.inputs)


def in_channels(graph: Graph, node: Node) -> int:
    """Returns the channels that a sparse update counts: of the input, or of a group of it;
    depthwise: of y."""
    return sum(graph.tensors[w].shape[-1] for w in weight_of(node))


def out_channels(graph: Graph, node: Node) -> int:
    """Returns the number of output channels of a layer with weights."""
    weights = [graph.tensors[w] for w in weight_of(node)]
    if node.operator.depthwise:
        return sum(w.shape[-1] for w in weights)
    return weights[0].shape[0]


def source_rows(graph: Graph, node: Node, role: str) -> tuple[int, ...]:
    """Returns the number of each output channel in the source's weights ("w") or biases ("b");
    empty if the numbers are unchanged."""
    names = weight_of(node) if role == "w" else (node.inputs["b"],)
    parts = [graph.tensors[t] for t in names]
    parts = parts if node.operator.depthwise else parts[:1]  # the other parts have the same rows
    return tuple(r for part in parts if part.taken is not None for r in part.taken.rows)


def is_pointwise(node: Node) -> bool:
    """A convolution that reads each position by itself is a fully connected layer over rows."""
    if node.op != "conv2d" or not isinstance(node.attrs, WindowAttrs) or node.attrs.groups > 1:
        return False
    window = node.attrs.window
    return window.kernel == (1, 1) and window.stride == (1, 1) and not any(window.padding)


def groups_of(node: Node) -> int:
    """Returns the groups of a convolution; 1 for all other layers (SPEC 2.3)."""
    return node.attrs.groups if isinstance(node.attrs, WindowAttrs) else 1


def clip_of(node: Node) -> Clip:
    """Returns the bounds of the stored output of a layer with weights."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    return node.attrs.clip


def multiplier_of(graph: Graph, node: Node) -> int:
    """Returns how many output channels of a depthwise layer read one input channel; 1 for other
    layers."""
    if not node.operator.depthwise:
        return 1
    return out_channels(graph, node) // graph.tensors[node.inputs["x"]].shape[-1]


def weight_scales(graph: Graph, node: Node) -> tuple[float, ...]:
    """Returns the weight scale of each output channel."""
    parts = [graph.tensors[w] for w in weight_of(node)]
    if node.operator.depthwise:  # parts share the output channels and their scales
        return tuple(s for part in parts for s in _spread(part, part.shape[-1]))
    return _spread(parts[0], parts[0].shape[0])


def largest_scale(graph: Graph, node: Node) -> float:
    """Returns the largest weight scale, including removed channels."""
    taken = [graph.tensors[w].taken for w in weight_of(node)]
    return max(*weight_scales(graph, node), 0.0, *(t.largest for t in taken if t is not None))


def _spread(weights: Tensor, channels: int) -> tuple[float, ...]:
    """Returns one scale per channel. Per-tensor quantization has one for all."""
    assert weights.quant is not None
    scales = weights.quant.scale
    return scales * channels if len(scales) == 1 else scales


def terms(graph: Graph, node: Node) -> int:
    """Returns the number of products in the sum of one output element (SPEC 2.1)."""
    area = 1
    if isinstance(node.attrs, WindowAttrs):
        area = node.attrs.window.kernel[0] * node.attrs.window.kernel[1]
    return area if node.operator.depthwise else area * in_channels(graph, node)


def source(graph: Graph, tensor: str) -> str:
    """Returns the tensor that `tensor` is a reshaped view of."""
    node = graph.producer(tensor)
    while node is not None and node.op == "reshape":
        tensor = node.inputs["x"]
        node = graph.producer(tensor)
    return tensor


def last_layer(graph: Graph) -> Node | None:
    """Returns the layer with weights that makes the logits, ignoring functions of them; None if
    there is none."""
    node = graph.producer(graph.logits or graph.output.tensor)
    while node is not None and node.operator.follows_logits:
        node = graph.producer(node.inputs["x"])
    return node if node is not None and node.operator.weighted else None
