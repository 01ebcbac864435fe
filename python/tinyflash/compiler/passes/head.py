"""Replaces the classifier by a new one with zero weights, for another number of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tinyflash.errors import SchemeError
from tinyflash.graph import Clip, DenseAttrs, Graph, Node, Port, Quant, Tensor
from tinyflash.layers import in_channels, last_layer, weight_scales

LOGIT_RANGE = 16.0  # logits reach +-16: chosen by measurement (docs/results.md)
LOGIT_SCALE = float(np.float32(LOGIT_RANGE / 127))
_ROOM = 2.0  # a new task may need larger weights than the old one: chosen by measurement, too
_PLAIN_RANGE = 1.0  # of weights, if all of the old classifier's are 0
_LARGEST_BESIDE = 1.0  # if other layers are trained, too: their rates are low for a classifier
_HALF_SPAN = 127.5  # steps from the middle of int8 to its ends
_LARGEST_SCALE = 2.0**30  # of its input: above, sums cannot be rescaled to logits


def attach_head(
    graph: Graph, classes: int, weight_range: float | None = None, alone: bool = True
) -> Graph:
    """Returns the graph up to the classifier's input, then a new classifier. Its logits are the
    output.

    weight_range: the largest weight that it can learn, as a real; None: `natural_range`. alone:
    whether nothing else is trained.
    """
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
    reach = natural_range(graph, old, alone) if weight_range is None else weight_range
    tensors = _head_tensors(graph, old, (classes, features), reach)
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


def natural_range(graph: Graph, old: Node, alone: bool = True) -> float:
    """Returns how large the weights of a new classifier may become: twice as large as those of the
    old one would be if its logits, too, reached LOGIT_RANGE.

    Weights are as large as features are small. The old classifier has learned from these features,
    and its file says how large its logits become. So no samples are needed, and the same file gives
    the same model everywhere. A wider range is a coarser grid, a narrower one holds weights back
    (docs/results.md). If other layers are trained, the rate is theirs: then weights of small
    features do not grow far, and a coarse grid would only be noise.
    """
    w, y = graph.tensors[old.inputs["w_frozen"]], graph.tensors[old.outputs["y"]]
    assert w.data is not None and y.quant is not None
    per_channel = np.array(weight_scales(graph, old), np.float64)
    stored = np.abs(w.data.astype(np.int16)).reshape(len(w.data), -1).max(axis=1)
    largest = float((stored * per_channel).max())
    logits = y.quant.scale[0] * _HALF_SPAN
    reach = _ROOM * largest * LOGIT_RANGE / logits or _PLAIN_RANGE
    return reach if alone else min(reach, _LARGEST_BESIDE)


def _needed_for(graph: Graph, tensor: str) -> tuple[Node, ...]:
    wanted = {tensor}
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs.values()):
            wanted.update(node.inputs.values())
            nodes.append(node)
    return tuple(reversed(nodes))


def _head_tensors(
    graph: Graph, old: Node, shape: tuple[int, int], reach: float
) -> tuple[Tensor, Tensor, Tensor]:
    old_w = graph.tensors[old.inputs["w_frozen"]]
    # Tensor ids select the random bits. If the model has no bias, the new one takes the next free
    # id.
    b_id = graph.tensors[old.inputs["b"]].source_id if "b" in old.inputs else 1 << 16
    w = Tensor(
        f"{old.name}_head_w",
        shape,
        "int8",
        "constant",
        Quant((float(np.float32(reach / 127)),)),
        np.zeros(shape, np.int8),
        old_w.source_id,
    )
    b = Tensor(
        f"{old.name}_head_b",
        shape[:1],
        "int32",
        "constant",
        None,
        np.zeros(shape[:1], np.int32),
        b_id,
    )
    y = Tensor(f"{old.name}_logits", (1, shape[0]), "int8", "activation", Quant((LOGIT_SCALE,), 0))
    return w, b, y
