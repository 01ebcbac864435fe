"""Removes silent channels: those that are at their lower bound for every input.

Released networks have many: 228 of 256 in the person detector's last convolution. A silent channel
is always clipped, so its mask is 0 and no gradient reaches it: it cannot learn. If its bound is the
zero point, as after a ReLU, it adds nothing to its readers. Removing it, with the weights that read
it, keeps inference bit-equal.

The scheme's option for this is `dead_channels`. The dead channels of SPEC 6.6 are others: those
whose weight scale is too small to train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.constants import output_multipliers
from tinyflash.compiler.passes.channels import Region, passes_channels, region_of
from tinyflash.graph import Graph, Node, Tensor
from tinyflash.layers import clip_of, groups_of, weight_of
from tinyflash.quantize.fixedpoint import mulq

Flags = npt.NDArray[np.bool_]


def remove_silent(graph: Graph) -> Graph:
    """Returns a forward graph without channels that are always at their zero point."""
    still = _still_channels(graph)
    taken: dict[str, Tensor] = {}
    fixed: set[str] = set()
    for node in graph.nodes:
        if not node.operator.weighted or node.operator.depthwise or node.outputs["y"] in fixed:
            continue
        region = region_of(graph, node.outputs["y"], fixed)
        if region is None:
            continue
        if region.makers != [node] or region.sums:
            fixed.update(region.maps)  # other makers would find the same
            continue
        gone = _gone(region, still)
        if gone.all():
            gone[0] = False  # a map has at least one channel
        if gone.any():
            region.take(np.flatnonzero(~gone), taken)
    return replace(graph, tensors={**graph.tensors, **taken})


def _gone(region: Region, still: Mapping[str, Flags]) -> Flags:
    """Returns the channels of a region that are silent for all of its readers."""
    seen = [still[n.inputs["x"]] for n in region.readers]
    seen += [still[n.outputs["y"]] for n in region.depthwise]
    gone: Flags = np.logical_and.reduce(seen)
    return gone


# ---- Which channels are silent ------------------------------------------------------------------


def _still_channels(graph: Graph) -> dict[str, Flags]:
    """Returns, for each tensor, the channels that always hold the zero point, at the bound of their
    clip."""
    still: dict[str, Flags] = {graph.input.tensor: _none(graph, graph.input.tensor)}
    for node in graph.nodes:
        y = node.outputs["y"]
        still[y] = _none(graph, y)
        if node.operator.weighted:
            still[y] = _clipped(graph, node, still)
        elif passes_channels(graph, node):
            still[y] = still[node.inputs["x"]]
    return still


def _none(graph: Graph, tensor: str) -> Flags:
    return np.zeros(graph.tensors[tensor].shape[-1:] or (1,), np.bool_)


def _clipped(graph: Graph, node: Node, still: Mapping[str, Flags]) -> Flags:
    """Returns the output channels whose largest possible sum is clipped to the lower bound, the
    zero point."""
    x, w = graph.tensors[node.inputs["x"]], graph.tensors[weight_of(node)[0]]
    y = graph.tensors[node.outputs["y"]]
    clip = clip_of(node)
    if x.quant is None or y.quant is None or y.quant.zero != clip.low or x.data is not None:
        return _none(graph, y.name)
    weights = np.asarray(w.data).astype(np.int64)
    ends = (weights * (bound - x.quant.zero) for bound in (-128, 127))
    largest = np.maximum(0, np.maximum(*ends))  # 0: in the padding
    if groups_of(node) == 1:
        silent = still[x.name] if len(still[x.name]) == w.shape[-1] else _none(graph, x.name)
        largest[..., np.resize(silent, w.shape[-1])] = 0
    sums = np.moveaxis(largest, node.operator.out_axis, 0)
    total = sums.reshape(len(sums), -1).sum(axis=1)
    if "b" in node.inputs:
        total = total + np.asarray(graph.tensors[node.inputs["b"]].data).astype(np.int64)
    multipliers, shifts = output_multipliers(graph, node)
    highest = mulq(total, multipliers.values, shifts.values) + y.quant.zero
    clipped: Flags = highest <= clip.low
    return clipped
