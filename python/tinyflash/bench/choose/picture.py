"""Draws the rows: accuracy against the budget, a panel for each task and a line for each method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyflash.bench.choose.results import CHOSEN, cells, mean, methods
from tinyflash.bench.choose.run import Row
from tinyflash.show.plots import BLUE, FAINT, STYLE, save


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Writes a PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(task for task, _ in cells(rows)))
    across = min(3, len(tasks))
    down = -(-len(tasks) // across)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4 * across, 3 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).flat
        for panel, task in zip(axes, tasks, strict=False):
            budgets = sorted(b for t, b in cells(rows) if t == task)
            for at, method in enumerate(methods(rows)):
                found = [mean(rows, task, b, method) for b in budgets]
                ours = method == CHOSEN
                panel.plot(
                    [b / 1024 for b in budgets],
                    [float("nan") if one is None else one for one in found],
                    "o-",
                    color=BLUE if ours else f"C{at}",
                    linewidth=2.2 if ours else 1.0,
                    alpha=1.0 if ours else 0.7,
                    label=method,
                )
            panel.set_title(task, fontsize=9)
            panel.set_xlabel("KB of SRAM", fontsize=8)
            panel.grid(color=FAINT, linewidth=0.6)
        for unused in list(axes):
            unused.set_visible(False)
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False)
        figure.suptitle("Test accuracy in percent at a budget of SRAM", x=0.01, ha="left")
        save(figure, path)
