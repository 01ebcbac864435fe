"""Suggests how to lower the arena's peak: tries each idea on the plan, and reports its gain.

An idea removes buffers or shrinks them; the other buffers stay in place. So the new peak is an
estimate: a new plan may be better or a little worse. Feeding the input row by row changes the whole
order, so this idea gets the plans that --rows would get.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyflash.compiler import Compiled
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import Placement
from tinyflash.graph import Graph, Node
from tinyflash.show.report.timeline import filled, fullest, highest

MOST = 4  # ideas worth reading


@dataclass(frozen=True)
class Idea:
    """A change, and the new sizes of the buffers that it affects. of_network: also in the other
    plan of the same program, where they have the same names."""

    text: str
    sizes: dict[str, int]
    of_network: bool = False


@dataclass(frozen=True)
class Advice:
    """An idea, and the bytes by which it lowers the arena's peak."""

    text: str
    saved_bytes: int


def advise(compiled: Compiled) -> tuple[Advice, ...]:
    """Returns the ideas that lower the peak, best first."""
    tried = [*lower_peak(compiled.fuller, compiled.emptier), *_by_rows(compiled)]
    useful = (advice for advice in tried if advice.saved_bytes > 0)
    return tuple(sorted(useful, key=lambda advice: -advice.saved_bytes)[:MOST])


def lower_peak(planned: Planned, other: Planned | None) -> list[Advice]:
    """Returns the ideas for one plan. other: the plan of the same program that needs less; below
    its peak, nothing is saved."""
    before = highest(filled(planned.plan.placements))

    def after(idea: Idea) -> int:
        least = 0
        if other is not None:
            sizes = idea.sizes if idea.of_network else {}
            least = highest(filled(other.plan.placements, sizes))
        return max(least, highest(filled(planned.plan.placements, idea.sizes)))

    return [Advice(idea.text, before - after(idea)) for idea in _ideas(planned)]


def _ideas(planned: Planned) -> Iterator[Idea]:
    step = fullest(filled(planned.plan.placements))
    alive = planned.plan.live_at(step)
    yield from _kept(planned.graph, alive)
    yield from _shorter(planned)
    yield from _smaller_maps(planned, step, alive)


def _by_rows(compiled: Compiled) -> list[Advice]:
    """Suggests that the picture need not be in memory as a whole."""
    program = compiled.program
    if program.row_bytes:
        return []
    text = (
        f"Feed the input row by row (--rows): its {program.input_bytes:,} bytes are then "
        "never all in SRAM."
    )
    return [Advice(text, program.arena_bytes - compiled.arena_by_rows())]


def _kept(graph: Graph, alive: tuple[Placement, ...]) -> Iterator[Idea]:
    """Suggests smaller inputs kept for an update."""
    updates: dict[str, list[tuple[int, Node]]] = {}  # with their numbers, by the tensor they read
    for i, node in enumerate(graph.nodes):
        if node.operator.updates and "x" in node.inputs:
            updates.setdefault(node.inputs["x"], []).append((i, node))
    for storage in (p.storage for p in alive):
        found = [pair for tensor in storage.tensors for pair in updates.get(tensor, ())]
        for _, node in sorted(found, key=lambda pair: pair[0]):
            yield Idea(
                f"Train half as many input channels of {node.name}: the part kept of its "
                f"input is {storage.nbytes:,} bytes at the peak.",
                {storage.name: storage.nbytes // 2},
            )


def _shorter(planned: Planned) -> Iterator[Idea]:
    """Suggests a shorter back-propagation: freeze the earliest trained layers, up to the first with
    trained weights, or including it."""
    graph = planned.graph
    trained = [n for n in graph.nodes if n.operator.weighted and _is_trained(graph, n)]
    first = next((i for i, n in enumerate(trained) if "w" in n.inputs), 0)
    for end in (first, first + 1):
        if 0 < end < len(trained):
            gone = _needed_before(planned, trained[end])
            names = _range(trained[:end])
            yield Idea(
                f"Freeze {names}: the gradient then ends at {trained[end].name}. Masks, kept "
                "inputs and gradients of earlier layers are gone.",
                dict.fromkeys(gone, 0),
            )


def _is_trained(graph: Graph, node: Node) -> bool:
    roles = (node.inputs[role] for role in ("w", "b") if role in node.inputs)
    return any(graph.tensors[tensor].kind == "trainable" for tensor in roles)


def _range(layers: list[Node]) -> str:
    names = [node.name for node in layers]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)} layers)"


def _needed_before(planned: Planned, last: Node) -> list[str]:
    """Returns the storages that only the training of layers before `last` needs: its input
    gradient, everything after it, and the masks and inputs that only these read."""
    nodes = planned.graph.nodes
    end = max(i for i, node in enumerate(nodes) if node.layer == last.name)
    stays = [n for n in nodes[: end + 1] if n.layer != last.name or n.operator.updates]
    read = {t for node in stays for t in node.inputs.values()}
    made = {t for n in stays if n.operator.stage != "saved" for t in n.outputs.values()}
    return [
        p.storage.name
        for p in planned.plan.placements
        if not set(p.storage.tensors) & (read | made | {planned.graph.input.tensor})
    ]


def _smaller_maps(planned: Planned, step: int, alive: tuple[Placement, ...]) -> Iterator[Idea]:
    """Suggests a smaller network, if the peak is a forward operation: halves its two largest
    maps."""
    graph, order = planned.graph, planned.plan
    node = graph.nodes[order.calls[step].node]
    maps = [p.storage for p in alive if graph.tensors[p.storage.name].kind == "activation"][:2]
    if maps and node.operator.weighted:
        total = sum(storage.nbytes for storage in maps)
        names = " and ".join(storage.name for storage in maps)
        yield Idea(
            f"Use a smaller input, or an earlier stride: {names} are {total:,} bytes at "
            "the peak. With half their rows:",
            {storage.name: storage.nbytes // 2 for storage in maps},
            of_network=True,
        )
