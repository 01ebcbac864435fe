"""Chooses the unit of a network's input for stable training. In the file, the unit is arbitrary."""

from __future__ import annotations

import math
from dataclasses import replace

from tinyflash.graph import Graph, Quant
from tinyflash.layers import weight_of

LARGEST_SCALE = 1 / 128  # of the input: its int8 range then has length 2


def with_input_unit(graph: Graph) -> Graph:
    """Returns the same network with an input unit in which values are about 1, if they were larger.

    Pictures come as 0..255 or as 0..1, sound in decibels. Inference does not depend on the unit.
    But the gradient of the weights that read the input grows with the input, and so does the output
    change that each step of these weights makes: at 0..255 these layers diverge at rates that all
    other layers need. This pass divides the input's scale by a power of two and multiplies the
    scales of the weights that read it by the same power. Every product of both stays, so inference
    is bit-equal.
    """
    quant = graph.tensors[graph.input.tensor].quant
    if quant is None or quant.scale[0] <= LARGEST_SCALE:
        return graph
    return _divided(graph, math.ceil(math.log2(quant.scale[0] / LARGEST_SCALE)))


def with_file_unit(graph: Graph) -> Graph:
    """Returns the same network with its input in the port's unit: undoes `with_input_unit`."""
    quant, outer = graph.tensors[graph.input.tensor].quant, graph.input.quant
    if quant is None or outer is None or quant.scale == outer.scale:
        return graph
    return _divided(graph, round(math.log2(quant.scale[0] / outer.scale[0])))


def _divided(graph: Graph, power: int) -> Graph:
    """Divides the input's scale by 2^power, and multiplies the scales of the weights that read
    it."""
    scaled, weights = _reached(graph)
    if not weights:
        return graph
    changed = dict(graph.tensors)
    for name in (*scaled, *weights):
        tensor = graph.tensors[name]
        assert tensor.quant is not None
        quant = _scaled(tensor.quant, power if name in weights else -power)
        changed[name] = replace(tensor, quant=quant)
    return replace(graph, tensors=changed)


def _reached(graph: Graph) -> tuple[set[str], set[str]]:
    """Returns the tensors in the input's unit, and the weights that read them. Returns nothing if
    other operators read them."""
    scaled = {graph.input.tensor}
    weights: set[str] = set()
    for node in graph.nodes:
        if not scaled & set(node.inputs.values()):
            continue
        if node.operator.weighted:
            weights.update(weight_of(node))
        elif node.operator.same_unit and "x" in node.inputs:
            scaled.update(node.outputs.values())
        else:
            return set(), set()
    return scaled, weights


def _scaled(quant: Quant, power: int) -> Quant:
    return replace(quant, scale=tuple(math.ldexp(s, power) for s in quant.scale))
