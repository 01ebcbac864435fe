"""Draws one picture of the demo: the accuracy on the board, and the SRAM it took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.boards import Board
from tinyflash.demo.report import Report
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, WINDOW, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = 12  # points: legible where a page shows the picture 900 pixels wide
GREEN = "#5b8c5a"


def draw_overview(path: Path, report: Report, accuracies: Sequence[float], board: Board) -> None:
    """Writes a PNG, twice 900 pixels wide. accuracies: percent at each training step, of the last
    WINDOW samples."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "font.size": FONT}):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        curve, memory = figure.subplots(2, 1, height_ratios=(5, 1))
        _draw_accuracy(curve, report, accuracies)
        _draw_memory(memory, report, board)
        save(figure, path, dots=200)


def _draw_accuracy(axes: Axes, report: Report, accuracies: Sequence[float]) -> None:
    shown = slice(min(WINDOW, len(accuracies)) - 1, None)  # earlier, the mean covers too few steps
    steps = range(1, len(accuracies) + 1)[shown]
    axes.plot(steps, accuracies[shown], color=BLUE, linewidth=2.2)
    levels = (
        (report.accuracy_after, INK, "after training", -1),
        (report.accuracy_head_only, ORANGE, "classifier alone", -1),
        (report.accuracy_before, SOFT, "before", 1),
    )
    for level, color, name, side in levels:
        axes.axhline(level, color=color, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{name}: {level:.0f} %", (1, level), xycoords=("axes fraction", "data"),
            xytext=(-4, 4 * side), textcoords="offset points", color=color,
            ha="right", va="bottom" if side > 0 else "top", fontweight="bold",
        )  # fmt: skip
    axes.set_xlim(0, len(accuracies))
    axes.set_ylim(min(45.0, *accuracies[shown]) - 5, 103)
    axes.set_ylabel("accuracy, %")
    axes.set_xlabel("training step, one picture each")
    axes.set_title(
        f"Learning on {report.board}: last {WINDOW} pictures (curve), 100 unseen ones (lines)",
        loc="left", fontsize=FONT, color=INK,
    )  # fmt: skip


def _draw_memory(axes: Axes, report: Report, board: Board) -> None:
    """Draws a bar as long as the board's SRAM. The stack counts with its full reserve."""
    trained = report.sram_trainable_bytes
    rest = report.sram_total_bytes - report.sram_arena_bytes - trained
    parts = (
        ("arena", report.sram_arena_bytes, BLUE),
        ("trained", trained, ORANGE),
        ("", rest, GREEN),
        ("free", board.sram_bytes - report.sram_total_bytes, FAINT),
    )
    left = 0
    for name, size, color in parts:
        axes.barh(0, size, left=left, color=color, height=0.8)
        if name:
            axes.text(
                left + size / 2, 0, f"{name}\n{size:,}", ha="center", va="center",
                color=INK if color == FAINT else "white", fontsize=FONT - 1,
            )  # fmt: skip
        left += size
    axes.set_xlim(0, board.sram_bytes)
    axes.set_axis_off()
    axes.set_title(
        f"SRAM: {report.sram_total_bytes:,} of {board.sram_bytes:,} bytes "
        f"(green: stack, link, state, {rest:,})",
        loc="left", fontsize=FONT, color=INK,
    )  # fmt: skip
