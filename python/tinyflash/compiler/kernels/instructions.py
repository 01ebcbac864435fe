"""The instructions of one call of a kernel: at most a sum of factors times what the call works on.

The factors (instructions.csv, one row for each core, set and kernel) come from counts of single
kernels in the emulator, with GCC 12.2 and -O2: tests/lib/instructions.py measures and fits them
such that no counted case takes more. `costs.py` is for the choice between sets, and close on
average; this is for bounds.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from math import ceil, prod
from pathlib import Path

from tinyflash.compiler.costs import multiply_adds
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.graph import Graph, Node, WindowAttrs
from tinyflash.layers import weight_of
from tinyflash.operators import OPERATORS

# The cores on which kernels were counted. Those of ARMv7-M and ARMv8-M with the same instructions
# have the counts of the Cortex-M4.
M4, M55 = "cortex-m4", "cortex-m55"
_LIKE_M4 = ("cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m35p")
FEATURES = 15
_LANES = (4, 16)  # that kernels of sets work in

Factors = Mapping[tuple[str, str, str], tuple[float, ...]]  # by core, set and kernel


def counted_core(core: str, helium: bool) -> str:
    """Returns the core whose counts hold for a board's core: of a core without counts, itself.
    helium: whether the compiler may use it."""
    if helium:
        return M55
    return M4 if core in _LIKE_M4 else core or "core without a name"


def instructions(
    core: str, kernel_set: str, kernel: str, graph: Graph, node: Node, rows: int
) -> int | None:
    """Returns the most instructions that a call for some rows of a node takes; None if the kernel
    was not counted on this core. rows: of those that the planner counts (plan/calls.py)."""
    factors = _factors().get((core, kernel_set, kernel))
    if factors is None:
        return None
    work = features(graph, node, rows)
    return ceil(sum(f * x for f, x in zip(factors, work, strict=True)))


@cache
def _factors() -> Factors:
    path = Path(__file__).with_name("instructions.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row[0], row[1], row[2]): tuple(float(number) for number in row[3:])
            for row in csv.reader(file)
        }


def features(graph: Graph, node: Node, rows: int) -> tuple[float, ...]:
    """Returns what the cost of a call depends on: one call; rows, positions and elements of the map
    that it goes through; positions, and elements, once for each tap of a window; products, also
    with the depth or the outputs of the layer rounded up to the lanes of faster kernels; elements
    that it reads; channels; weights; and what an optimizer keeps beside them."""
    given = [graph.tensors[t] for r, t in node.inputs.items() if r not in ("w", "w_frozen", "b")]
    made = [graph.tensors[t] for t in node.outputs.values()]
    if not given:  # the end of a step, which goes through the scales of all gradients
        scales = sum(tensor.kind == "gradient" for tensor in graph.tensors.values())
        return (1, 1, 1, scales, *(0,) * (FEATURES - 4))
    main = made[0] if made and node.op != "mask" else given[0]
    if node.operator.updates:
        main = graph.tensors[node.inputs["dy"]]
    share = rows / rows_computed(graph, node)
    height, width, channels = (1, 1, 1, *main.shape)[-3:]
    positions, elements = height * width * share, main.size * share
    taps = prod(node.attrs.window.kernel) if isinstance(node.attrs, WindowAttrs) else 1
    return (
        *(1, height * share, positions, elements, positions * taps, elements * taps),
        *(products * share for products in _products(graph, node)),
        sum(t.size for t in given) * share,
        channels,
        _weights(graph, node),
        _kept(graph, node),
    )


def _products(graph: Graph, node: Node) -> tuple[float, ...]:
    """Returns the products of a node, and those with its depth, or its outputs, rounded up."""
    products = multiply_adds(graph, node)
    if not products:
        return (0,) * (1 + 2 * len(_LANES))
    names = (node.inputs["w"],) if node.operator.updates else weight_of(node)
    shapes = [graph.tensors[name].shape for name in names]
    if OPERATORS[node.operator.forward or node.op].depthwise:
        depth, out = prod(shapes[0][:-1]), sum(shape[-1] for shape in shapes)
    else:
        depth, out = sum(prod(shape[1:]) for shape in shapes), shapes[0][0]
    positions = products / (depth * out)
    rounded = ((-(-depth // n) * n * out, depth * -(-out // n) * n) for n in _LANES)
    return products, *(int(positions * both) for pair in rounded for both in pair)


def _weights(graph: Graph, node: Node) -> int:
    """Returns the weights that a call may read, however few rows it computes."""
    layer = OPERATORS[node.operator.forward or node.op]
    return sum(graph.tensors[name].size for name in weight_of(node)) if layer.weighted else 0


def _kept(graph: Graph, node: Node) -> int:
    return sum(graph.tensors[t].size for r, t in node.inputs.items() if r in ("velocity", "low"))
