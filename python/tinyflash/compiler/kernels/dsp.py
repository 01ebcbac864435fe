"""The conditions and the scratch of lib/kernels/dsp."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.constants import add_constants, mul_multiplier
from tinyflash.compiler.kernels.needs import Needs
from tinyflash.graph import DenseAttrs, Graph, Node, Pair, WindowAttrs, aligned
from tinyflash.layers import in_channels, multiplier_of, out_channels

_POSITIONS = 4  # of a tile of gradients (gradient.h), and of outputs in planes (planes.h)
# Of lib/kernels/dsp/tile.h.
_WIDE = 6  # positions
_TILE_BYTES = 24 + 48  # of a tile and a part
_OUTPUT_BYTES = 16  # of a tiny_output
_OUTPUT_SHIFT_MAX = 22  # of lib/kernels/dsp/output.h
# Of lib/kernels/dsp/position.h.
_FEW = 2  # positions
_ROWS_BYTES = 72  # of what the loop reads
# Of lib/kernels/dsp/gradient.h.
_COLUMNS = 4
_ROWS = 8
_RESCALED_TILES = 4
_RESCALED_BYTES = 6144
_PANEL_BYTES = 4864  # of lib/kernels/dsp/panel.h
# Of lib/kernels/dsp/planes.h and depthwise_gradient.c.
_CHANNELS = 4
_KERNEL_MAX = 7
_PLANES_BYTES = 4096
_VALUES_BYTES = 512
_TAPS = 3  # of lib/kernels/dsp/depthwise_update.c


def _one_group(_graph: Graph, node: Node) -> bool:
    return not isinstance(node.attrs, WindowAttrs) or node.attrs.groups == 1


def _tiling(graph: Graph, node: Node) -> int:
    """Constants of all outputs, inputs of a tile, the last rows of the weights, and outputs of a
    tile with fewer positions."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    taps = prod(node.attrs.window.kernel) if isinstance(node.attrs, WindowAttrs) else 1
    out, kept = out_channels(graph, node), node.attrs.kept
    parts = (taps * kept, taps * (in_channels(graph, node) - kept))
    apart = min(out, 3 if 1 in parts else 1)  # rows of weights
    inputs = sum(aligned(terms) for terms in parts)
    rows = sum(aligned(terms) + aligned((apart - 1) * terms) for terms in parts)
    return out * _OUTPUT_BYTES + inputs * _WIDE * 2 + _TILE_BYTES + rows + _WIDE * out


def _vectors(graph: Graph, node: Node) -> int:
    """The same; or where there are few positions, and no part of a few terms: sums of all outputs,
    and inputs of one position."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    kept = node.attrs.kept
    parts = (kept, in_channels(graph, node) - kept)
    if _positions(graph, node, "y") > _FEW or min(terms for terms in parts if terms) < 4:
        return _tiling(graph, node)
    return out_channels(graph, node) * 4 + aligned(max(parts)) * 2 + _ROWS_BYTES


def _windows(graph: Graph, node: Node) -> int:
    """The same, and the terms of one window."""
    assert isinstance(node.attrs, WindowAttrs)
    terms = prod(node.attrs.window.kernel) * in_channels(graph, node)
    return _tiling(graph, node) + aligned(terms)


def _in_planes(graph: Graph, node: Node) -> bool:
    """Four channels or more, each read by one output; the strides and kernels that have loops."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    return (
        multiplier_of(graph, node) == 1
        and out_channels(graph, node) >= _CHANNELS
        and window.dilation == (1, 1)
        and window.stride[1] in (1, 2)
        and window.kernel[1] <= _KERNEL_MAX
    )


def _gradient_in_planes(graph: Graph, node: Node) -> bool:
    return _in_planes(graph, _layer(graph, node))


