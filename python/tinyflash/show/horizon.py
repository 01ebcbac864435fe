"""Draws what a study of horizons found: maps over history and lead, curves over lead.

Imports matplotlib only when it draws: that import is slower than all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyflash.data.horizon.question import OWN
from tinyflash.data.horizon.study import Map, Study
from tinyflash.show.plots import BLUE, FAINT, INK, SOFT, STYLE, save
from tinyflash.show.recordings import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TEXTS = 80  # cells that have their number written into them


def draw_horizon(path: Path, found: Study) -> None:
    """Draws to a PNG file: for each predictor a row with a map for each modality, and the best
    history's score over the lead."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = (OWN, *found.series.question.modalities)
    columns = len(names) + 1
    with mpl.rc_context(STYLE):
        size = (2.9 * len(names) + 4.0, 3.1 * len(found.maps) + 0.4)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(
            len(found.maps), columns, squeeze=False, width_ratios=[1] * len(names) + [1.3]
        )
        for row, (predictor, maps) in zip(grid, found.maps.items(), strict=True):
            for axes, name in zip(row, names, strict=False):
                _draw_map(axes, found, maps[name], f"{predictor}: {name}")
            row[0].set_ylabel(f"history, {_unit(found)}")
            _draw_curves(row[-1], found, predictor)
        for axes in grid[-1]:
            axes.set_xlabel(f"lead, {_unit(found)}")
        save(figure, path, 130)


def _unit(found: Study) -> str:
    return "s" if found.timed else "frames"


def _draw_map(axes: Axes, found: Study, one: Map, title: str) -> None:
    question, mean = found.series.question, one.mean
    low = found.series.chance
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("score", ["#ffffff", "#9cc3d9", BLUE, "#163a50"])
    axes.imshow(mean, cmap=colours, vmin=low, vmax=1.0, aspect="auto", origin="lower")
    for places, steps, ticks in (
        (axes.set_xticks, question.leads, 8),
        (axes.set_yticks, question.histories, 12),
    ):
        shown = range(0, len(steps), -(-len(steps) // ticks))
        places(list(shown), [f"{steps[i] / found.series.rate:g}" for i in shown])
    if mean.size <= _MOST_TEXTS:
        for (row, column), value in np.ndenumerate(mean):
            dark = (value - low) / (1 - low) > 0.55
            text = f"{round(value, 2) + 0.0:.2f}" if value > -10 else "<-10"  # no -0.00
            colour = "white" if dark else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axes.tick_params(length=0)
    axes.set_title(title, loc="left", fontsize=10)


def _draw_curves(axes: Axes, found: Study, predictor: str) -> None:
    series = found.series
    leads = np.array(series.question.leads) / series.rate
    for place, (name, one) in enumerate(found.maps[predictor].items()):
        best = one.mean.max(0)
        own = name == OWN
        colour = SOFT if own else COLOURS[(place - 1) % len(COLOURS)]
        style = (0, (4, 3)) if own else "solid"
        axes.plot(leads, best, color=colour, linestyle=style, marker="o", markersize=3, label=name)
        scale = None if own else found.timescales[predictor][name].steps
        if scale is not None:
            axes.axvline(scale / series.rate, color=colour, linewidth=0.8, alpha=0.7)
    axes.axhline(series.chance, color=FAINT, linewidth=0.8, zorder=0)
    axes.set_ylim(series.chance - 0.05, 1.02)
    axes.set_title(f"{series.scored}, best history; lines: timescales", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
