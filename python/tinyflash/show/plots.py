"""Draws the learning curve of a training run.

Imports matplotlib only when it draws: that import is slower than all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyflash.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT = "#22223b", "#6c6f85", "#d9dbe6"
BLUE, ORANGE = "#2a6f97", "#d1603d"
WINDOW = 25  # training steps in a running mean
STYLE: Any = {
    "text.parse_math": False,  # names may have dollars
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


@dataclass(frozen=True)
class Curve:
    """The labels of a learning curve, and accuracies on held-out samples in percent."""

    title: str
    samples: int  # in one epoch
    before: float
    after: float
    head_only: float


def draw_learning_curve(
    path: Path, losses: Sequence[float], accuracies: Sequence[float], curve: Curve
) -> None:
    """Draws loss and accuracy (percent) over training steps, each as the mean of the last WINDOW
    steps, and held-out accuracies as horizontal lines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        count = len(losses)
        shown = slice(min(WINDOW, count) - 1, None)  # before, the mean covers too few steps
        steps = range(1, count + 1)[shown]
        top.plot(steps, accuracies[shown], color=BLUE, linewidth=1.8)
        bottom.plot(steps, losses[shown], color=ORANGE, linewidth=1.8)
        _levels(top, curve, count)
        for axes in (top, bottom):
            axes.set_xlim(0, count)
            for epoch in range(curve.samples, count, curve.samples):
                axes.axvline(epoch, color=FAINT, linewidth=0.8, zorder=0)
        top.set_ylim(min(45.0, *accuracies[shown]) - 5, 102)
        bottom.set_ylim(bottom=0)
        top.set_ylabel("accuracy, %")
        bottom.set_ylabel("loss, nats")
        bottom.set_xlabel(
            f"training step: one sample, {curve.samples} to an epoch "
            f"(curves: mean of the last {WINDOW}, before each was learned from)"
        )
        top.set_title(curve.title, loc="left", fontweight="bold")
        save(figure, path)


def _levels(axes: Axes, curve: Curve, steps: int) -> None:
    """Draws the accuracies on held-out samples, each with its name to the right of the frame."""
    levels = {"before": curve.before, "head only": curve.head_only, "after": curve.after}
    texts = _spread(list(levels.values()), gap=5.0)
    for (name, level), height in zip(levels.items(), texts, strict=True):
        strong = name == "after"
        color = INK if strong else SOFT
        axes.axhline(level, color=color, linewidth=1.4 if strong else 0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            f"held out, {name}: {level:.0f} %",
            (steps, height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontweight="bold" if strong else "normal",
            annotation_clip=False,
        )


def _spread(values: Sequence[float], gap: float) -> list[float]:
    """Returns the values, moved up where two are closer than `gap`."""
    moved: dict[int, float] = {}
    lowest = -float("inf")
    for index in sorted(range(len(values)), key=lambda i: values[i]):
        moved[index] = lowest = max(values[index], lowest + gap)
    return [moved[index] for index in range(len(values))]


def save(figure: Figure, path: Path, dots: int = 160) -> None:
    """Writes a PNG file atomically."""
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=dots))
