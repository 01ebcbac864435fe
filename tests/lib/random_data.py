"""What fills the memory of a random case: operands anywhere in their ranges, and training state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from tests.lib.case import Places
from tests.lib.random_subjects import Draw

from tinyflash.graph import Graph, Node
from tinyflash.reference.constants import descent
from tinyflash.reference.environment import LAYERS
from tinyflash.reference.scales import COUNTER_MAX, EXPONENT_MAX, EXPONENT_MIN
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES, Header, Scale, pack

SCALES = 3  # the most that a kernel has
STATE_BYTES = HEADER_BYTES + SCALES * SCALE_BYTES
KINDS = ("random", "random", "random", "ends", "an end", "small", "zero")


class Fill(NamedTuple):
    """`length` numbers of `size` bytes at an offset: any of [low, high], or one of the two."""

    offset: int
    length: int
    size: int
    low: int
    high: int
    ends: bool


def random_state(draw: Draw) -> bytes:
    """A tiny_state whose counters are at their ends or not, and scales."""
    mantissa, exponent = draw.number(32768, 65535), draw.number(-24, -12)
    if draw.number(0, 4) == 0:
        mantissa, exponent = draw.one_of((0, 0), (65535, 4), (65535, 200), (32768, -200))
    header = Header(
        seed=draw.number(0, 2**32 - 1),
        step=draw.one_of(0, 7, draw.number(0, 2**32 - 1), 2**32 - 1),
        rate_mantissa=mantissa,
        rate_exponent=exponent,
        weights_saturated=draw.one_of(0, COUNTER_MAX - 1),
        updates_skipped=draw.one_of(0, COUNTER_MAX - 1, COUNTER_MAX),
    )
    base = draw.number(-22, -2)
    return pack(header, [_scale(draw, base) for _ in range(SCALES)])


def _scale(draw: Draw, base: int) -> Scale:
    """One whose exponent is near another, mostly."""
    exponent = base + draw.one_of(draw.number(-4, 4), draw.number(-14, 14))
    if draw.number(0, 5) == 0:
        exponent = draw.one_of(EXPONENT_MIN, EXPONENT_MAX, draw.number(EXPONENT_MIN, EXPONENT_MAX))
    return Scale(
        exponent=exponent,
        clipped=draw.one_of(0, 1, 2, 2**16 - 1),
        peak=draw.one_of(0, 30, 2**31 - 1),
        saturated=draw.one_of(0, COUNTER_MAX - 1),
    )


def fills_of(
    graph: Graph, node: Node, draw: Draw, places: Places, offsets: Mapping[str, int]
) -> Iterator[Fill]:
    """Of every operand, mostly of one kind: so sums come to their ends. `offsets`: of all tensors
    that have places."""
    common = draw.one_of(*KINDS)
    for tensor, role in {tensor: role for role, tensor in node.inputs.items()}.items():
        if tensor not in offsets:
            continue
        kind = common if draw.number(0, 2) else draw.one_of(*KINDS)
        size = np.dtype(graph.tensors[tensor].dtype).itemsize
        low, high = _range(graph, node, role, tensor)
        if kind == "random" and size == 4:  # of any magnitude
            bound = 2 ** draw.number(0, 31)
            low, high = max(low, -bound), min(high, bound)
        if kind == "an end":
            low = high = draw.one_of(low, high)
        if kind in ("small", "zero"):
            low, high = (max(low, -1), min(high, 1)) if kind == "small" else (0, 0)
        length = places.nbytes(tensor) // size
        yield Fill(offsets[tensor], length, size, low, high, kind == "ends")


def _range(graph: Graph, node: Node, role: str, name: str) -> tuple[int, int]:
    """The numbers that a tensor may have."""
    tensor = graph.tensors[name]
    if tensor.kind == "gradient" or role in ("w", "w_frozen"):
        return -127, 127
    if tensor.dtype == "int32":  # biases, and their velocities
        layer = next(n for n in graph.named(node.layer) if n.op in LAYERS)
        bound = descent(graph, layer).b_limit if role == "b" else 0x7FFF0000
        return -bound, bound
    info = np.iinfo(tensor.dtype)
    return max(info.min, -(2**15 - 1) if role == "velocity" else info.min), info.max
