"""Random cases of kernels: rows of random subjects, placed in one memory, and how it is filled.

Nothing is computed here. A program (run_random.c) fills the memory, runs `ref` and another set on
it, and compares. So a case costs a millisecond, and data are anything that SPEC allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tests.lib.bands import in_bands, overlap, random_band
from tests.lib.case import GAP, WHOLE, Memory, Places, buffer_of, height_of, with_rings
from tests.lib.random_data import STATE_BYTES, Fill, fills_of, random_state
from tests.lib.random_subjects import FAMILIES, Draw, random_subject
from tests.lib.records import Fields
from tests.lib.rows import Draft, draft
from tests.lib.subject import Subject

from tinyflash.compiler.kernels import KernelSets, chosen_set, kernel_sets, needs_of
from tinyflash.graph import Graph, Node
from tinyflash.program import Buffer, Space
from tinyflash.reference.constants import descent
from tinyflash.reference.environment import LAYERS
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES

# Of one case, so that three copies of the memory fit the smallest board (run_random.c).
MEMORY_BYTES = 20_000
SCRATCH_BYTES = 24_000
MAC_LIMIT = 120_000  # of the layer: an emulator computes thousands of them
WASTED_DRAWS = 60  # for one case that a kernel computes
_SPACES = (Space.STATE, Space.FLASH, Space.WEIGHTS, Space.ARENA)


class Number(NamedTuple):
    """What identifies a case: of its family and seed the draw, and the node of what was drawn."""

    draw: int
    node: int


@dataclass(frozen=True)
class RandomCase:
    """`buffers` are offsets in one memory of `memory` bytes; None: a null pointer. `settles`: the
    offset of a scale whose exponent is to be such that the largest gradient takes `bits` bits.
    `scratch`: of each set that computes it."""

    number: Number
    title: str
    plan: Draft
    fields: Fields
    band: tuple[int, int]
    seed: int  # of what the memory is filled with
    state: bytes  # at offset 0
    buffers: tuple[int | None, ...]
    fills: tuple[Fill, ...]
    memory: int
    settles: int | None
    bits: int
    scratch: Mapping[str, int]


def random_cases(
    family: str, names: Sequence[str], count: int, seed: int
) -> Iterator[tuple[RandomCase, list[str]]]:
    """Cases, each with the sets that are to compute it: `count` for each set, as many of each of
    its kernels; a few more if that leaves a rest. Every case of a kernel is of another subject."""
    sets = kernel_sets(names)
    beginnings = FAMILIES[family].kernels
    kernels = {name: {k for k in own if k.startswith(beginnings)} for name, own in sets.items()}
    each = {name: -(-count // max(len(own), 1)) for name, own in kernels.items()}
    missing = {(name, kernel): each[name] for name, own in kernels.items() for kernel in own}
    draw = 0
    while missing:
        assert draw < WASTED_DRAWS * (count + 10), f"no cases of {sorted(missing)}"
        served: set[tuple[str, str]] = set()
        for case in _cases(family, seed, draw, sets, {kernel for _, kernel in missing}):
            kernel = case.plan.kernel
            wanted = [n for n in case.scratch if (n, kernel) in missing.keys() - served]
            if wanted:
                yield case, wanted
                served |= {(name, kernel) for name in wanted}
        missing = {key: left - (key in served) for key, left in missing.items()}
        missing = {key: left for key, left in missing.items() if left}
        draw += 1


def case_of(family: str, names: Sequence[str], seed: int, number: Number) -> RandomCase:
    """A single one."""
    every = frozenset[str]().union(*kernel_sets(names).values())
    cases = _cases(family, seed, number.draw, kernel_sets(names), every)
    return next(case for case in cases if case.number == number)


def _cases(
    family: str, seed: int, number: int, sets: KernelSets, kernels: set[str] | frozenset[str]
) -> Iterator[RandomCase]:
    """Those of one subject that some set computes."""
    title = f"{family} {seed}.{number}"
    one = random_subject(FAMILIES[family], Draw(title), title)
    if not _is_small(one) or not _is_allowed(one):
        return
    for index, node in enumerate(one.graph.nodes[1:]):
        if one.layer in ("", node.name, node.layer) and "reshape" not in node.op:
            if node.operator.stage == "loss" or node.op == "advance":
                continue
            plan = draft(one.graph, node)
            if plan.kernel in kernels:
                case = _case(one, node, plan, Number(number, index), sets)
                if case:
                    yield case


def _is_small(one: Subject) -> bool:
    if not one.layer:
        return True
    layer = one.graph.named(one.layer)[0]
    y = one.graph.tensors[layer.outputs["y"]]
    weights = [one.graph.tensors[layer.inputs[r]] for r in ("w", "w_frozen") if r in layer.inputs]
    terms = sum(w.size for w in weights) // y.shape[-1] or 1
    return y.size * terms <= MAC_LIMIT


def _is_allowed(one: Subject) -> bool:
    """Any weights and data keep the sums of its layer within SPEC 10.6."""
    layers = [node for node in one.graph.nodes[1:] if node.op in LAYERS and node.name == one.layer]
    return all(descent(one.graph, layer).b_limit > 0 for layer in layers)


def _case(
    one: Subject, node: Node, plan: Draft, number: Number, sets: KernelSets
) -> RandomCase | None:
    """None if no set computes it, or if it is too large."""
    graph = one.graph
    draw = Draw(f"{one.title}.{number.node}")
    memory = _memory(graph, node, draw)
    scratch = _scratch(graph, node, plan.kernel, bool(memory.alias), sets)
    if not scratch or max(scratch.values()) > SCRATCH_BYTES:
        return None
    scales = _scales(node, plan)
    places, buffers = _placed(graph, node, plan, memory, scales)
    bases, end = {}, 0
    for space in _SPACES:
        bases[space] = end
        end += (STATE_BYTES if space is Space.STATE else places.sizes.get(space, 0)) + GAP
    if end > MEMORY_BYTES:
        return None
    dx = scales.get(node.outputs.get("dx", ""))
    settles = dx is not None and draw.number(0, 2) > 0
    offsets = {t: bases[b.space] + b.offset for t, b in places.tensors.items()}
    fields = with_rings(plan.fields, memory.rings)
    return RandomCase(
        number=number,
        title=f"{plan.kernel} {one.title}, node {number.node}",
        plan=plan,
        fields=fields,
        band=memory.band or (0, height_of(fields)),
        seed=draw.number(1, 2**32 - 1),
        state=random_state(draw),
        buffers=tuple(None if b is None else bases[b.space] + b.offset for b in buffers),
        fills=tuple(fills_of(graph, node, draw, places, offsets)),
        memory=end,
        settles=HEADER_BYTES + SCALE_BYTES * dx if settles and dx is not None else None,
        bits=draw.one_of(7, 7, 7, 6, 8, draw.number(9, 31)),
        scratch=scratch,
    )


def _memory(graph: Graph, node: Node, draw: Draw) -> Memory:
    """A band of rings, an output upon its input, or whole maps apart."""
    rng = np.random.default_rng(draw.number(0, 2**32 - 1))
    if in_bands(graph, node) and draw.number(0, 2) == 0:
        return random_band(graph, node, rng)
    return (overlap(graph, node) if draw.number(0, 3) == 0 else None) or WHOLE


def _scratch(
    graph: Graph, node: Node, kernel: str, overlaps: bool, sets: KernelSets
) -> dict[str, int]:
    """The bytes of each set that computes the node."""
    found = {}
    for name, own in sets.items():
        needs = needs_of(name, kernel)
        chosen = chosen_set(kernel, graph, node, {name: own}) == name
        if chosen and not (needs.at_once and overlaps):
            found[name] = needs.scratch(graph, node)
    return found


def _scales(node: Node, plan: Draft) -> dict[str, int]:
    """The number of the scale of each gradient."""
    tensors = {**node.inputs, **node.outputs}
    roles = [role.removeprefix("s:") for role in plan.roles if role.startswith("s:")]
    scaled = dict.fromkeys(tensors[role] for role in roles if role in tensors)
    return {tensor: index for index, tensor in enumerate(scaled)}


def _placed(
    graph: Graph, node: Node, plan: Draft, memory: Memory, scales: Mapping[str, int]
) -> tuple[Places, list[Buffer | None]]:
    """Where everything lies, and the buffers in order."""
    places, tensors = Places(graph, held=memory.held), {**node.inputs, **node.outputs}
    for output, shared in memory.alias.items():
        places.overlap(tensors[output], tensors[shared], memory.ahead)
    return places, [buffer_of(places, tensors, scales, role, plan) for role in plan.roles]
