"""The conditions and the scratch of lib/kernels/mve."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.constants import add_constants, mul_multiplier, ratio_shift
from tinyflash.compiler.kernels.needs import Needs
from tinyflash.graph import Graph, Node, WindowAttrs
from tinyflash.layers import in_channels, multiplier_of, out_channels

_TILE_ROWS = 3  # of lib/kernels/mve/tiles.h
_TILE_COLUMNS = 2
_STORED_AT_ONCE = 24
# Of lib/kernels/mve/forward.h.
_OUTPUTS = 3
_PLACES = 2
# Of lib/kernels/mve/windows.h.
_PLANES = 8
_PLANES_BYTES = 4096
_VECTOR = 16
_OFFSET_MAX = 255
_TOGETHER = 4
_PAIR = 2
_CHANNELS_MAX = 9362
_PLANE_MAX = 9362
_SUMS_BYTES = 2048  # of lib/kernels/mve/depthwise_gradient.c
_RATIO_SHIFT_MAX = 7  # of lib/kernels/mve/products.c
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
    layer = _layer(graph, node)
    is_one = not isinstance(layer.attrs, WindowAttrs) or layer.attrs.groups == 1
    return is_one and _is_narrow(graph, layer)


def _as_conv2d(graph: Graph, node: Node) -> bool:
    """Fully connected layers whose vectors fit a map."""
    layer = _layer(graph, node)
    return _positions(graph, layer, "x") <= _MAP_MAX and _is_narrow(graph, layer)


def _is_narrow(graph: Graph, layer: Node) -> bool:
    """What is transposed lies near enough, and gradients are rescaled in 16 bits."""
    window = layer.attrs.window.kernel if isinstance(layer.attrs, WindowAttrs) else (1, 1)
    stride = max(prod(window) * in_channels(graph, layer), out_channels(graph, layer))
    return stride < _CHANNELS_MAX and ratio_shift(graph, layer) <= _RATIO_SHIFT_MAX


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


def _gathered(graph: Graph, node: Node) -> bool:
    """Each channel is read by one output; offsets of the channels and of a row of taps fit."""
    assert isinstance(node.attrs, WindowAttrs)
    width, dilation = node.attrs.window.kernel[1], node.attrs.window.dilation[1]
    return (
        multiplier_of(graph, node) == 1
        and out_channels(graph, node) <= _CHANNELS_MAX
        and width <= _VECTOR
        and (width - 1) * dilation + node.attrs.window.stride[1] <= _OFFSET_MAX
    )


def _channel_planes(graph: Graph, node: Node) -> int:
    """Planes of eight channels for a block of rows, and what is read behind them; the weights of a
    channel, offsets of the taps of a vector for two outputs."""
    assert isinstance(node.attrs, WindowAttrs)
    w = node.attrs.window
    height, width = graph.tensors[node.outputs["y"]].shape[-3:-1]
    pitch = (width - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1

    def planes(rows: int) -> int:
        read = (rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1
        return _PLANES * read * pitch

    fit = [rows for rows in range(1, height + 1) if planes(rows) <= _PLANES_BYTES]
    held = _rows_of_taps(w.kernel, w.dilation[0] * pitch, w.dilation[1], w.stride[1])
    vectors = -(-w.kernel[0] // held)
    behind = _OFFSET_MAX + _TOGETHER * w.stride[1]
    return planes(max(fit, default=1)) + behind + (vectors + _PAIR) * _VECTOR


def _rows_of_taps(kernel: tuple[int, int], row: int, column: int, following: int) -> int:
    """Returns the rows of taps that a vector holds (tiny_split_window)."""

    def last(rows: int) -> int:
        return (rows - 1) * row + (kernel[1] - 1) * column + following

    held = [rows for rows in range(1, kernel[0] + 1) if rows * kernel[1] <= _VECTOR]
    return max((rows for rows in held if last(rows) <= _OFFSET_MAX), default=1)


def _gathered_back(graph: Graph, node: Node) -> bool:
    """The same of windows with stride 1 in dx; the planes of one row are near enough."""
    layer = _layer(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    reach = (w.kernel[1] - 1) * w.dilation[1]
    plane = ((w.kernel[0] - 1) * w.dilation[0] + 1) * (_width(graph, node) + reach)
    return (
        multiplier_of(graph, layer) == 1
        and w.kernel[1] <= _VECTOR
        and reach + 1 <= _OFFSET_MAX
        and plane <= _PLANE_MAX
    )


def _width(graph: Graph, node: Node) -> int:
    return graph.tensors[node.outputs["dx"]].shape[-2]


def _planes_back(graph: Graph, node: Node) -> int:
    """Sums of eight channels for a block of rows of dx, and planes of dy with what is read behind
    them; their weights, offsets."""
    layer = _layer(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    height, width = graph.tensors[node.outputs["dx"]].shape[-3:-1]
    pitch = width + (w.kernel[1] - 1) * w.dilation[1]

    def planes(rows: int) -> int:
        return _PLANES * (rows + (w.kernel[0] - 1) * w.dilation[0]) * pitch

    def sums(rows: int) -> int:
        return rows * width * _PLANES * 4

    fit = [
        rows
        for rows in range(1, height + 1)
        if planes(rows) <= _PLANES_BYTES and sums(rows) <= _SUMS_BYTES
    ]
    block = max(fit, default=1)
    held = _rows_of_taps(w.kernel, w.dilation[0] * pitch, w.dilation[1], 1)
    vectors = -(-w.kernel[0] // held)
    behind = _OFFSET_MAX + _TOGETHER
    fixed = (_TOGETHER - 1) * _PLANES * 4 + (_PAIR + _PLANES * vectors) * _VECTOR
    return sums(block) + planes(block) + behind + fixed


def _to_the_right(graph: Graph, node: Node) -> bool:
    """Operands and sum are shifted to the right, or not at all."""
    return all(shift <= 0 for _, shift in add_constants(graph, node).values())


def _product_to_the_right(graph: Graph, node: Node) -> bool:
    """The product is shifted to the right, or not at all."""
    return mul_multiplier(graph, node)[1] <= 0


NEEDS = {
    "mul_forward": Needs(suits=_product_to_the_right),
    "add_forward": Needs(suits=_to_the_right),
    "depthwise_forward": Needs(suits=_gathered, scratch=_channel_planes, at_once=True),
    "depthwise_backward_input": Needs(suits=_gathered_back, scratch=_planes_back, at_once=True),
    "conv2d_forward": Needs(suits=_one_group_forward, scratch=_two_windows),
    "fully_connected_forward": Needs(scratch=_vectors),
    "conv2d_backward_input": Needs(suits=_one_group, scratch=_descent),
    "conv2d_update": Needs(suits=_one_group, scratch=_learning),
    "fully_connected_backward_input": Needs(suits=_as_conv2d, scratch=_descent),
    "fully_connected_update": Needs(suits=_as_conv2d, scratch=_learning),
}
