"""The conditions and the scratch of lib/kernels/dsp."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.kernels.needs import Needs
from tinyflash.graph import DenseAttrs, Graph, Node, WindowAttrs, aligned
from tinyflash.layers import in_channels, out_channels

_POSITIONS = 4  # of a tile (tile.h)
_OUTPUT_BYTES = 16  # of a tiny_tile_output


def _one_group(_graph: Graph, node: Node) -> bool:
    return not isinstance(node.attrs, WindowAttrs) or node.attrs.groups == 1


def _tiling(graph: Graph, node: Node) -> int:
    """Constants of all outputs, inputs of a tile, and outputs of a tile with fewer positions."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    taps = prod(node.attrs.window.kernel) if isinstance(node.attrs, WindowAttrs) else 1
    out, kept = out_channels(graph, node), node.attrs.kept
    parts = (taps * kept, taps * (in_channels(graph, node) - kept))
    inputs = sum(aligned(terms) for terms in parts) * _POSITIONS * 2
    return out * _OUTPUT_BYTES + inputs + _POSITIONS * out


def _windows(graph: Graph, node: Node) -> int:
    """The same, and the terms of one window."""
    assert isinstance(node.attrs, WindowAttrs)
    terms = prod(node.attrs.window.kernel) * in_channels(graph, node)
    return _tiling(graph, node) + aligned(terms)


NEEDS = {
    "fully_connected_forward": Needs(scratch=_tiling),
    "conv2d_forward": Needs(suits=_one_group, scratch=_windows),
}
