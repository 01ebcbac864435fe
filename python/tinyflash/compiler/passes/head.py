"""Replaces the classifier by a new one with zero weights, for another number of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tinyflash.errors import SchemeError
from tinyflash.graph import Clip, DenseAttrs, Graph, Node, Port, Quant, Tensor
from tinyflash.layers import in_channels, last_layer

# Chosen by measurement (DESIGN.md): weights reach +-1, logits +-16.
WEIGHT_SCALE = float(np.float32(1 / 127))
LOGIT_SCALE = float(np.float32(16 / 127))
_LARGEST_SCALE = 2.0**30  # of its input: above, sums cannot be rescaled to logits


def attach_head(graph: Graph, classes: int) -> Graph:
    """Returns the graph up to the classifier's input, then a new classifier. Its logits are the
    output."""
    old = last_layer(graph)
    if old is None:
        raise SchemeError("head: the network does not end in a layer with weights to be replaced")
    x = graph.tensors[old.inputs["x"]]
    assert x.quant is not None
    features = in_channels(graph, old)
    if old.operator.depthwise or x.size != features:
        raise SchemeError(
            f"head: the classifier {old.name} ({old.op}) reads a map of {x.size} elements; only "
            "one that reads a single position, or a fully connected one, can be replaced"
        )
    if not x.quant.scale[0] < _LARGEST_SCALE:
        raise SchemeError(
            f"head: the classifier {old.name} reads numbers of scale {x.quant.scale[0]:.3g}, far "
            "beyond those that a new one is made for"
        )
    tensors = _head_tensors(graph, old, classes, features)
    w, b, y = tensors
    node = Node(
        "fully_connected",
        old.name,
        {"x": old.inputs["x"], "w_frozen": w.name, "b": b.name},
        {"y": y.name},
        DenseAttrs(Clip()),
        old.name,
    )
    before = _needed_for(graph, old.inputs["x"])
    dtype: Literal["int8", "float32"] = "float32" if graph.output.dtype == "float32" else "int8"
    port = Port(y.name, dtype, (1, classes), y.quant)
    grown = replace(graph, output=port, logits=y.name, unread="")
    return grown.with_nodes((*before, node), tensors)


def _needed_for(graph: Graph, tensor: str) -> tuple[Node, ...]:
    wanted = {tensor}
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs.values()):
            wanted.update(node.inputs.values())
            nodes.append(node)
    return tuple(reversed(nodes))


def _head_tensors(
    graph: Graph, old: Node, classes: int, features: int
) -> tuple[Tensor, Tensor, Tensor]:
    old_w = graph.tensors[old.inputs["w_frozen"]]
    # Tensor ids select the random bits. If the model has no bias, the new one takes the next free
    # id.
    b_id = graph.tensors[old.inputs["b"]].source_id if "b" in old.inputs else 1 << 16
    w = Tensor(
        f"{old.name}_head_w",
        (classes, features),
        "int8",
        "constant",
        Quant((WEIGHT_SCALE,)),
        np.zeros((classes, features), np.int8),
        old_w.source_id,
    )
    b = Tensor(
        f"{old.name}_head_b",
        (classes,),
        "int32",
        "constant",
        None,
        np.zeros(classes, np.int32),
        b_id,
    )
    y = Tensor(f"{old.name}_logits", (1, classes), "int8", "activation", Quant((LOGIT_SCALE,), 0))
    return w, b, y
