"""Draws an endurance run: accuracy on the current task, and signs of wear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.bench.endurance.run import Result
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, save
from tinyflash.training.health import stretches

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_endurance(path: Path, title: str, result: Result) -> None:
    """Draws accuracy over the steps, with the level that a fresh copy reaches in each phase;
    weights at +-127; saturated elements of gradients."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    looks, settings = result.board.looks, result.settings
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.6), layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(4, 1.6, 1.6))
        _accuracy(top, result)
        _at_limit(middle, result)
        parts = stretches([look.counters for look in looks], result.anatomy)
        edges = [part.first for part in parts] + [parts[-1].last]
        bottom.stairs([part.gradients_ppm for part in parts], edges, color=BLUE, fill=True)
        for axes in (top, middle, bottom):
            for shift in range(settings.phase, settings.steps, settings.phase):
                axes.axvline(shift, color=FAINT, linewidth=0.9, zorder=0)
            axes.set_ylim(bottom=0)
        top.set_xlim(0, settings.steps)
        top.set_ylabel("accuracy, %")
        middle.set_ylabel("weights\nat ±127, %")
        bottom.set_ylabel("gradients\nsaturated, ppm")
        bottom.set_xlabel("training step (a line: another wearer, and other meanings of labels)")
        bottom.xaxis.set_major_formatter("{x:,.0f}")
        top.set_title(title, loc="left", fontweight="bold", pad=26)  # the legend is below
        figure.align_ylabels()
        save(figure, path, dots=120)


def _at_limit(axes: Axes, result: Result) -> None:
    """Draws weights at +-127, with and without weight decay."""
    runs = {
        "no weight decay": (result.undecayed, SOFT, 0.9),
        f"weight decay {result.settings.decay:g}": (result.board, ORANGE, 1.6),
    }
    for name, (run, colour, width) in runs.items():
        percent = [100 * look.at_limit / result.anatomy.weights for look in run.looks]
        axes.plot([k.step for k in run.looks], percent, color=colour, linewidth=width, label=name)
    axes.legend(loc="upper left", frameon=False, ncols=2)


def _accuracy(axes: Axes, result: Result) -> None:
    """Draws one curve for each phase, from the drop to the settled level; a fresh copy's level as a
    bar."""
    settings = result.settings
    for number, fresh in enumerate(result.fresh):
        mine = [look for look in result.board.looks if look.phase == number]
        (curve,) = axes.plot(
            [look.step for look in mine],
            [look.accuracy for look in mine],
            color=INK,
            linewidth=1.6,
        )
        level = axes.hlines(
            fresh,
            number * settings.phase,
            (number + 1) * settings.phase,
            color=SOFT,
            linewidth=1.1,
            linestyle=(0, (4, 3)),
        )
    axes.set_ylim(0, 104)
    names = ("one network, all phases", "a fresh copy of it, this phase alone")
    # below the title, where no curve can run through it
    axes.legend(
        (curve, level), names, loc="lower left", bbox_to_anchor=(0, 0.99), frameon=False, ncols=2
    )