def _planes(graph: Graph, node: Node) -> int:
    """Planes of four channels for a block of rows, their paired weights, and the last outputs of
    its rows."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    height, width = graph.tensors[node.outputs["y"]].shape[-3:-1]
    planes, block = _correlation((height, width), window.kernel, window.stride)
    return planes + block * _POSITIONS


def _correlation(outputs: Pair, kernel: Pair, stride: Pair) -> Pair:
    """Returns the bytes that tiny_planes_divide divides, and the rows of a block."""
    (rows, width), (kernel_h, kernel_w), (stride_h, stride_w) = outputs, kernel, stride
    columns = -(-width // _POSITIONS) * _POSITIONS * stride_w + kernel_w + 1
    row = -(-columns // 2) * 4 * _CHANNELS
    fit = _PLANES_BYTES // row
    block = min(1 if fit < kernel_h else (fit - kernel_h) // stride_h + 1, rows)
    words = 2 * (kernel_w // 2 + 1) if stride_w == 1 else -(-kernel_w // 2)
    weights = kernel_h * words * 4 * _CHANNELS
    return ((block - 1) * stride_h + kernel_h) * row + weights, block


def _phases(graph: Graph, node: Node) -> int:
    """The planes of the largest phase of an input gradient, and elements of some rows."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    height, width = graph.tensors[node.outputs["dx"]].shape[-3:-1]
    outputs = (-(-height // window.stride[0]), -(-width // window.stride[1]))
    kernels = [
        [max(1, taps) for taps in range(-(-size // stride) + 1)]
        for size, stride in zip(window.kernel, window.stride, strict=True)
    ]
    most = max(
        _correlation(shape, (kernel_h, kernel_w), (1, 1))[0]
        for kernel_h in kernels[0][-2:]
        for kernel_w in kernels[1][-2:]
        for shape in _smaller(outputs)
    )
    row = -(-outputs[1] // _POSITIONS) * _POSITIONS * _CHANNELS * 2
    return most + row * max(1, min(outputs[0], _VALUES_BYTES // row))


def _smaller(outputs: Pair) -> list[Pair]:
    """Returns the shapes that phases have: some have a row or a column less."""
    rows, width = outputs
    return [(h, w) for h in {rows, max(rows - 1, 1)} for w in {width, max(width - 1, 1)}]


def _shifted_down(graph: Graph, node: Node) -> bool:
    """The sum is shifted to the right."""
    return add_constants(graph, node)["y"][1] < 0


def _small_product(graph: Graph, node: Node) -> bool:
    """The product is shifted to the right, by no more than leaves room for its zero point."""
    return -_OUTPUT_SHIFT_MAX <= mul_multiplier(graph, node)[1] <= -1


def _layer(graph: Graph, node: Node) -> Node:
    """Returns the forward node of a gradient or an update."""
    return next(n for n in graph.named(node.layer) if n.operator.weighted)


def _one_group_below(graph: Graph, node: Node) -> bool:
    return _one_group(graph, _layer(graph, node))


def _columns(graph: Graph, node: Node) -> int:
    """Rescaled gradients of some positions, and four columns of weights, as pairs of int16; four
    elements of each position."""
    layer = _layer(graph, node)
    out = out_channels(graph, layer)
    pairs = _taps(layer) * -(-out // 2) * 4
    channels = graph.tensors[layer.inputs["x"]].size // _positions(graph, layer, "x")
    positions = graph.tensors[node.outputs["dx"]].size // channels
    fit = min(_RESCALED_TILES, _RESCALED_BYTES // (pairs * _POSITIONS))
    tiles = min(-(-positions // _POSITIONS), max(1, fit))
    return (tiles * _POSITIONS + _COLUMNS) * pairs + tiles * _POSITIONS * _COLUMNS * 2


def _positions(graph: Graph, layer: Node, role: str) -> int:
    """Returns the positions of the input x or the output y of a layer."""
    tensor = {**layer.inputs, **layer.outputs}[role]
    channels = in_channels(graph, layer) if role == "x" else out_channels(graph, layer)
    return graph.tensors[tensor].size // channels


def _taps(layer: Node) -> int:
    return prod(layer.attrs.window.kernel) if isinstance(layer.attrs, WindowAttrs) else 1


def _sums(graph: Graph, node: Node) -> int:
    """Gradients of some output channels at all positions, as pairs of int16; the sums of these
    output channels; and what taps read of four channels at all positions, as pairs."""
    layer = _layer(graph, node)
    assert isinstance(layer.attrs, WindowAttrs | DenseAttrs)
    pairs = -(-_positions(graph, layer, "y") // 2) * 4
    trained = _taps(layer) * aligned(layer.attrs.kept)
    sums, tile = _ROWS * (pairs + trained * 4), _COLUMNS * pairs
    return sums + tile * min(trained // _COLUMNS, max(1, (_PANEL_BYTES - sums) // tile))


def _few_taps(graph: Graph, node: Node) -> bool:
    """Channels are read by one output each, and the kernel has no more taps than 7 x 7."""
    layer = _layer(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    taps = prod(layer.attrs.window.kernel)
    return multiplier_of(graph, layer) == 1 and taps <= _KERNEL_MAX**2


def _tap_planes(graph: Graph, node: Node) -> int:
    """Sums of all taps of four channels, and their planes of x and dy for a block of rows."""
    layer = _layer(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    height, width = graph.tensors[layer.outputs["y"]].shape[-3:-1]
    dy_row = -(-width // 2) * 2
    phase = (dy_row + (w.kernel[1] - 1) * w.dilation[1] // w.stride[1] + 2) // 2 * 2

    def planes(rows: int) -> int:
        read = (rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1
        return _CHANNELS * 2 * (read * w.stride[1] * phase + rows * dy_row)

    fit = [rows for rows in range(1, height + 1) if planes(rows) <= _PLANES_BYTES]
    taps = -(-prod(w.kernel) // _TAPS) * _TAPS
    return _CHANNELS * taps * 4 + planes(max(fit, default=1))


NEEDS = {
    "depthwise_update": Needs(suits=_few_taps, scratch=_tap_planes),
    "conv2d_backward_input": Needs(suits=_one_group_below, scratch=_columns),
    "conv2d_update": Needs(suits=_one_group_below, scratch=_sums),
    "fully_connected_update": Needs(scratch=_sums),
    "add_forward": Needs(suits=_shifted_down),
    "mul_forward": Needs(suits=_small_product),
    "fully_connected_backward_input": Needs(scratch=_columns),
    "depthwise_forward": Needs(suits=_in_planes, scratch=_planes, at_once=True),
    "depthwise_backward_input": Needs(suits=_gradient_in_planes, scratch=_phases, at_once=True),
    "fully_connected_forward": Needs(scratch=_vectors),
    "conv2d_forward": Needs(suits=_one_group, scratch=_windows),
}
