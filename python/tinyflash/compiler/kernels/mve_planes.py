"""The conditions and the scratch of depthwise kernels of lib/kernels/mve."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.kernels.needs import layer_of
from tinyflash.graph import Graph, Node, Pair, Window, WindowAttrs
from tinyflash.layers import multiplier_of, out_channels

# Of lib/kernels/mve/tiles.h.
LANES = 4
MOVERS_BYTES = 7 * 16 + 24  # of four rows
CHANNELS_MAX = 9362  # seven times as many fit in the 16 bits of an offset
_PLANE_MAX = CHANNELS_MAX
# Of lib/kernels/mve/gather.h.
_PLANES = 8
_PLANES_BYTES = 4096
_VECTOR = 16
_OFFSET_MAX = 255
_TOGETHER = 4
_PAIR = 2
# Of lib/kernels/mve/depthwise_gradient.c.
_PHASES_MAX = 16
_PHASE_OF_DX_BYTES = 10 * 4 + 2 * 4 + _PAIR * _VECTOR
_TAPS_MAX = 49  # whose sums an update holds
_SUMS_BYTES = 2048  # of lib/kernels/mve/depthwise_gradient.c


def gathered(graph: Graph, node: Node) -> bool:
    """Each channel is read by one output; offsets of the channels and of a row of taps fit; planes
    of one row are near enough."""
    assert isinstance(node.attrs, WindowAttrs)
    width, dilation = node.attrs.window.kernel[1], node.attrs.window.dilation[1]
    return (
        _plane(graph, node, 1) <= _PLANE_MAX
        and multiplier_of(graph, node) == 1
        and out_channels(graph, node) <= CHANNELS_MAX
        and width <= _VECTOR
        and (width - 1) * dilation + node.attrs.window.stride[1] <= _OFFSET_MAX
    )


def channel_planes(graph: Graph, node: Node) -> int:
    """Planes of eight channels for a block of rows, and what is read behind them; the weights of a
    channel, offsets of the taps of a vector for two outputs."""
    assert isinstance(node.attrs, WindowAttrs)
    w = node.attrs.window
    height = graph.tensors[node.outputs["y"]].shape[-3]
    planes = {rows: _PLANES * _plane(graph, node, rows) for rows in range(1, height + 1)}
    block = max((rows for rows in planes if planes[rows] <= _PLANES_BYTES), default=1)
    held = _rows_of_taps(w.kernel, w.dilation[0] * _pitch(graph, node), w.dilation[1], w.stride[1])
    vectors = -(-w.kernel[0] // held)
    behind = _OFFSET_MAX + _TOGETHER * w.stride[1]
    return planes[block] + behind + (vectors + _PAIR) * _VECTOR


def _pitch(graph: Graph, node: Node) -> int:
    """Returns the columns that a row of outputs reads, padding included."""
    assert isinstance(node.attrs, WindowAttrs)
    w, width = node.attrs.window, graph.tensors[node.outputs["y"]].shape[-2]
    return (width - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1


def _plane(graph: Graph, node: Node, rows: int) -> int:
    """Returns the bytes of one channel that so many rows of outputs read."""
    assert isinstance(node.attrs, WindowAttrs)
    w = node.attrs.window
    return ((rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1) * _pitch(graph, node)


def _rows_of_taps(kernel: tuple[int, int], row: int, column: int, following: int) -> int:
    """Returns the rows of taps that a vector holds (tiny_split_window)."""

    def last(rows: int) -> int:
        return (rows - 1) * row + (kernel[1] - 1) * column + following

    held = [rows for rows in range(1, kernel[0] + 1) if rows * kernel[1] <= _VECTOR]
    return max((rows for rows in held if last(rows) <= _OFFSET_MAX), default=1)


def gathered_back(graph: Graph, node: Node) -> bool:
    """The same of windows with stride 1 in each phase of dx, and few phases; the planes of one row
    are near enough."""
    layer = layer_of(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    rows, pitch = _read_back(graph, node, 1)
    return (
        multiplier_of(graph, layer) == 1
        and w.kernel[1] <= _VECTOR
        and (w.kernel[1] - 1) * w.dilation[1] + 1 <= _OFFSET_MAX
        and prod(_split(w)) <= _PHASES_MAX
        and rows * pitch <= _PLANE_MAX
    )


def _split(w: Window) -> Pair:
    """Returns the phases of dx along both axes: none where one vector holds a window."""
    return (1, 1) if prod(w.kernel) <= _VECTOR else w.stride


def _read_back(graph: Graph, node: Node, places: int) -> tuple[int, int]:
    """Returns the rows of a plane that so many rows of each phase of dx read, and all columns."""
    layer = layer_of(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    split = _split(w)
    columns = -(-graph.tensors[node.outputs["dx"]].shape[-2] // split[1])

    def extent(axis: int, places: int) -> int:
        reach, pad, by = (w.kernel[axis] - 1) * w.dilation[axis], w.padding[axis], split[axis]
        return places + -(-pad // by) - (pad - reach) // by

    return extent(0, places), extent(1, columns)


def _phases_of(kernel: int, dilation: int, split: int, pad: int) -> list[Pair]:
    """Returns of each phase along an axis the taps, and how far they are apart in a plane."""

    def phase(at: int) -> Pair:
        taps = [tap for tap in range(kernel) if (at + pad - tap * dilation) % split == 0]
        step = taps[1] - taps[0] if len(taps) > 1 else 1
        return len(taps), step * dilation // split

    return [phase(at) for at in range(split)]


def planes_back(graph: Graph, node: Node) -> int:
    """Sums of eight channels for a block of rows of dx; phases, if there are several; planes of dy
    with what is read behind them; the weights of a phase."""
    layer = layer_of(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    height, width = graph.tensors[node.outputs["dx"]].shape[-3:-1]
    split = _split(w)
    phases = prod(split)
    quads = -(-width // (split[1] * _TOGETHER))
    columns = width if phases == 1 else quads * _TOGETHER * split[1]
    row = columns * _PLANES * 4 * split[0]

    def planes(places: int) -> int:
        return _PLANES * prod(_read_back(graph, node, places))

    most = min(-(-height // split[0]), _SUMS_BYTES // row)
    fit = [places for places in range(1, most + 1) if planes(places) <= _PLANES_BYTES]
    block = max(fit, default=1)
    _, pitch = _read_back(graph, node, block)
    axes = zip(w.kernel, w.dilation, split, w.padding[:2], strict=True)
    down, across = (_phases_of(*axis) for axis in axes)
    vectors = max(_vectors_of(y, x, pitch) for y in down for x in across)
    behind = _OFFSET_MAX + _TOGETHER
    fixed = (_TOGETHER - 1) * _PLANES * 4 + (phases > 1) * phases * _PHASE_OF_DX_BYTES
    return row * block + planes(block) + behind + fixed + _PLANES * vectors * _VECTOR


def _vectors_of(down: Pair, across: Pair, pitch: int) -> int:
    """Returns the vectors that the taps of a phase fill; without taps, one."""
    taps = max(down[0], 1), max(across[0], 1)
    return -(-taps[0] // _rows_of_taps(taps, down[1] * pitch, across[1], 1))


def gathered_by_taps(graph: Graph, node: Node) -> bool:
    """Each channel has one output; a kernel of up to 49 taps; planes of one row are near enough."""
    layer = layer_of(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    _, pitch = _strip(graph, layer)
    return (
        multiplier_of(graph, layer) == 1
        and prod(w.kernel) <= _TAPS_MAX
        and w.dilation[1] <= _OFFSET_MAX
        and ((w.kernel[0] - 1) * w.dilation[0] + 1) * pitch <= _PLANE_MAX
    )


def _strip(graph: Graph, layer: Node) -> tuple[int, int]:
    """Returns the columns of y that are taken at a time, and those of x that they read."""
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    width = graph.tensors[layer.outputs["y"]].shape[-2]
    near = (_OFFSET_MAX - w.dilation[1]) // w.stride[1] + 1
    strip = max(1, min(width, _VECTOR, near))
    return strip, (strip - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1


def tap_sums(graph: Graph, node: Node) -> int:
    """What weights of eight channels need to move; sums of all taps, twice; planes of x for a block
    of rows of y and what is read behind them; y in vectors, offsets."""
    layer = layer_of(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    w = layer.attrs.window
    height = graph.tensors[layer.outputs["y"]].shape[-3]
    strip, pitch = _strip(graph, layer)

    def planes(rows: int) -> int:
        read = (rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1
        return _PLANES * read * pitch

    fit = [rows for rows in range(1, height + 1) if planes(rows) <= _PLANES_BYTES]
    block = max(fit, default=1)
    held = _rows_of_taps((block, strip), w.stride[0] * pitch, w.stride[1], w.dilation[1])
    vectors = -(-block // held)
    sums = (2 * prod(w.kernel) + _TOGETHER - 1) * _PLANES * 4
    behind = _OFFSET_MAX + _TOGETHER * w.dilation[1]
    fixed = _PLANES // LANES * MOVERS_BYTES + (_PAIR + _PLANES * vectors) * _VECTOR
    return fixed + sums + planes(block) + behind
