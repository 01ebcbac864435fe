"""The conditions and the scratch of lib/kernels/mve."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.constants import add_constants, mul_multiplier, ratio_shift
from tinyflash.compiler.kernels.mve_planes import (
    CHANNELS_MAX,
    LANES,
    MOVERS_BYTES,
    channel_planes,
    gathered,
    gathered_back,
    gathered_by_taps,
    planes_back,
    tap_sums,
)
from tinyflash.compiler.kernels.needs import Needs, layer_of
from tinyflash.graph import Graph, Node, Window, WindowAttrs
from tinyflash.layers import in_channels, out_channels

_TILE_ROWS = 4  # of lib/kernels/mve/tiles.h, of an input gradient
_TILE_COLUMNS = 2
_SIXTEEN = 16
# Of lib/kernels/mve/forward.h.
_OUTPUTS = 3
_PLACES = 2
_RATIO_SHIFT_MAX = 7  # of lib/kernels/mve/columns.c
# Of lib/kernels/mve/conv2d_input_gradient.c.
_POSITIONS = 32
_POSITIONS_BYTES = 6144
_PHASE_BYTES = 20
# Of lib/kernels/mve/conv2d_update.c, and of tiles.h the last.
_BLOCK = 24
_LARGE_BLOCK = 48
_LARGE_PITCH = 32
_SMALL_BLOCK = 12
_FEW = 16
_FEW_SUMS = 64
_BLOCK_BYTES = 6144
_SUMS = 24
_PRODUCTS = 32  # of lib/kernels/mve/fully_connected_single.c
# What a map of the library counts in 16 bits.
_MAP_MAX = 65_535


def _one_group(graph: Graph, node: Node) -> bool:
    layer = layer_of(graph, node)
    is_one = not isinstance(layer.attrs, WindowAttrs) or layer.attrs.groups == 1
    return is_one and _is_narrow(graph, layer)


def _as_conv2d(graph: Graph, node: Node) -> bool:
    """Fully connected layers whose vectors fit a map."""
    layer = layer_of(graph, node)
    return _positions(graph, layer, "x") <= _MAP_MAX and _is_narrow(graph, layer)


def _is_narrow(graph: Graph, layer: Node) -> bool:
    """What is transposed lies near enough: weights, gradients, what a tap reads of x; and
    gradients are rescaled in 16 bits."""
    window = layer.attrs.window if isinstance(layer.attrs, WindowAttrs) else Window((1, 1))
    inputs = max(prod(window.kernel), window.stride[1]) * in_channels(graph, layer)
    farthest = max(inputs, out_channels(graph, layer))
    return farthest < CHANNELS_MAX and ratio_shift(graph, layer) <= _RATIO_SHIFT_MAX


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
    layer = layer_of(graph, node)
    taps, strides = 1, 1
    if isinstance(layer.attrs, WindowAttrs):
        window = layer.attrs.window
        axes = zip(window.padding[:2], window.kernel, window.dilation, window.stride, strict=True)
        taps, strides = prod(_most_taps(*axis) for axis in axes), prod(window.stride)
    pitch = max(1, -(-taps * out_channels(graph, layer) // 8)) * 8
    fit = _POSITIONS_BYTES // (pitch * 2) // _TILE_ROWS * _TILE_ROWS
    positions = min(max(fit, _TILE_ROWS), _POSITIONS)
    apart = min(strides, positions)
    rows = positions if strides == 1 else positions + (_TILE_ROWS - 1) * apart
    fixed = positions * _SIXTEEN * 4 + rows * 4 + apart * _PHASE_BYTES
    return fixed + rows * pitch * 2 + _TILE_COLUMNS * pitch


def _learning(graph: Graph, node: Node) -> int:
    """What the weights of a block of output channels need to move; its gradients, two columns of
    inputs."""
    pitch = -(-_positions(graph, layer_of(graph, node), "y") // 16) * 16
    block = _BLOCK if _BLOCK * pitch <= _BLOCK_BYTES else _SMALL_BLOCK
    block = _LARGE_BLOCK if pitch <= _LARGE_PITCH else block
    rows, sums, columns = block, _SUMS, _TILE_COLUMNS
    if pitch == _FEW:
        rows, sums, columns = LANES, _FEW_SUMS, _FEW_SUMS
    return block // LANES * MOVERS_BYTES + sums * rows * 4 + (block + columns) * pitch


def _is_single(graph: Graph, node: Node) -> bool:
    return _positions(graph, layer_of(graph, node), "y") == 1


def _vector_descent(graph: Graph, node: Node) -> int:
    """Rescaled gradients only, of one vector."""
    single = out_channels(graph, layer_of(graph, node)) * 2
    return single if _is_single(graph, node) else _descent(graph, node)


def _vector_learning(graph: Graph, node: Node) -> int:
    """What four rows need to move and their products, of one vector."""
    single = MOVERS_BYTES + _PRODUCTS * LANES * 4
    return single if _is_single(graph, node) else _learning(graph, node)


def _one_group_forward(_graph: Graph, node: Node) -> bool:
    return not isinstance(node.attrs, WindowAttrs) or node.attrs.groups == 1


def _two_positions(graph: Graph, node: Node) -> int:
    """What sums of all outputs begin with, sums of two positions."""
    out = out_channels(graph, node)
    return (1 + _PLACES) * 4 * (out if out >= _OUTPUTS else out + _OUTPUTS - 1)


def _vectors(graph: Graph, node: Node) -> int:
    """The same; of one vector, a row of zero points."""
    channels = in_channels(graph, node)
    single = graph.tensors[node.inputs["x"]].size == channels
    return _two_positions(graph, node) + (channels if single else 0)


def _two_windows(graph: Graph, node: Node) -> int:
    """Sums, and the terms of two windows."""
    assert isinstance(node.attrs, WindowAttrs)
    terms = prod(node.attrs.window.kernel) * in_channels(graph, node)
    return _two_positions(graph, node) + _PLACES * terms


def _to_the_right(graph: Graph, node: Node) -> bool:
    """Operands and sum are shifted to the right, or not at all."""
    return all(shift <= 0 for _, shift in add_constants(graph, node).values())


def _product_to_the_right(graph: Graph, node: Node) -> bool:
    """The product is shifted to the right, or not at all."""
    return mul_multiplier(graph, node)[1] <= 0


NEEDS = {
    "mul_forward": Needs(suits=_product_to_the_right),
    "add_forward": Needs(suits=_to_the_right),
    "depthwise_forward": Needs(suits=gathered, scratch=channel_planes, at_once=True),
    "depthwise_backward_input": Needs(suits=gathered_back, scratch=planes_back, at_once=True),
    "depthwise_update": Needs(suits=gathered_by_taps, scratch=tap_sums),
    "conv2d_forward": Needs(suits=_one_group_forward, scratch=_two_windows),
    "fully_connected_forward": Needs(scratch=_vectors),
    "conv2d_backward_input": Needs(suits=_one_group, scratch=_descent),
    "conv2d_update": Needs(suits=_one_group, scratch=_learning),
    "fully_connected_backward_input": Needs(suits=_as_conv2d, scratch=_vector_descent),
    "fully_connected_update": Needs(suits=_as_conv2d, scratch=_vector_learning),
}
