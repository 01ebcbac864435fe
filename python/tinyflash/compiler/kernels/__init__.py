"""Which kernel of which set a table names, and the scratch that it needs.

A set has the kernels that its C files define (sources.kernels_of). Of the kernels with conditions
or scratch, the modules of this package say more, one module for each set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tinyflash.compiler.kernels import cmsis_nn, dsp
from tinyflash.compiler.kernels.needs import NOTHING, Needs, layer_kernel
from tinyflash.graph import Graph, Node
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernels_of

__all__ = ["NO_SETS", "KernelSets", "chosen_set", "kernel_sets", "needs_of", "with_scratch"]

# The kernels of each set, preferred sets first.
KernelSets = Mapping[str, frozenset[str]]
NO_SETS: KernelSets = MappingProxyType({})  # the reference alone

_NEEDS: Mapping[str, Mapping[str, Needs]] = {
    "cmsis_nn": cmsis_nn.NEEDS,
    "dsp": dsp.NEEDS,
}


def kernel_sets(names: Sequence[str]) -> KernelSets:
    """Returns the kernels of some sets, preferred first."""
    return {name: kernels_of(source_root(), name) for name in names}


def chosen_set(kernel: str, graph: Graph, node: Node, sets: KernelSets) -> str:
    """Returns the first set that has a kernel for a node; the reference set if no other has."""
    for name, own in sets.items():
        if kernel in own and needs_of(name, kernel).suits(graph, node):
            return name
    return REFERENCE


def with_scratch(graph: Graph, sets: KernelSets) -> Graph:
    """Gives each node what its kernel needs: scratch, and operands that y does not overlap."""
    return replace(graph, nodes=tuple(_with_scratch(graph, node, sets) for node in graph.nodes))


def _with_scratch(graph: Graph, node: Node, sets: KernelSets) -> Node:
    kernel = layer_kernel(graph, node)
    needs = needs_of(chosen_set(kernel, graph, node, sets), kernel)
    return replace(node, scratch=needs.scratch(graph, node), at_once=needs.at_once)


def needs_of(name: str, kernel: str) -> Needs:
    """Returns what a kernel of a set needs."""
    return _NEEDS.get(name, {}).get(kernel, NOTHING)
