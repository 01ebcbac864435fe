"""Which kernel of which set a table names, and the scratch that it needs.

A set has the kernels that its C files define (sources.kernels_of). Of the kernels with conditions
or scratch, the modules of this package say more, one module for each set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tinyflash.compiler.kernels import cmsis_nn, dsp, mve
from tinyflash.compiler.kernels.costs import cost
from tinyflash.compiler.kernels.needs import NOTHING, Needs, kernel_of
from tinyflash.graph import Graph, Node
from tinyflash.paths import source_root
from tinyflash.sources import AUTO, REFERENCE, kernels_of

__all__ = ["NO_SETS", "KernelSets", "chosen_set", "kernel_sets", "needs_of", "with_scratch"]

# The kernels of each set, preferred sets first.
KernelSets = Mapping[str, frozenset[str]]
NO_SETS: KernelSets = MappingProxyType({})  # the reference alone

_NEEDS: Mapping[str, Mapping[str, Needs]] = {
    "cmsis_nn": cmsis_nn.NEEDS,
    "cmsis_nn_helium": cmsis_nn.HELIUM_NEEDS,
    "dsp": dsp.NEEDS,
    "mve": mve.NEEDS,
}


def kernel_sets(names: Sequence[str]) -> KernelSets:
    """Returns the kernels of some sets, preferred first; none of AUTO, which may be the first."""
    return {name: _kernels_of(source_root(), name) for name in names}


@cache
def _kernels_of(root: Path, name: str) -> frozenset[str]:
    """They are read from C files, which stay as they are while this process runs."""
    return kernels_of(root, name)


def chosen_set(kernel: str, graph: Graph, node: Node, sets: KernelSets) -> str:
    """Returns the first set that has a kernel for a node, or where AUTO is among the sets the one
    whose kernel costs least; the reference set if no other has one."""
    suited = [
        name
        for name, own in sets.items()
        if kernel in own and needs_of(name, kernel).suits(graph, node)
    ]
    if AUTO in sets:
        return _cheapest(suited, kernel, graph, node)
    return suited[0] if suited else REFERENCE


def _cheapest(suited: Sequence[str], kernel: str, graph: Graph, node: Node) -> str:
    """Of sets whose costs were not measured all, the first."""
    costs = [cost(name, kernel, graph, node) for name in suited]
    known = [one for one in costs if one is not None]
    if len(known) < len(costs) or not known:
        return suited[0] if suited else REFERENCE
    return suited[known.index(min(known))]


def with_scratch(graph: Graph, sets: KernelSets) -> Graph:
    """Gives each node what its kernel needs: scratch, and operands that y does not overlap."""
    return replace(graph, nodes=tuple(_with_scratch(graph, node, sets) for node in graph.nodes))


def _with_scratch(graph: Graph, node: Node, sets: KernelSets) -> Node:
    kernel = kernel_of(graph, node)
    needs = needs_of(chosen_set(kernel, graph, node, sets), kernel)
    return replace(node, scratch=needs.scratch(graph, node), at_once=needs.at_once)


def needs_of(name: str, kernel: str) -> Needs:
    """Returns what a kernel of a set needs."""
    return _NEEDS.get(name, {}).get(kernel, NOTHING)
