"""Draws a run's health: exponents of all gradients, saturation, skipped updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.runtime.session import Counters
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, save
from tinyflash.training.health import Anatomy, Stretch, stretches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPREAD = 0.7  # of a unit: lines with the same exponent are side by side, in order of depth
_COLOURS = "viridis"
_DARKEST, _LIGHTEST = 0.0, 0.92  # of the colours; the last ones are too light for lines


def draw_health(path: Path, title: str, counters: Sequence[Counters], anatomy: Anatomy) -> None:
    """Draws over the training steps, from readings of the counters: one line for each gradient's
    exponent, coloured by depth (the loss's, which is exact at every step, faint behind them);
    saturated elements, clamped weights and skipped updates between two readings."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 7.2), layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(5, 2, 2))
        _exponents(top, counters, anatomy)
        parts = stretches(counters, anatomy)
        _steps(middle, parts, [p.gradients_ppm for p in parts], BLUE)
        _steps(bottom, parts, [p.weights_ppm for p in parts], ORANGE)
        _skipped(bottom, parts)
        top.set_xlim(counters[0].step, max(counters[-1].step, counters[0].step + 1))
        top.set_ylabel("exponent of a gradient")
        middle.set_ylabel("gradients\nsaturated, ppm")
        bottom.set_ylabel("weights clamped\nat ±127, ppm")
        bottom.set_xlabel("training step")
        top.set_title(title, loc="left", fontweight="bold", parse_math=False)
        figure.align_ylabels()
        save(figure, path)


def _exponents(axes: Axes, counters: Sequence[Counters], anatomy: Anatomy) -> None:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap

    last = len(anatomy.gradients) - 1
    colours = mpl.colormaps[_COLOURS]
    steps = [c.step for c in counters]
    axes.step(steps, [c.exponents[0] for c in counters], where="post", color=FAINT, linewidth=1.0)
    for index in range(last, 0, -1):
        depth = (index - 1) / max(1, last - 1)
        offset = _SPREAD * (0.5 - depth)
        axes.step(
            steps,
            [c.exponents[index] + offset for c in counters],
            where="post",
            color=colours(_DARKEST + depth * (_LIGHTEST - _DARKEST)),
            linewidth=1.1,
        )
    shown = LinearSegmentedColormap.from_list(
        "depth", [colours(_DARKEST + i / 20 * (_LIGHTEST - _DARKEST)) for i in range(21)]
    )
    bar = axes.figure.colorbar(ScalarMappable(cmap=shown), ax=axes, pad=0.015, aspect=30)
    bar.set_ticks([0.0, 1.0], labels=["last\nlayer", "first"])
    bar.ax.invert_yaxis()
    bar.outline.set_visible(False)


def _steps(axes: Axes, parts: Sequence[Stretch], values: list[float], colour: str) -> None:
    """Draws a value for each stretch, as filled steps."""
    edges = [part.first for part in parts] + [part.last for part in parts[-1:]]
    axes.stairs(values, edges, fill=True, color=colour, alpha=0.25)
    axes.stairs(values, edges, color=colour, linewidth=1.2)
    axes.set_ylim(0, max([1.0, *values]) * 1.08)


def _skipped(axes: Axes, parts: Sequence[Stretch]) -> None:
    """Draws skipped updates on a separate axis, if there are any."""
    if not any(part.skipped_percent for part in parts):
        return
    twin = axes.twinx()
    edges = [part.first for part in parts] + [part.last for part in parts[-1:]]
    twin.stairs([part.skipped_percent for part in parts], edges, color=INK, linewidth=1.0)
    twin.set_ylim(0, 100)
    twin.set_ylabel("updates\nskipped, %", color=INK)
    twin.spines["right"].set_visible(True)
    twin.tick_params(colors=SOFT)
