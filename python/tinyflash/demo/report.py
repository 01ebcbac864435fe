"""The demo's report: a table for people, a JSON file for programs."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from tinyflash.boards import Board
from tinyflash.compiler import Compiled
from tinyflash.demo.board import Measured
from tinyflash.show.console import table


@dataclass(frozen=True)
class Report:
    """The figures of one demo, as in report.json. Accuracies: percent of held-out samples.

    `sram_static_bytes`: variables other than arena and trainables. `sram_stack_bytes`: reserved
    for the stack; with the other parts, it adds up to the total. `sram_stack_used_bytes`: of that,
    the most that was in use. `instructions_resolution`: instructions per tick
    of the counting clock.
    """

    board: str
    seed: int
    accuracy_before: float
    accuracy_after: float
    accuracy_head_only: float
    sram_total_bytes: int
    sram_arena_bytes: int
    sram_trainable_bytes: int
    sram_static_bytes: int
    sram_stack_bytes: int
    sram_stack_used_bytes: int
    flash_bytes: int
    instructions_infer: int
    instructions_step: int
    instructions_resolution: float
    samples: int
    bit_exact: bool


def make_report(
    board: Board, seed: int, compiled: Compiled, measured: Measured, head_only: float, exact: bool
) -> Report:
    """Collects the figures."""
    trained, size = measured.trained, measured.size
    assert trained.before is not None
    assert trained.after is not None
    arena, trainable = compiled.program.arena_bytes, len(compiled.program.weights)
    return Report(
        board=board.name,
        seed=seed,
        accuracy_before=trained.before.score,
        accuracy_after=trained.after.score,
        accuracy_head_only=head_only,
        sram_total_bytes=size.sram_bytes,
        sram_arena_bytes=arena,
        sram_trainable_bytes=trainable,
        sram_static_bytes=size.static_bytes - arena - trainable,
        sram_stack_bytes=size.stack_bytes,
        sram_stack_used_bytes=measured.stack_bytes,
        flash_bytes=size.flash_bytes,
        instructions_infer=measured.instructions.infer,
        instructions_step=measured.instructions.step,
        instructions_resolution=measured.instructions.resolution,
        samples=len(trained.history.steps),
        bit_exact=exact,
    )


def as_table(report: Report, board: Board) -> Table:
    """Returns the report as a table, for people."""
    rows = table(f"A person detector learns faces on {board.name}", "", ">", "")
    rows.show_header = False
    rows.add_row("accuracy before", _percent(report.accuracy_before), "new classifier, untrained")
    rows.add_row(
        "accuracy after", f"[bold]{_percent(report.accuracy_after)}[/bold]", "on the board"
    )
    rows.add_row(
        "  training the classifier alone", _percent(report.accuracy_head_only), "best rate"
    )
    rows.add_row("samples seen", f"{report.samples:,}", "one per training step")
    rows.add_section()
    rows.add_row("SRAM", f"[bold]{report.sram_total_bytes:,}[/bold] B", f"of {board.sram_bytes:,}")
    rows.add_row("  arena", f"{report.sram_arena_bytes:,} B", "activations, gradients, masks")
    rows.add_row("  trainable", f"{report.sram_trainable_bytes:,} B", "weights and biases")
    rows.add_row("  static", f"{report.sram_static_bytes:,} B", "state, link, library")
    used = f"reserved; at most {report.sram_stack_used_bytes:,} in use"
    rows.add_row("  stack", f"{report.sram_stack_bytes:,} B", used)
    rows.add_row("flash", f"[bold]{report.flash_bytes:,}[/bold] B", f"of {board.flash_bytes:,}")
    rows.add_section()
    ticks = f"instructions, counted in steps of {report.instructions_resolution:g}"
    rows.add_row("one inference", f"{report.instructions_infer:,}", ticks)
    rows.add_row("one training step", f"{report.instructions_step:,}", ticks)
    rows.add_section()
    answer = "[bold green]bit for bit[/]" if report.bit_exact else "[bold red]NO[/]"
    rows.add_row("board and host agree", answer, "weights, state, all held-out logits")
    return rows


def _percent(value: float) -> str:
    return f"{value:.1f} %"
