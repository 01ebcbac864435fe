"""The conditions and the scratch of lib/kernels/cmsis_nn: what Arm's functions compute exactly."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.kernels.needs import Needs
from tinyflash.graph import DenseAttrs, Graph, Node, WindowAttrs, aligned
from tinyflash.layers import in_channels, multiplier_of

_LARGEST = 0x7FFF  # rows and columns: CMSIS-NN counts some in 16 bits, with a sign
_TERMS = 0xFFFF  # of a sum
_VECTOR = 16  # bytes of a Helium register
_BLOCK = 124  # CH_IN_BLOCK_MVE


def _in_one_array(node: Node, channels: int) -> bool:
    """Weights all trained or all frozen: CMSIS-NN reads one array."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs)
    return node.attrs.kept in (0, channels)


def _small(graph: Graph, node: Node) -> bool:
    """A map that CMSIS-NN can count, and padding within the window."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    sides = graph.tensors[node.inputs["x"]].shape[-3:-1]
    padded = all(p < k for p, k in zip(window.padding, window.kernel * 2, strict=True))
    return padded and max(sides) + max(window.kernel) * max(window.dilation) <= _LARGEST


def _conv2d(graph: Graph, node: Node) -> bool:
    assert isinstance(node.attrs, WindowAttrs)
    depth = in_channels(graph, node)
    one_group = node.attrs.groups == 1 and _in_one_array(node, depth)
    return one_group and _terms(graph, node) <= _TERMS and _small(graph, node)


def _terms(graph: Graph, node: Node) -> int:
    assert isinstance(node.attrs, WindowAttrs)
    return prod(node.attrs.window.kernel) * in_channels(graph, node)


def _columns(graph: Graph, node: Node) -> int:
    """arm_convolve_s8_get_buffer_size: two windows of int16."""
    return 4 * aligned(_terms(graph, node))


def _helium_columns(graph: Graph, node: Node) -> int:
    """arm_convolve_s8_get_buffer_size_mve: four windows, in whole vectors; more than
    arm_convolve_1_x_n_s8 uses."""
    return 4 * -(-_terms(graph, node) // _VECTOR) * _VECTOR


def _helium_conv2d(graph: Graph, node: Node) -> bool:
    """arm_convolve_1_x_n_s8 takes it that padding is the least that y needs, and that the right
    side has the odd column; rows of one are its own even if the map has more. And that the first
    output that reads the right side reads one column there."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    if not _conv2d(graph, node) or window.kernel[0] > 1 or window.dilation[1] > 1:
        return _conv2d(graph, node)
    padding = _padding(graph, node)
    if padding < 0 or window.padding[1] != padding // 2:
        return False
    x, y = (graph.tensors[t].shape for t in (node.inputs["x"], node.outputs["y"]))
    left, stride = window.padding[1], window.stride[1]
    right = -(-(padding - left) // stride)  # outputs
    first = (y[-2] - right) * stride - left  # column of x that these begin with
    return right == 0 or first + window.kernel[1] - 1 == x[-2]


def _helium_depthwise(graph: Graph, node: Node) -> bool:
    channels = graph.tensors[node.outputs["y"]].shape[-1]
    single = multiplier_of(graph, node) == 1 and _in_one_array(node, channels)
    return single and _small(graph, node)


def _covers_second_columns(graph: Graph, node: Node) -> bool:
    """arm_depthwise_conv_3x3_s8 reads the second column of every window, inside the map or not."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    width, columns = (graph.tensors[t].shape[-2] for t in (node.inputs["x"], node.outputs["y"]))
    last = (columns - 1) * window.stride[1] - window.padding[1]
    return window.kernel != (3, 3) or last + 1 < width


def _depthwise(graph: Graph, node: Node) -> bool:
    return _helium_depthwise(graph, node) and _covers_second_columns(graph, node)


def _padding(graph: Graph, node: Node) -> int:
    """Columns left and right of x that windows reach; less than 0: columns that none reads."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    x, y = (graph.tensors[name].shape for name in (node.inputs["x"], node.outputs["y"]))
    reach = (window.kernel[1] - 1) * window.dilation[1] + 1
    return (y[-2] - 1) * window.stride[1] + reach - x[-2]


def _window(graph: Graph, node: Node) -> int:
    """arm_depthwise_conv_wrapper_s8_get_buffer_size: one window of int16, except for 3x3."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    # a band may begin inside the padding, which only makes the padding smaller
    direct = window.kernel == (3, 3) and max(window.padding[:2]) <= 1
    if direct or window.dilation != (1, 1):
        return 0
    channels = graph.tensors[node.outputs["y"]].shape[-1]
    return aligned(2 * channels * prod(window.kernel))


def _helium_window(_graph: Graph, node: Node) -> int:
    """arm_depthwise_conv_s8_opt_get_buffer_size_mve: four windows of 124 channels."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    return 0 if window.dilation != (1, 1) else 4 * _BLOCK * prod(window.kernel)


def _accumulators(graph: Graph, node: Node) -> int:
    """arm_avgpool_s8_get_buffer_size: an int32 for each channel."""
    return 4 * graph.tensors[node.outputs["y"]].shape[-1]


def _dense(graph: Graph, node: Node) -> bool:
    return _in_one_array(node, in_channels(graph, node))


def _of_one_shape(graph: Graph, node: Node) -> bool:
    return len({graph.tensors[node.inputs[role]].size for role in "ab"}) == 1


def _sum(graph: Graph, node: Node) -> bool:
    return node.op == "add" and _of_one_shape(graph, node)


NEEDS = {
    "conv2d_forward": Needs(suits=_conv2d, scratch=_columns, at_once=True),
    "depthwise_forward": Needs(suits=_depthwise, scratch=_window, at_once=True),
    "fully_connected_forward": Needs(suits=_dense, at_once=True),
    "add_forward": Needs(suits=_sum),
    "mul_forward": Needs(suits=_of_one_shape),
    "average_pool_forward": Needs(suits=_small, scratch=_accumulators),
    "max_pool_forward": Needs(suits=_small),
}
# On cores with Helium.
HELIUM_NEEDS = {
    **NEEDS,
    "conv2d_forward": Needs(suits=_helium_conv2d, scratch=_helium_columns, at_once=True),
    "depthwise_forward": Needs(suits=_helium_depthwise, scratch=_helium_window, at_once=True),
    "average_pool_forward": Needs(suits=_small),
}
