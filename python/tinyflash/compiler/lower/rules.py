"""Writes each node as table rows: kernel, record and buffers.

One rule per operator. Buffers are in the order of include/tinyflash/ops.h.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyflash.compiler.lower import records as r
from tinyflash.compiler.lower.context import STATE, Context
from tinyflash.compiler.lower.geometry import Fields, Rings
from tinyflash.graph import Graph, Node, PartAttrs
from tinyflash.program import SOURCE, Buffer, Row

Rule = Callable[[Context], list[Row]]


def _layer_record(c: Context) -> tuple[str, int]:
    """Returns kernel family and record of the layer that a node belongs to."""
    layer = c.layer()
    graph = c.lowering.trained or c.graph
    trained = bool(graph.of_layer(layer.name))
    source = graph if graph.named(layer.name) else c.graph
    ctype, fields = r.layer_record(source, layer, trained)
    return ctype.removeprefix("tiny_"), c.record(ctype, fields, layer=layer.name)


def _streamed_record(c: Context) -> tuple[str, int]:
    """Returns the same for a forward node with rings; no other node of its layer has rings."""
    ctype, fields = r.layer_record(c.graph, c.node, trained=False, rings=c.rings)
    return ctype.removeprefix("tiny_"), c.record(ctype, fields, "rows")


def _source(c: Context) -> list[Row]:
    fields = r.source_record(c.graph, c.node, c.rings)
    record = c.record("tiny_rows", fields)
    return [c.row(SOURCE, record, c.tensor("y"))]


def _forward(c: Context) -> list[Row]:
    streamed = c.node.inputs["x"] in c.rings or c.node.outputs["y"] in c.rings
    family, record = _streamed_record(c) if streamed else _layer_record(c)
    buffers = (c.tensor("x"), *c.weights(), c.tensor("b"), c.tensor("y"))
    return [c.row(f"{family}_forward", record, *buffers)]


def _backward(c: Context) -> list[Row]:
    family, record = _layer_record(c)
    before = (c.tensor("dy"), c.scale("dy"), *c.weights(), c.tensor("mask"))
    row = c.row(f"{family}_backward_input", record, *before, c.tensor("dx"), c.scale("dx"))
    return [row]


def _update(c: Context) -> list[Row]:
    family, record = _layer_record(c)
    read = (c.tensor("x"), c.tensor("dy"), c.scale("dy"))
    remembered = _up_to_last(c.tensor("velocity"), c.tensor("low"))
    return [c.row(f"{family}_update", record, *read, c.tensor("w"), STATE, *remembered)]


def _bias(c: Context) -> list[Row]:
    fields = r.bias_record(c.graph, c.layer(), c.node.descent)
    record = c.record("tiny_bias", fields, "bias")
    before = (c.tensor("dy"), c.scale("dy"), c.tensor("b"), STATE)
    return [c.row("bias_update", record, *before, *_up_to_last(c.tensor("velocity")))]


def _up_to_last(*buffers: Buffer | None) -> tuple[Buffer | None, ...]:
    """Returns the buffers without absent ones at the end, which the table omits."""
    present = [i for i, buffer in enumerate(buffers) if buffer is not None]
    return buffers[: max(present, default=-1) + 1]


def _unary(
    kernel: str, ctype: str, make: Callable[[Graph, Node, Rings], Fields], meaning: str = ""
) -> Rule:
    def rule(c: Context) -> list[Row]:
        record = c.record(ctype, make(c.graph, c.node, c.rings), meaning)
        return [c.row(kernel, record, c.tensor("x"), c.tensor("y"))]

    return rule


def _unary_backward(ctype: str, make: Callable[[Graph, Node], Fields], *read: str) -> Rule:
    """The gradient of an operator with one input. read: the roles it reads in addition to dy."""

    def rule(c: Context) -> list[Row]:
        forward = c.graph.node(c.node.layer, c.node.operator.forward)
        record = c.record(ctype, make(c.graph, forward), "backward_input")
        before = (*(c.tensor(role) for role in read), c.tensor("dy"), c.scale("dy"))
        return [c.row(c.node.op, record, *before, c.tensor("mask"), c.tensor("dx"), c.scale("dx"))]

    return rule


def _view(_: Context) -> list[Row]:
    """A reshape moves nothing: the plan gives both tensors the same offset."""
    return []


def _concatenate(c: Context) -> list[Row]:
    y = c.place(c.node.outputs["y"])
    rows = []
    for index, part in enumerate(r.concatenate_records(c.graph, c.node, c.rings)):
        tensor, offset, fields = part
        record = c.record("tiny_copy", fields, f"x{index}")
        strip = Buffer(y.space, y.offset + offset)
        rows.append(c.row("copy_forward", record, c.place(tensor), strip, part=tensor))
    return rows


def _part_backward(c: Context) -> list[Row]:
    """The gradient of one input of a concatenation: a copy out of dy."""
    assert isinstance(c.node.attrs, PartAttrs)
    parts = r.concatenate_records(c.graph, c.graph.node(c.node.layer, "concatenate"))
    _, offset, fields = parts[c.node.attrs.index]
    record = c.record("tiny_copy", fields, f"x{c.node.attrs.index}_backward_input")
    whole = c.place(c.node.inputs["dy"])
    dy = (Buffer(whole.space, whole.offset + offset), c.scale("dy"))
    dx = (c.tensor("dx"), c.scale("dx"))
    return [c.row("copy_backward_input", record, *dy, c.tensor("mask"), *dx)]


def _binary(name: str, make: Callable[..., Fields]) -> Rule:
    """Makes y of a and b, element by element."""

    def rule(c: Context) -> list[Row]:
        record = c.record(f"tiny_{name}", make(c.graph, c.node, c.rings))
        return [c.row(f"{name}_forward", record, c.tensor("a"), c.tensor("b"), c.tensor("y"))]

    return rule


def _binary_backward(name: str, make: Callable[..., Fields], *read: str) -> Rule:
    """The gradient of a, or that of b, each by a kernel of its own."""

    def rule(c: Context) -> list[Row]:
        assert isinstance(c.node.attrs, PartAttrs)
        forward = c.graph.node(c.node.layer, c.node.operator.forward)
        record = c.record(f"tiny_{name}", make(c.graph, forward), "backward_input")
        before = (*(c.tensor(role) for role in read), c.tensor("dy"), c.scale("dy"))
        kernel = f"{name}_backward_{'ab'[c.node.attrs.index]}"
        return [c.row(kernel, record, *before, c.tensor("mask"), c.tensor("dx"), c.scale("dx"))]

    return rule


def _gradient_add(c: Context) -> list[Row]:
    fields = r.count_record(c.graph, c.node.inputs["a"])
    record = c.record("tiny_gradient_sum", fields, "gradient")
    operands = (c.tensor("a"), c.scale("a"), c.tensor("b"), c.scale("b"))
    dx = (c.tensor("dx"), c.scale("dx"))
    return [c.row("gradient_add", record, *operands, c.tensor("mask"), *dx)]


def _lookup(c: Context) -> list[Row]:
    record = c.record("tiny_lookup", r.lookup_record(c.graph, c.node, c.rings))
    return [c.row("lookup_forward", record, c.tensor("x"), c.tensor("table"), c.tensor("y"))]


def _prelu(c: Context) -> list[Row]:
    record = c.record("tiny_prelu", r.prelu_record(c.graph, c.node, c.rings))
    return [c.row("prelu_forward", record, c.tensor("x"), c.tensor("alpha"), c.tensor("y"))]


def _softmax(c: Context) -> list[Row]:
    record = c.record("tiny_softmax", r.softmax_record(c.graph, c.node, c.rings))
    return [c.row("softmax_forward", record, c.tensor("x"), c.tensor("table"), c.tensor("y"))]


def _log_softmax(c: Context) -> list[Row]:
    record = c.record("tiny_log_softmax", r.log_softmax_record(c.graph, c.node, c.rings))
    return [c.row("log_softmax_forward", record, c.tensor("x"), c.tensor("table"), c.tensor("y"))]


def _mask(c: Context) -> list[Row]:
    fields = r.mask_record(c.graph, c.node, c.rings)
    record = c.record("tiny_mask", fields, "mask")
    return [c.row("mask_forward", record, c.tensor("y"), c.tensor("mask"))]


def _loss(c: Context) -> list[Row]:
    fields = r.softmax_loss_record(c.graph, c.node)
    record = c.record("tiny_loss", fields)
    before = (c.tensor("x"), c.tensor("table"), STATE)
    return [c.row("softmax_loss", record, *before, c.tensor("dy"), c.scale("dy"))]


def _target_loss(c: Context) -> list[Row]:
    fields = r.target_loss_record(c.graph, c.node)
    record = c.record("tiny_target_loss", fields)
    table = (c.tensor("table"),) if "table" in c.node.inputs else ()
    before = (c.tensor("x"), c.tensor("target"), *table, STATE)
    return [c.row(c.node.op, record, *before, c.tensor("dy"), c.scale("dy"))]


def _advance(c: Context) -> list[Row]:
    record = c.record("tiny_advance", r.advance_record(c.node))
    return [c.row("advance_scales", record, STATE)]


def _fisher(c: Context) -> list[Row]:
    record = c.record("tiny_fisher", r.fisher_record(c.graph, c.node), "fisher")
    return [c.row("fisher", record, c.tensor("y"), c.tensor("dy"), c.scale("dy"), c.tensor("d"))]


def _sub_backward(c: Context) -> list[Row]:
    """The gradient of b; that of a is that of the difference."""
    fields = r.count_record(c.graph, c.node.inputs["dy"])
    record = c.record("tiny_gradient_sum", fields, "gradient")
    dx = (c.tensor("dx"), c.scale("dx"))
    return [c.row("sub_backward_b", record, c.tensor("dy"), c.scale("dy"), c.tensor("mask"), *dx)]


RULES: dict[str, Rule] = {
    "source": _source,
    "conv2d": _forward,
    "depthwise": _forward,
    "fully_connected": _forward,
    "average_pool": _unary("average_pool_forward", "tiny_pool", r.pool_record),
    "max_pool": _unary("max_pool_forward", "tiny_pool", r.pool_record),
    "mean": _unary("mean_forward", "tiny_mean", r.mean_record),
    "pad": _unary("pad_forward", "tiny_pad", r.pad_record),
    "take": _unary("take_forward", "tiny_take", r.take_record),
    "transpose": _unary("transpose_forward", "tiny_transpose", r.transpose_record),
    "keep": _unary("copy_forward", "tiny_copy", r.keep_record, "kept"),
    "reshape": _view,
    "concatenate": _concatenate,
    "add": _binary("add", r.add_record),
    "sub": _binary("add", r.add_record),
    "mul": _binary("mul", r.mul_record),
    "prelu": _prelu,
    "maximum": _binary("minimum", r.minimum_record),
    "minimum": _binary("minimum", r.minimum_record),
    "lookup": _lookup,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "mask": _mask,
    "softmax_loss": _loss,
    "squared_loss": _target_loss,
    "sigmoid_loss": _target_loss,
    "conv2d_backward_input": _backward,
    "depthwise_backward_input": _backward,
    "fully_connected_backward_input": _backward,
    "average_pool_backward_input": _unary_backward("tiny_pool", r.pool_record),
    "max_pool_backward_input": _unary_backward("tiny_pool", r.pool_record, "x"),
    "mean_backward_input": _unary_backward("tiny_mean", r.mean_record),
    "concatenate_backward_input": _part_backward,
    "transpose_backward_input": _unary_backward("tiny_transpose", r.transpose_record),
    "lookup_backward_input": _unary_backward("tiny_lookup", r.lookup_record, "x", "slope"),
    "pad_backward_input": _unary_backward("tiny_pad", r.pad_record),
    "take_backward_input": _unary_backward("tiny_take", r.take_record),
    "softmax_backward_input": _unary_backward("tiny_softmax", r.softmax_record, "y"),
    "sub_backward_input": _sub_backward,
    "mul_backward_input": _binary_backward("mul", r.mul_record, "x"),
    "prelu_backward_input": _unary_backward("tiny_prelu", r.prelu_record, "x", "alpha"),
    "maximum_backward_input": _binary_backward("minimum", r.minimum_record, "a", "y"),
    "minimum_backward_input": _binary_backward("minimum", r.minimum_record, "a", "y"),
    "reshape_backward_input": _view,
    "gradient_add": _gradient_add,
    "conv2d_update": _update,
    "depthwise_update": _update,
    "fully_connected_update": _update,
    "bias_update": _bias,
    "fisher": _fisher,
    "advance": _advance,
}
