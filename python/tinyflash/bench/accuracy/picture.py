"""Draws the table: a column of dots for each task, a row for each method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.bench.accuracy.cell import Cell
from tinyflash.bench.accuracy.methods import Method
from tinyflash.bench.accuracy.results import Results
from tinyflash.files import write_atomically
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"float": SOFT, "fake": SOFT, "int8": BLUE}
PARTIAL = ("last", "biases", "head")  # drawn apart from methods that train as much as float


def draw(path: Path, results: Results) -> None:
    """Writes a PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows, columns = len(results.methods), len(results.tasks) + 1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.2 + 2.1 * columns, 1.6 + 0.42 * rows), layout="constrained")
        axes = figure.subplots(1, columns, sharey=True, squeeze=False)[0]
        for panel, task in zip(axes, results.tasks, strict=False):
            cells = [results.cells[task, method.name] for method in results.methods]
            _panel(panel, f"{task}\n{cells[0].limits.network}", results)
            for row, (method, cell) in enumerate(zip(results.methods, cells, strict=True)):
                _dot(panel, row, method, cell)
        _panel(axes[-1], "mean\nof all tasks", results)
        for row, method in enumerate(results.methods):
            mean = results.mean(method)
            axes[-1].plot(mean, row, "D", color=_colour(method), markersize=7)
            _note(axes[-1], mean, row, f"{mean:.1f}")
        _names(axes[0], results)
        figure.suptitle(_title(results), x=0.01, ha="left", fontweight="bold")
        write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=160))


def _title(results: Results) -> str:
    seeds = len(results.effort.seeds)
    spread = f"dots: single seeds; bars: mean and standard deviation of {seeds}"
    return "Test accuracy in percent, and KB of SRAM" + (f"  ({spread})" if seeds > 1 else "")


def _colour(method: Method) -> str:
    return ORANGE if method.name in PARTIAL else COLOURS[method.arithmetic]


def _panel(axes: Axes, title: str, results: Results) -> None:
    axes.set_title(title, fontsize=9, color=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.margins(x=0.28)
    axes.set_ylim(len(results.methods) - 0.4, -0.8)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    for row in range(0, len(results.methods), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=FAINT, alpha=0.25, linewidth=0)


def _names(axes: Axes, results: Results) -> None:
    axes.set_yticks(range(len(results.methods)), [m.title for m in results.methods], color=INK)
    for label, method in zip(axes.get_yticklabels(), results.methods, strict=True):
        label.set_color(_colour(method))


def _dot(axes: Axes, row: int, method: Method, cell: Cell) -> None:
    """Draws every seed faintly, the mean with its spread, and the memory."""
    colour = _colour(method)
    axes.plot(cell.accuracies, [row] * len(cell.accuracies), "o", color=colour, alpha=0.3, ms=4)
    axes.errorbar(
        cell.mean, row, xerr=cell.spread, fmt="o", color=colour, ms=6.5, capsize=3, elinewidth=1.4
    )
    memory = "" if cell.memory is None else f"  {cell.memory.total / 1024:.0f} KB"
    _note(axes, cell.mean, row, f"{cell.mean:.1f}{memory}")


def _note(axes: Axes, x: float, row: int, text: str) -> None:
    axes.annotate(
        text,
        (x, row),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=6.5,
        color=SOFT,
    )
