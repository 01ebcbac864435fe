"""Puts the channels first that a scheme trains, where it asks for others than the first.

A kernel trains the first channels of what it reads. So the layer that makes them has to make them
in another order, and all that handles them on the way goes along: weights, biases and scales. No
output changes. Among the trained ones the order of the source is kept, and with it the order in
which remainders of rounding go along a row (SPEC 6.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.passes.channels import Indices, Region, region_of
from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, Node, Tensor
from tinyflash.layers import weight_of, weight_scales
from tinyflash.scheme import LayerUpdate


def choose_channels(graph: Graph, updates: Mapping[str, LayerUpdate]) -> Graph:
    """The forward graph with the chosen channels first, for all layers that choose."""
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
                'channels = "largest" out for it'
            )
        region.take(_order(region, updates), taken)
        done.update(region.maps)
    return replace(graph, tensors={**graph.tensors, **taken})


def _chooses(update: LayerUpdate) -> bool:
    return update.choice != "first" and 0 < update.kept < update.channels


def _order(region: Region, updates: Mapping[str, LayerUpdate]) -> Indices:
    """Channels by blocks: those that all layers train, those that fewer do, and those that none
    does, each block in the order of the source."""
    layers = [n for n in (*region.readers, *region.depthwise) if n.name in updates]
    choosing = [n for n in layers if _chooses(updates[n.name])]
    strengths = sum(_strengths(region.graph, n) for n in choosing)
    ranked = np.argsort(-np.asarray(strengths), kind="stable")
    ends = sorted({updates[n.name].kept for n in choosing})
    blocks = np.split(ranked, ends)
    return np.concatenate([np.sort(block) for block in blocks])


def _strengths(graph: Graph, node: Node) -> npt.NDArray[np.float64]:
    """For each input channel its share in the layer's weights: in their squares, as reals."""
    w = np.asarray(graph.tensors[weight_of(node)[0]].data).astype(np.float64)
    scales = np.asarray(weight_scales(graph, node))
    by_row = scales if node.operator.depthwise else scales.reshape(-1, *[1] * (w.ndim - 1))
    squares: npt.NDArray[np.float64] = ((w * by_row) ** 2).reshape(-1, w.shape[-1]).sum(axis=0)
    return squares / max(float(squares.sum()), 1e-300)
