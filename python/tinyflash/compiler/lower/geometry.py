"""Shapes of a kernel's operands: maps, windows, and rings of maps that are partly in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node, WindowAttrs
from tinyflash.limits import LARGEST_SIDE
from tinyflash.program import Value

Fields = dict[str, Value]
# Tensors with only some rows in the arena: tensor -> number of rows; row r is at r mod number.
Rings = Mapping[str, int]
WHOLE: Rings = MappingProxyType({})


def map_fields(graph: Graph, tensor: str, rings: Rings = WHOLE) -> Fields:
    """tiny_map."""
    height, width, channels = graph.tensors[tensor].shape[-3:]
    ring = rings.get(tensor, height)
    return {"height": height, "width": width, "channels": channels, "ring": ring}


def window_fields(graph: Graph, node: Node, rings: Rings) -> Fields:
    """tiny_window."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    values = (*window.kernel, *window.stride, *window.dilation, *window.padding[:2])
    names = [
        "kernel_h",
        "kernel_w",
        "stride_h",
        "stride_w",
        "dilation_h",
        "dilation_w",
        "pad_top",
        "pad_left",
    ]
    x = map_fields(graph, node.inputs["x"], rings)
    y = map_fields(graph, node.outputs["y"], rings)
    return {"x": x, "y": y, **dict(zip(names, values, strict=True))}


def row_fields(
    graph: Graph, node: Node, units: int, rings: Rings, operands: Mapping[str, str]
) -> Fields:
    """Returns height and rings of a kernel that works row by row. units: what it counts, in all
    rows.

    operands: the tensor of each ring field. If the number of rows does not divide `units`,
    everything is one row, and no operand can be a ring.
    """
    height = rows_computed(graph, node)
    if units % height or height > LARGEST_SIDE:
        height = 1
        if not rings.keys().isdisjoint(operands.values()):
            raise InternalError(f"plan: {node.op} {node.name} cannot go by rows")
    fields: Fields = {"height": height}
    return {**fields, **{name: rings.get(tensor, height) for name, tensor in operands.items()}}
