"""What kernels cost: instructions, as a sum of factors times features of a node.

The factors come from counts of single kernels in the emulator (tests/lib/costs.py measures and fits
them) with GCC 12.2: on a Cortex-M55 for the sets that are for Helium alone, on a Cortex-M4 for all
others. They are good enough to choose between sets; no report shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

from tinyflash.graph import Graph, Node, WindowAttrs

# The kernels with measured costs in several sets.
KERNELS = (
    "add_forward",
    "average_pool_forward",
    "conv2d_forward",
    "depthwise_forward",
    "fully_connected_forward",
    "max_pool_forward",
    "mul_forward",
)
_LANES = 4  # channels of `dsp`, and outputs of a row, that are computed together
_VECTOR = 16  # terms that `mve` multiplies together
_FROM_X = ("conv2d_forward", "fully_connected_forward")  # whose outputs read all channels of x


def cost(name: str, kernel: str, graph: Graph, node: Node) -> float | None:
    """Returns the instructions that a kernel of a set takes for a node; None if none were
    measured."""
    factors = _FACTORS.get((name, kernel))
    if factors is None:
        return None
    return sum(f * x for f, x in zip(factors, features(name, kernel, graph, node), strict=True))


def features(name: str, kernel: str, graph: Graph, node: Node) -> tuple[int, ...]:
    """Returns what the cost of a kernel of a set depends on: one call; rows of the result;
    positions; elements; products; and elements of x, once for each tap where windows are copied."""
    x, y = (
        graph.tensors[t].shape for t in (next(iter(node.inputs.values())), *node.outputs.values())
    )
    height, width, channels = (1, 1, 1, *y)[-3:]
    kernel_size = node.attrs.window.kernel if isinstance(node.attrs, WindowAttrs) else (1, 1)
    taps = prod(kernel_size)
    terms = taps * x[-1] if kernel in _FROM_X else taps
    depth = terms
    if kernel == "depthwise_forward" and name in ("dsp", "mve"):
        width = _whole(width, _LANES)
    if kernel == "depthwise_forward" and name == "dsp":
        channels = _whole(channels, _LANES)
    if kernel == "depthwise_forward" and name == "mve":
        rows = max(_VECTOR // kernel_size[1], 1)  # of taps in a vector
        depth = _VECTOR * -(-kernel_size[0] // rows)
    if kernel in _FROM_X and name == "mve":
        depth = _whole(depth, _VECTOR)
    positions = height * width
    elements = positions * channels
    read = positions * terms if kernel == "conv2d_forward" else prod(x)
    return 1, height, positions, elements, elements * depth, read


def _whole(count: int, of: int) -> int:
    return -(-count // of) * of


_FACTORS: Mapping[tuple[str, str], tuple[float, ...]] = MappingProxyType(
    {
        ("cmsis_nn", "add_forward"): (165.41, 159.10, 0.00, 26.24, 26.24, 26.24),
        ("cmsis_nn", "average_pool_forward"): (19.66, 414.39, 89.59, 7.29, 6.61, 0.39),
        ("cmsis_nn", "conv2d_forward"): (0.00, 1613.22, 98.75, 41.57, 1.68, 4.72),
        ("cmsis_nn", "depthwise_forward"): (0.00, 378.20, 196.14, 4.13, 7.94, 2.08),
        ("cmsis_nn", "fully_connected_forward"): (523.68, 0.00, 0.00, 44.12, 1.68, 0.00),
        ("cmsis_nn", "max_pool_forward"): (308.33, 0.00, 210.62, 0.00, 8.74, 0.00),
        ("cmsis_nn", "mul_forward"): (180.84, 80.26, 2.51, 11.81, 11.81, 11.81),
        ("cmsis_nn_helium", "add_forward"): (170.45, 136.85, 0.00, 4.53, 4.53, 4.53),
        ("cmsis_nn_helium", "average_pool_forward"): (378.45, 0.00, 313.69, 0.00, 1.68, 0.61),
        ("cmsis_nn_helium", "conv2d_forward"): (0.00, 1126.63, 9.70, 12.72, 0.18, 0.72),
        ("cmsis_nn_helium", "depthwise_forward"): (661.19, 0.00, 260.25, 1.32, 1.94, 0.00),
        ("cmsis_nn_helium", "fully_connected_forward"): (438.29, 0.00, 10.98, 15.66, 0.14, 0.02),
        ("cmsis_nn_helium", "max_pool_forward"): (0.00, 428.36, 102.34, 0.00, 1.24, 0.28),
        ("cmsis_nn_helium", "mul_forward"): (156.46, 94.95, 0.00, 2.22, 2.22, 2.22),
        ("dsp", "add_forward"): (234.68, 143.59, 0.00, 5.79, 5.79, 5.79),
        ("dsp", "average_pool_forward"): (0.00, 57.11, 220.34, 34.84, 2.17, 0.00),
        ("dsp", "conv2d_forward"): (0.00, 2905.84, 0.00, 0.00, 0.90, 3.83),
        ("dsp", "depthwise_forward"): (3753.24, 0.00, 0.00, 29.54, 0.91, 0.00),
        ("dsp", "fully_connected_forward"): (106.09, 376.61, 13.41, 10.53, 0.85, 1.24),
        ("dsp", "max_pool_forward"): (80.42, 0.00, 194.70, 23.78, 2.21, 0.00),
        ("dsp", "mul_forward"): (202.20, 70.82, 0.65, 5.74, 5.74, 5.74),
        ("mve", "add_forward"): (310.54, 0.37, 0.00, 1.99, 1.99, 1.99),
        ("mve", "average_pool_forward"): (0.00, 116.09, 188.46, 14.23, 1.19, 0.00),
        ("mve", "conv2d_forward"): (0.00, 1217.76, 21.84, 6.40, 0.13, 1.11),
        ("mve", "depthwise_forward"): (1158.63, 2.73, 0.00, 7.62, 0.34, 0.00),
        ("mve", "fully_connected_forward"): (285.93, 206.05, 107.57, 6.06, 0.12, 0.34),
        ("mve", "max_pool_forward"): (139.86, 0.00, 192.47, 8.23, 0.73, 0.00),
        ("mve", "mul_forward"): (173.15, 74.34, 0.00, 1.16, 1.16, 1.16),
        ("ref", "add_forward"): (183.00, 76.00, 0.00, 36.67, 36.67, 36.67),
        ("ref", "average_pool_forward"): (177.08, 0.00, 55.71, 48.24, 8.01, 0.69),
        ("ref", "conv2d_forward"): (0.00, 0.00, 0.00, 310.19, 1.49, 0.00),
        ("ref", "depthwise_forward"): (0.00, 0.00, 524.56, 26.51, 2.00, 19.68),
        ("ref", "fully_connected_forward"): (175.00, 52.00, 23.00, 70.00, 6.00, 0.00),
        ("ref", "max_pool_forward"): (71.97, 121.50, 28.73, 41.54, 10.08, 0.24),
        ("ref", "mul_forward"): (184.00, 66.00, 0.00, 15.67, 15.67, 15.67),
    }
)
