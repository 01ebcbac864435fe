"""The conditions and the scratch of lib/kernels/mve."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.kernels.needs import Needs
from tinyflash.graph import Graph, Node, WindowAttrs
from tinyflash.layers import in_channels, out_channels

_TILE_ROWS = 3  # of lib/kernels/mve/gradient.h
_TILE_COLUMNS = 2
_STORED_AT_ONCE = 24
# Of lib/kernels/mve/conv2d_gradients.c.
_POSITIONS = 18
_POSITIONS_BYTES = 6144
_PHASE_BYTES = 20
_BLOCK = 24
_SMALL_BLOCK = 12
_BLOCK_BYTES = 6144
_SUMS = 24
_LANES = 4
_MOVERS_BYTES = 5 * 16 + 4 * 8 + 16  # of four rows
# What a map of the library counts in 16 bits.
_MAP_MAX = 65_535


def _layer(graph: Graph, node: Node) -> Node:
    """Returns the forward node of a gradient or an update."""
    return next(n for n in graph.named(node.layer) if n.operator.weighted)


def _one_group(graph: Graph, node: Node) -> bool:
    attrs = _layer(graph, node).attrs
    return not isinstance(attrs, WindowAttrs) or attrs.groups == 1


def _as_conv2d(graph: Graph, node: Node) -> bool:
    """Fully connected layers whose vectors fit a map."""
    layer = _layer(graph, node)
    channels = in_channels(graph, layer), out_channels(graph, layer)
    return max(*channels, _positions(graph, layer, "x")) <= _MAP_MAX


def _positions(graph: Graph, layer: Node, role: str) -> int:
    """Returns the positions of the input x or the output y of a layer."""
    tensor = {**layer.inputs, **layer.outputs}[role]
    channels = in_channels(graph, layer) if role == "x" else out_channels(graph, layer)
    return graph.tensors[tensor].size // channels


def _most_taps(pad: int, kernel: int, dilation: int, stride: int) -> int:
    """Returns the taps along one axis that read one position, at most."""
    return max(
        sum((at + pad - tap * dilation) % stride == 0 for tap in range(kernel))
        for at in range(stride)
    )


def _descent(graph: Graph, node: Node) -> int:
    """Sums, positions, phases, rescaled gradients and two columns of weights."""
    layer = _layer(graph, node)
    taps, strides = 1, 1
    if isinstance(layer.attrs, WindowAttrs):
        window = layer.attrs.window
        axes = zip(window.padding[:2], window.kernel, window.dilation, window.stride, strict=True)
        taps, strides = prod(_most_taps(*axis) for axis in axes), prod(window.stride)
    pitch = max(1, -(-taps * out_channels(graph, layer) // 8)) * 8
    fit = _POSITIONS_BYTES // (pitch * 2) // _TILE_ROWS * _TILE_ROWS
    positions = min(max(fit, _TILE_ROWS), _POSITIONS)
    apart = min(strides, positions)
    rows = positions if strides == 1 else positions + 2 * apart
    fixed = positions * _STORED_AT_ONCE * 4 + rows * 4 + apart * _PHASE_BYTES
    return fixed + rows * pitch * 2 + _TILE_COLUMNS * pitch


def _learning(graph: Graph, node: Node) -> int:
    """What the weights of a block of output channels need to move; its gradients, two columns of
    inputs."""
    pitch = -(-_positions(graph, _layer(graph, node), "y") // 16) * 16
    block = _BLOCK if _BLOCK * pitch <= _BLOCK_BYTES else _SMALL_BLOCK
    fixed = block // _LANES * _MOVERS_BYTES + block * 4 + _SUMS * block * 4
    return fixed + (block + _TILE_COLUMNS) * pitch


NEEDS = {
    "conv2d_backward_input": Needs(suits=_one_group, scratch=_descent),
    "conv2d_update": Needs(suits=_one_group, scratch=_learning),
    "fully_connected_backward_input": Needs(suits=_as_conv2d, scratch=_descent),
    "fully_connected_update": Needs(suits=_as_conv2d, scratch=_learning),
}
