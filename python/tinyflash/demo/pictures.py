"""From what the demo measured to its two pictures."""

from __future__ import annotations

from pathlib import Path

from tinyflash.compiler import Compiled
from tinyflash.demo.report import Report
from tinyflash.graph import Graph
from tinyflash.lower.program import Planned
from tinyflash.plan import Placement
from tinyflash.plots import Block, Curve, Map, draw_learning_curve, draw_memory_map
from tinyflash.training import History


def draw(
    directory: Path, compiled: Compiled, history: History, samples: int, report: Report
) -> None:
    """learning_curve.png and memory_map.png; `samples` in an epoch."""
    curve = Curve(
        f"A person detector learns faces on {report.board}",
        samples,
        report.accuracy_before,
        report.accuracy_after,
        report.accuracy_head_only,
    )
    draw_learning_curve(directory / "learning_curve.png", history, curve)
    if compiled.train is not None:
        draw_memory_map(directory / "memory_map.png", memory_map(compiled.train))


def memory_map(planned: Planned) -> Map:
    """The arena over the operations of one training step."""
    graph, plan = planned.graph, planned.plan
    loss = next(i for i, node in enumerate(graph.nodes) if node.op == "softmax_loss")
    return Map(
        "Arena of one training step",
        [_block(graph, placement) for placement in plan.placements],
        plan.arena_bytes,
        len(graph.nodes),
        plan.peak_step,
        {"forward": 0, "backward and update": loss},
    )


def _block(graph: Graph, placement: Placement) -> Block:
    storage = placement.storage
    first = max(storage.first, 0)  # the input is there before the first operation
    last = min(storage.last, len(graph.nodes) - 1)
    name, kind = _meaning(graph, storage.tensors[0])
    return Block(name, kind, placement.offset, storage.nbytes, first, last)


def _meaning(graph: Graph, tensor: str) -> tuple[str, str]:
    """Label and kind of a tensor: an activation that an update reads was kept for it."""
    kind = graph.tensors[tensor].kind
    update = next((n for n in graph.readers(tensor) if n.op.endswith("_update")), None)
    if kind == "activation" and update is not None:
        return f"x of {update.name}", "kept"
    return tensor.removesuffix(".y"), kind
