"""Questions about layers with weights that several passes ask."""

from __future__ import annotations

from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, LookupAttrs, Node, Tensor, WindowAttrs

WEIGHTED = ("conv2d", "depthwise", "fully_connected")


def weight_of(node: Node) -> tuple[str, ...]:
    """Names of the weight tensors of a layer: the trained part, then the frozen one."""
    return tuple(node.inputs[role] for role in ("w", "w_frozen") if role in node.inputs)


def in_channels(graph: Graph, node: Node) -> int:
    """Channels that a sparse update counts: of the input, or a group of it; depthwise: of y."""
    return sum(graph.tensors[w].shape[-1] for w in weight_of(node))


def out_channels(graph: Graph, node: Node) -> int:
    """Output channels of a layer with weights."""
    weights = [graph.tensors[w] for w in weight_of(node)]
    if node.op == "depthwise":
        return sum(w.shape[-1] for w in weights)
    return weights[0].shape[0]


def groups_of(node: Node) -> int:
    """Groups of a convolution, 1 of all other layers (SPEC 2.3)."""
    return node.attrs.groups if isinstance(node.attrs, WindowAttrs) else 1


def multiplier_of(graph: Graph, node: Node) -> int:
    """Output channels that read one input channel of a depthwise layer, 1 of all others."""
    if node.op != "depthwise":
        return 1
    return out_channels(graph, node) // graph.tensors[node.inputs["x"]].shape[-1]


def weight_scales(graph: Graph, node: Node) -> tuple[float, ...]:
    """The weight scale of each output channel."""
    parts = [graph.tensors[w] for w in weight_of(node)]
    if node.op == "depthwise":  # parts share the output channels, and their scales with them
        return tuple(s for part in parts for s in _spread(part, part.shape[-1]))
    return _spread(parts[0], parts[0].shape[0])


def _spread(weights: Tensor, channels: int) -> tuple[float, ...]:
    """One scale per channel; per-tensor quantisation has one for all."""
    assert weights.quant is not None
    scales = weights.quant.scale
    return scales * channels if len(scales) == 1 else scales


def terms(graph: Graph, node: Node) -> int:
    """Products in the sum of one output element (SPEC 2.1)."""
    area = 1
    if isinstance(node.attrs, WindowAttrs):
        area = node.attrs.window.kernel[0] * node.attrs.window.kernel[1]
    return area if node.op == "depthwise" else area * in_channels(graph, node)


def source(graph: Graph, tensor: str) -> str:
    """The tensor whose bytes `tensor` is a reshaped view of."""
    node = graph.producer(tensor)
    while node is not None and node.op == "reshape":
        tensor = node.inputs["x"]
        node = graph.producer(tensor)
    return tensor


def logits_of(graph: Graph) -> str:
    """The tensor that a cross-entropy loss reads: the output, or what its softmax reads."""
    tensor = graph.logits or graph.output.tensor
    node = graph.producer(tensor)
    while node is not None and _keeps_order(node):
        tensor = node.inputs["x"]
        node = graph.producer(tensor)
    return tensor


def _keeps_order(node: Node) -> bool:
    """Whether a node behind the logits leaves their order alone, so that the loss may skip it."""
    if isinstance(node.attrs, LookupAttrs):
        return node.attrs.function == "quantize"
    return node.op in ("softmax", "reshape")


def classifier(graph: Graph) -> Node:
    """The layer with weights that produces the logits."""
    node = graph.producer(logits_of(graph))
    if node is None or node.op not in WEIGHTED:
        found = "the input" if node is None else f"{node.op} ({node.name})"
        raise SchemeError(
            "training needs a classifier, a layer with weights at the end; "
            f"the logits of this model come from {found}"
        )
    return node
