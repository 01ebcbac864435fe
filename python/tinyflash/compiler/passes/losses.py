"""Finds the logits that a loss reads, and builds the node that computes their gradient.

SPEC 4.7, 4.8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, LookupAttrs, LossAttrs, Node, Quant, Tensor
from tinyflash.scheme.loss import Loss, LossName

# A target of the binary cross-entropy: -128 means probability 0, 127 means 1.
PROBABILITY = Quant((float(np.float32(1 / 255)),), -128)


# Functions at the end of a network that the loss includes, or that only move bytes.
_SKIPPED: dict[LossName, tuple[str, ...]] = {
    "cross_entropy": ("reshape", "quantize", "softmax", "log_softmax"),
    "mean_squared_error": ("reshape", "quantize"),
    "binary_cross_entropy": ("reshape", "quantize", "logistic"),
}


def mark_logits(graph: Graph, loss: Loss) -> Graph:
    """Returns the graph with `logits` set to the tensor that feeds the loss: the output, or an
    earlier tensor."""
    tensor = graph.output.tensor
    node = graph.producer(tensor)
    while node is not None and _function(node) in _SKIPPED[loss.kind]:
        tensor = node.inputs["x"]
        node = graph.producer(tensor)
    if not loss.has_target and (node is None or not node.operator.weighted):
        found = "the input" if node is None else f"{node.op} ({node.name})"
        raise SchemeError(
            "training needs a classifier, a layer with weights at the end; "
            f"the logits of this model come from {found}"
        )
    return replace(graph, logits=tensor)


def _function(node: Node) -> str:
    return node.attrs.function if isinstance(node.attrs, LookupAttrs) else node.op


def loss_node(graph: Graph, loss: Loss, dy: str) -> tuple[Node, list[Tensor]]:
    """Returns the node that makes `dy`, the gradient of the logits, and the other tensors it
    reads."""
    logits = graph.tensors[graph.logits]
    quant = logits.quant
    if quant is None:
        raise SchemeError(f"{loss.kind}: the network's output {logits.name} has no scale")
    if not loss.has_target:
        table = Tensor("loss_table", (256,), "uint16", "constant", data=_exponentials(quant))
        inputs = {"x": logits.name, "table": table.name}
        attrs = LossAttrs(loss.smoothing)
        return Node("softmax_loss", "loss", inputs, {"dy": dy}, attrs), [table]
    target = replace(logits, name="target", quant=target_quant(logits, loss), source_id=-1)
    inputs = {"x": logits.name, "target": target.name}
    if loss.kind == "mean_squared_error":
        return Node("squared_loss", "loss", inputs, {"dy": dy}), [target]
    table = Tensor("loss_table", (256,), "uint16", "constant", data=_probabilities(quant))
    inputs["table"] = table.name
    return Node("sigmoid_loss", "loss", inputs, {"dy": dy}), [target, table]


def target_quant(logits: Tensor, loss: Loss) -> Quant | None:
    """Returns how the targets of a loss are stored: like the logits, or as probabilities."""
    return logits.quant if loss.kind == "mean_squared_error" else PROBABILITY


def _exponentials(quant: Quant) -> npt.NDArray[np.uint16]:
    """E of SPEC 4.7."""
    share = np.exp(-np.arange(256, dtype=np.float64) * quant.scale[0])
    table: npt.NDArray[np.uint16] = np.rint(32768 * share).astype(np.uint16)
    return table


def _probabilities(quant: Quant) -> npt.NDArray[np.uint16]:
    """Q of SPEC 4.8, by the byte of x."""
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-quant.scale[0] * (stored - quant.zero)))
    table: npt.NDArray[np.uint16] = np.rint(32768 * p).astype(np.uint16)
    return table
