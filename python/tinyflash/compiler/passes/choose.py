"""Reorders channels so that the trained ones come first, if a scheme picks others.

A kernel trains the first channels of its input. So the layer that makes them must make them in
another order, and everything on the way is reordered too: weights, biases and scales. No output
changes. The trained channels keep the order of the source, so the remainders of rounding are
carried along a row in the same order (SPEC 6.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.passes.channels import Indices, Region, region_of
from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, Node, Tensor
from tinyflash.layers import multiplier_of, weight_of, weight_scales
from tinyflash.scheme import LayerUpdate
from tinyflash.scheme.rules import Choice
from tinyflash.tensors import Taken


def choose_channels(graph: Graph, updates: Mapping[str, LayerUpdate]) -> Graph:
    """Returns the forward graph with the chosen channels first, for all layers that choose."""
    taken: dict[str, Tensor] = {}
    done: set[str] = set()
    for node in graph.nodes:
        update = updates.get(node.name)
        if not node.operator.weighted or update is None or not _chooses(update):
            continue
        if node.inputs["x"] in done:
            continue
        region = region_of(graph, node.inputs["x"])
        if region is None:
            raise SchemeError(
                f"scheme: layer {node.name!r} cannot choose its channels: their order is fixed by "
                "the network's input, or by an operator that joins or moves channels; leave "
                "channels out for it"
            )
        region.take(_order(region, updates), taken)
        done.update(region.maps)
    return replace(graph, tensors={**graph.tensors, **taken})


def check_listed(graph: Graph, choices: Mapping[str, Choice]) -> None:
    """Raises SchemeError if a layer lists a channel that it does not have. A layer that trains all
    of them, or none, would not look at its list."""
    for node in graph.nodes:
        choice = choices.get(node.name)
        if isinstance(choice, tuple):
            _listed(graph, node, choice)


def _chooses(update: LayerUpdate) -> bool:
    return update.choice != "first" and 0 < update.kept < update.channels


def _order(region: Region, updates: Mapping[str, LayerUpdate]) -> Indices:
    """Returns the channels in blocks: trained by all layers, by fewer, by none. Each block is in
    the order of the source."""
    layers = [n for n in (*region.readers, *region.depthwise) if n.name in updates]
    choosing = [n for n in layers if _chooses(updates[n.name])]
    strengths = sum(_strengths(region.graph, n, updates[n.name].choice) for n in choosing)
    ranked = np.argsort(-np.asarray(strengths), kind="stable")
    ends = sorted({updates[n.name].kept for n in choosing})
    blocks = np.split(ranked, ends)
    return np.concatenate([np.sort(block) for block in blocks])


def _strengths(graph: Graph, node: Node, choice: Choice) -> npt.NDArray[np.float64]:
    """Returns how much a layer wants each input channel: as it is listed; else its share in the sum
    of the layer's squared real weights."""
    if isinstance(choice, tuple):
        return _listed(graph, node, choice)
    w = np.asarray(graph.tensors[weight_of(node)[0]].data).astype(np.float64)
    scales = np.asarray(weight_scales(graph, node))
    by_row = scales if node.operator.depthwise else scales.reshape(-1, *[1] * (w.ndim - 1))
    squares: npt.NDArray[np.float64] = ((w * by_row) ** 2).reshape(-1, w.shape[-1]).sum(axis=0)
    return squares / max(float(squares.sum()), 1e-300)


def channel_numbers(graph: Graph, node: Node) -> list[int]:
    """Returns the numbers that the input channels of a layer have in the source model."""
    w = graph.tensors[weight_of(node)[0]]
    step = multiplier_of(graph, node)
    taken = w.taken or Taken()
    if node.operator.depthwise:
        return [row // step for row in (taken.rows or range(w.shape[-1]))[::step]]
    return list(taken.columns or range(w.shape[-1]))


def _listed(graph: Graph, node: Node, choice: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Returns 1 for the first one that is listed, less for every next one, 0 for others."""
    numbers = channel_numbers(graph, node)
    known = set(numbers)
    missing = next((number for number in choice if number not in known), None)
    if missing is not None:
        raise SchemeError(
            f"scheme: layer {node.name!r} has no input channel {missing} that can learn; leave it "
            "out of the channels"
        )
    places = {number: place for place, number in enumerate(choice)}
    worth = [1 - places.get(number, len(choice)) / len(choice) for number in numbers]
    return np.array(worth)
