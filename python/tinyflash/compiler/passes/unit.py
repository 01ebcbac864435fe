"""Chooses the unit of a network's input, which the file leaves to chance, for training's sake."""

from __future__ import annotations

import math
from dataclasses import replace

from tinyflash.graph import Graph, Quant
from tinyflash.layers import weight_of

LARGEST_SCALE = 1 / 128  # of the input: its int8 range then spans 2


def with_input_unit(graph: Graph) -> Graph:
    """The same network with its input in a unit in which it is about 1, if it was larger.

    Pictures come as 0..255 or as 0..1, sound in decibels. To inference that makes no difference.
    But the gradient of the weights that read the input grows with it, and so do in turn the output
    differences that a step of theirs makes: at 0..255 these layers diverge at rates that all others
    need. The input's scale is divided by a power of two, and the scales of the weights that read it
    are multiplied by it, so every product of both, and with it every bit of inference, stays.
    """
    quant = graph.tensors[graph.input.tensor].quant
    if quant is None or quant.scale[0] <= LARGEST_SCALE:
        return graph
    return _divided(graph, math.ceil(math.log2(quant.scale[0] / LARGEST_SCALE)))


def with_file_unit(graph: Graph) -> Graph:
    """The same network with its input in the unit that its port has: undoes `with_input_unit`."""
    quant, outer = graph.tensors[graph.input.tensor].quant, graph.input.quant
    if quant is None or outer is None or quant.scale == outer.scale:
        return graph
    return _divided(graph, round(math.log2(quant.scale[0] / outer.scale[0])))


def _divided(graph: Graph, power: int) -> Graph:
    """The input's scale divided by 2^power, and the scales of what reads it multiplied."""
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
    """Tensors in the input's unit, and the weights that read them; nothing, where others do."""
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
