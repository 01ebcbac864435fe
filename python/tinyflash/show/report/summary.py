"""The report on a compilation: a dict for programs, text for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tinyflash.boards import Board, counted_core
from tinyflash.boards.fits import Fit
from tinyflash.boards.footprint import Footprint
from tinyflash.compiler import Compiled
from tinyflash.compiler.constants import dead_channels
from tinyflash.compiler.lower.program import Planned
from tinyflash.graph import DenseAttrs, Graph, Node, WindowAttrs
from tinyflash.layers import in_channels
from tinyflash.runtime.guard import GuardCost
from tinyflash.runtime.replay import ReplayCost
from tinyflash.show.report.advice import advise
from tinyflash.show.report.contents import network_contents, plan_contents, streaming
from tinyflash.show.report.memory import Memory, memories, region_lines, regions
from tinyflash.show.report.timeline import filled, fullest, highest
from tinyflash.show.words import counted

Report = dict[str, Any]


def make_report(
    compiled: Compiled, fit: Fit | None = None, training: Report | None = None
) -> Report:
    """Returns the report. Sizes are in bytes; the keys are stable. fit: the memory that the model
    takes on a board. training: the learning curve of a run, of `learning_fields`."""
    program, infer, train = compiled.program, compiled.infer, compiled.train
    largest, board = compiled.fuller, None if fit is None else fit.board
    guard, replay = GuardCost.of(program, 1), ReplayCost.of(program, 1)
    return {
        "model": program.name,
        "hash": f"{program.hash:08x}",
        "board": None if board is None else board.name,
        "place": None if board is None else vars(board.place),
        "regions": None if fit is None else regions(fit),
        "sram_bytes": None if fit is None else fit.sram_bytes,
        "arena_bytes": program.arena_bytes,
        "arena_lower_bound": compiled.lower_bound,
        "trainable_bytes": len(program.weights),
        **_bytes_by_use(train),
        "state_bytes": len(program.state),
        **_bytes_of_code(None if fit is None else fit.used),
        "frozen_bytes": len(program.flash),
        "guard_sample_bytes": guard.sample_bytes,
        "guard_snapshot_bytes": guard.snapshot_bytes,
        "replay_slot_bytes": 0 if program.row_bytes else replay.total,
        "replay_bytes": 0 if fit is None else fit.replay_bytes,
        "infer_operations": len(program.infer),
        "train_operations": len(program.train),
        "longest_call": longest_call(compiled, counted_core(board)),
        "peak": peak(largest),
        **_details(infer, train, largest, board),
        "advice": [asdict(one) for one in advise(compiled)],
        "linked": None,
        "trained": [] if train is None else _trained(train.graph),
        "training": training,
    }


def longest_call(compiled: Compiled, core: str) -> Report | None:
    """Returns the call that takes most instructions; None if some kernel was not counted."""
    found = {name: table.longest() for name, table in compiled.counted(core).items()}
    calls = [(call, name) for name, call in found.items() if call is not None]
    if len(calls) < len(found):
        return None
    call, name = max(calls, key=lambda pair: pair[0].instructions)
    return {
        "plan": name,
        "operation": f"{call.node.op} {call.node.name}",
        "first_row": call.first,
        "rows": call.count,
        "instructions": call.instructions,
        "core": core,
    }


def _details(
    infer: Planned, train: Planned | None, largest: Planned, board: Board | None
) -> Report:
    """Returns everything that the page draws. `plans` has the train plan only if there is one."""
    plans = {"train": train, "infer": infer}
    return {
        "limits": None if board is None else _limits(board),
        "plans": {name: plan_contents(p) for name, p in plans.items() if p is not None},
        "fuller": "infer" if largest is infer else "train",
        "network": network_contents(infer, train),
        "streaming": streaming(largest),
    }


def _limits(board: Board) -> Report:
    return {
        "sram_bytes": board.sram_bytes,
        "flash_bytes": board.flash_bytes,
        "stack_bytes": board.stack_bytes,
    }


def _bytes_by_use(train: Planned | None) -> dict[str, int]:
    """Returns the bytes in WEIGHTS by use, without padding."""
    found = {"weight_bytes": 0, "bias_bytes": 0, "optimizer_bytes": 0}
    use = {"w": "weight_bytes", "b": "bias_bytes"}
    for node in train.graph.nodes if train is not None else ():
        for role, tensor in node.inputs.items():
            if tensor in node.writes:
                assert train is not None
                found[use.get(role, "optimizer_bytes")] += train.graph.tensors[tensor].nbytes
    return found


def _bytes_of_code(used: Footprint | None) -> Report:
    """Returns code sizes; None without a board, or if its compiler is missing."""
    names = ("stack", "static", "scratch", "firmware_stack", "firmware_static")
    sizes = {f"{name}_bytes": getattr(used, f"{name}_bytes", None) for name in names}
    return {**sizes, "stack_by_kernel": None if used is None else dict(used.kernels)}


def peak(planned: Planned) -> Report:
    """Returns the peak of a plan, and the buffers live there."""
    curve = filled(planned.plan.placements)
    step = fullest(curve)
    node = planned.graph.nodes[planned.plan.calls[step].node]
    return {
        "step": step,
        "operation": f"{node.op} {node.name}",
        "in_use_bytes": highest(curve),
        "buffers": [
            {"name": p.storage.name, "bytes": p.storage.nbytes, "offset": p.offset}
            for p in planned.plan.live_at(step)
        ],
    }


def _trained(graph: Graph) -> list[Report]:
    """Returns one entry per trained layer."""
    return [
        {
            "layer": layer.name,
            "operator": layer.op,
            "input_channels": in_channels(graph, layer),
            "trained_channels": _kept(layer),
            "weight_bytes": _trainable_bytes(graph, layer, "w"),
            "bias_bytes": _trainable_bytes(graph, layer, "b"),
            "dead_channels": sum(dead_channels(graph, layer)),
        }
        for layer in graph.nodes
        if layer.operator.weighted
        and (_trainable_bytes(graph, layer, "w") or _trainable_bytes(graph, layer, "b"))
    ]


def _kept(layer: Node) -> int:
    return layer.attrs.kept if isinstance(layer.attrs, WindowAttrs | DenseAttrs) else 0


def _trainable_bytes(graph: Graph, layer: Node, role: str) -> int:
    tensor = graph.tensors.get(layer.inputs.get(role, ""))
    return tensor.nbytes if tensor is not None and tensor.kind == "trainable" else 0


def as_text(report: Report) -> str:
    """Returns the report as text, for people."""
    lines = [
        f"{report['model']} (hash {report['hash']})"
        + (f" for {report['board']}" if report["board"] else ""),
        *(line for memory in memories(report) for line in _memory_lines(memory)),
        *region_lines(report),
        "",
        *_note_lines(report),
        "",
        *_peak_lines(report),
    ]
    if report["trained"]:
        lines += [
            "",
            f"A guard would take {report['guard_snapshot_bytes']:,} bytes of SRAM for the best "
            f"weights and {report['guard_sample_bytes']:,} for each held-out sample.",
        ]
        if report["replay_slot_bytes"]:
            lines.append(
                f"A replay buffer would take {report['replay_slot_bytes']:,} bytes of SRAM for one "
                "sample of each class."
            )
        lines += ["", "Trained layers:", *(_layer_line(layer) for layer in report["trained"])]
    return "\n".join(lines) + "\n"


def _memory_lines(memory: Memory) -> list[str]:
    """Returns the parts of a memory, and their sum."""
    of = "" if memory.limit is None else f"  of {memory.limit:,}"
    missing = f"  ({memory.missing})" if memory.missing else ""
    return [
        "",
        *(f"  {p.name:<9} {p.nbytes:>10,} bytes  ({p.text})" for p in memory.parts if p.nbytes),
        f"  {memory.name:<9} {memory.used:>10,} bytes{of}{missing}",
    ]


def _note_lines(report: Report) -> list[str]:
    """Returns what the figures rest on."""
    lines = [
        f"No plan of these operations has an arena below {report['arena_lower_bound']:,} bytes."
    ]
    if report["stack_bytes"] is not None:
        kernel, deepest = max(report["stack_by_kernel"].items(), key=lambda item: item[1])
        lines.append(
            f"Of the stack, the library uses at most {report['stack_bytes']:,} bytes; {kernel} "
            f"takes {deepest:,} of them."
        )
    infer, train = report["infer_operations"], report["train_operations"]
    lines.append(f"The table has {counted(infer, 'row')} to infer, and {train:,} to train.")
    return [*lines, *longest_line(report["longest_call"])]


def longest_line(call: Report | None) -> list[str]:
    """Returns what to say of the longest call."""
    if call is None:
        return []
    return [
        f"The longest call, {call['operation']} in the table to {call['plan']}, takes up to "
        f"{call['instructions']:,} instructions on a {call['core'].title()}."
    ]


def _peak_lines(report: Report) -> list[str]:
    """Returns the buffers at the peak. They may share bytes, so their sum may exceed what is in
    use."""
    peak, plan = report["peak"], report["plans"][report["fuller"]]
    buffers = peak["buffers"]
    shared = sum(b["bytes"] for b in buffers) - peak["in_use_bytes"]
    twice = f", of which {shared:,} are shared" if shared else ""
    return [
        f"The arena's peak is at {peak['operation']}, with {peak['in_use_bytes']:,} bytes in use "
        f"of {plan['arena_bytes']:,} reserved{twice}:",
        *(f"  {b['bytes']:>9,} at {b['offset']:>7,}  {b['name']}" for b in buffers),
    ]


def _layer_line(layer: Report) -> str:
    dead = f", dead channels: {layer['dead_channels']}" if layer["dead_channels"] else ""
    return (
        f"  {layer['layer']:<22} {layer['trained_channels']:>4} of {layer['input_channels']:>4} "
        f"input channels, weights {layer['weight_bytes']:>7,} B, "
        f"biases {layer['bias_bytes']:>6,} B{dead}"
    )
