"""What the bytes at a program's ends mean: shape and unit."""

from __future__ import annotations

from tinyflash.compiler.lower.notes import shape_of_one
from tinyflash.graph import Graph, Port, Tensor
from tinyflash.program import Form


def port_form(graph: Graph, port: Port) -> Form:
    """Returns the form of the bytes at a port. The unit is the file's: the graph may compute with
    another one (passes/unit.py)."""
    tensor = graph.tensors[port.tensor]
    quant = port.quant or tensor.quant
    shape = shape_of_one(tensor)
    return Form(shape) if quant is None else Form(shape, quant.scale[0], quant.zero)


def tensor_form(tensor: Tensor) -> Form:
    """Returns the form of a tensor that the caller writes."""
    assert tensor.quant is not None
    return Form(shape_of_one(tensor), tensor.quant.scale[0], tensor.quant.zero)
