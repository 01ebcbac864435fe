"""One row of a table for one node: kernel, record, and the order of its buffers (ops.h)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lib import records
from tests.lib.records import Fields

from tinyflash.graph import Graph, Node, PartAttrs
from tinyflash.reference.environment import LAYERS

# Buffers by kernel, as tinyflash/ops.h lists them; "s:" before a role stands for its scale.
BUFFERS = {
    **{f"{layer}_forward": "x w w_frozen b y" for layer in LAYERS},
    **{f"{layer}_backward_input": "dy s:dy w w_frozen mask dx s:dx" for layer in LAYERS},
    **{f"{layer}_update": "x dy s:dy w state velocity low" for layer in LAYERS},
    "bias_update": "dy s:dy b state velocity",
    "average_pool_forward": "x y",
    "max_pool_forward": "x y",
    "mean_forward": "x y",
    "copy_forward": "x y",
    "pad_forward": "x y",
    "take_forward": "x y",
    "transpose_forward": "x y",
    "average_pool_backward_input": "dy s:dy mask dx s:dx",
    "mean_backward_input": "dy s:dy mask dx s:dx",
    "pad_backward_input": "dy s:dy mask dx s:dx",
    "copy_backward_input": "dy s:dy mask dx s:dx",
    "take_backward_input": "dy s:dy mask dx s:dx",
    "transpose_backward_input": "dy s:dy mask dx s:dx",
    "max_pool_backward_input": "x dy s:dy mask dx s:dx",
    "lookup_backward_input": "x slope dy s:dy mask dx s:dx",
    "prelu_backward_input": "x alpha dy s:dy mask dx s:dx",
    "softmax_backward_input": "y dy s:dy mask dx s:dx",
    "sub_backward_b": "dy s:dy mask dx s:dx",
    "mul_backward_a": "x dy s:dy mask dx s:dx",
    "mul_backward_b": "x dy s:dy mask dx s:dx",
    "minimum_backward_a": "a y dy s:dy mask dx s:dx",
    "minimum_backward_b": "a y dy s:dy mask dx s:dx",
    "add_forward": "a b y",
    "minimum_forward": "a b y",
    "mul_forward": "a b y",
    "gradient_add": "a s:a b s:b mask dx s:dx",
    "prelu_forward": "x alpha y",
    "lookup_forward": "x table y",
    "softmax_forward": "x table y",
    "log_softmax_forward": "x table y",
    "mask_forward": "y mask",
    "softmax_loss": "x table state dy s:dy",
    "squared_loss": "x target state dy s:dy",
    "sigmoid_loss": "x target table state dy s:dy",
    "fisher": "y dy s:dy d",
    "advance_scales": "state",
}


@dataclass(frozen=True)
class Draft:
    """A row before its buffers have places. `start`: the first byte of dy that it reads."""

    kernel: str
    ctype: str
    fields: Fields
    start: int = 0

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(BUFFERS[self.kernel].split())


def draft(graph: Graph, node: Node) -> Draft:
    """The row that does what the reference does for this node."""
    if node.op in LAYERS:
        return Draft(f"{node.op}_forward", *records.layer(graph, node))
    if node.op == "bias_update":
        return Draft(node.op, "tiny_bias", records.bias(graph, node, _layer(graph, node)))
    if node.op.rpartition("_")[0] in LAYERS or node.op.removesuffix("_backward_input") in LAYERS:
        return Draft(node.op, *records.layer(graph, _layer(graph, node)))
    if node.op.endswith("_backward_input"):
        return _backward(graph, node)
    return _plain(graph, node)


def _layer(graph: Graph, node: Node) -> Node:
    return next(n for n in graph.named(node.layer) if n.op in LAYERS)


def _backward(graph: Graph, node: Node) -> Draft:
    op, dx, dy = node.op.removesuffix("_backward_input"), node.outputs["dx"], node.inputs["dy"]
    forward = graph.node(node.layer, op)
    match op:
        case "average_pool" | "max_pool":
            return Draft(node.op, "tiny_pool", records.pool(graph, node, "dx", "dy"))
        case "pad":
            return Draft(node.op, "tiny_pad", records.pad(graph, node, dx, dy))
        case "take":
            return Draft(node.op, "tiny_take", records.take(graph, node, dx, dy))
        case "mean":
            fields = records.mean(graph, forward, forward.inputs["x"], forward.outputs["y"])
            return Draft(node.op, "tiny_mean", fields)
        case "transpose":
            return Draft(node.op, "tiny_transpose", records.transpose(graph, forward))
        case "lookup":
            return Draft(node.op, "tiny_lookup", records.lookup(graph, dx))
        case "softmax":
            return Draft(node.op, "tiny_softmax", records.softmax(graph, forward))
        case "prelu":
            return Draft(node.op, "tiny_prelu", records.prelu(graph, forward))
        case "sub":
            fields = records.count(graph, dy)
            return Draft("sub_backward_b", "tiny_gradient_sum", fields)
        case "mul":
            assert isinstance(node.attrs, PartAttrs)
            kernel = "mul_backward_b" if node.attrs.index else "mul_backward_a"
            return Draft(kernel, "tiny_mul", records.mul(graph, forward))
        case "maximum" | "minimum":
            assert isinstance(node.attrs, PartAttrs)
            kernel = "minimum_backward_b" if node.attrs.index else "minimum_backward_a"
            return Draft(kernel, "tiny_minimum", records.minimum(graph, forward))
        case "concatenate":
            fields, start = records.part(graph, node, forward)
            return Draft("copy_backward_input", "tiny_copy", fields, start)
    raise AssertionError(f"no kernel for {node.op}")


def _plain(graph: Graph, node: Node) -> Draft:
    x, y = node.inputs.get("x", ""), node.outputs.get("y", "")
    match node.op:
        case "average_pool" | "max_pool":
            return Draft(f"{node.op}_forward", "tiny_pool", records.pool(graph, node))
        case "mean":
            return Draft("mean_forward", "tiny_mean", records.mean(graph, node, x, y))
        case "pad":
            return Draft("pad_forward", "tiny_pad", records.pad(graph, node, x, y))
        case "take":
            return Draft("take_forward", "tiny_take", records.take(graph, node, x, y))
        case "transpose":
            return Draft("transpose_forward", "tiny_transpose", records.transpose(graph, node))
        case "keep":
            return Draft("copy_forward", "tiny_copy", records.copy(graph, node))
        case "add" | "sub":
            return Draft("add_forward", "tiny_add", records.add(graph, node))
        case "mul":
            return Draft("mul_forward", "tiny_mul", records.mul(graph, node))
        case "prelu":
            return Draft("prelu_forward", "tiny_prelu", records.prelu(graph, node))
        case "maximum" | "minimum":
            return Draft("minimum_forward", "tiny_minimum", records.minimum(graph, node))
        case "gradient_add":
            fields = records.count(graph, node.inputs["a"])
            return Draft("gradient_add", "tiny_gradient_sum", fields)
        case "lookup":
            return Draft("lookup_forward", "tiny_lookup", records.lookup(graph, x))
        case "softmax":
            return Draft("softmax_forward", "tiny_softmax", records.softmax(graph, node))
        case "log_softmax":
            fields = records.log_softmax(graph, node)
            return Draft("log_softmax_forward", "tiny_log_softmax", fields)
        case "mask":
            return Draft("mask_forward", "tiny_mask", records.mask(graph, node))
        case "fisher":
            return Draft("fisher", "tiny_fisher", records.fisher(graph, node))
        case "softmax_loss":
            return Draft("softmax_loss", "tiny_loss", records.loss(graph, node))
        case "squared_loss" | "sigmoid_loss":
            return Draft(node.op, "tiny_target_loss", records.target_loss(graph, node))
        case "advance":
            return Draft("advance_scales", "tiny_advance", records.advance(node))
    raise AssertionError(f"no kernel for {node.op}")
