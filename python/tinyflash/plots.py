"""Two pictures: how training went, and what the arena holds at each operation.

matplotlib is imported when a picture is drawn and not before; it takes longer than all else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyflash.files import write_atomically
from tinyflash.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT = "#22223b", "#6c6f85", "#d9dbe6"
BLUE, ORANGE = "#2a6f97", "#d1603d"
FILL = {"activation": "#8ecae6", "mask": "#b5b8d6", "gradient": "#f4a261", "kept": "#7cc29a"}
MEANING = {
    "activation": "activations",
    "kept": "inputs kept for the update",
    "mask": "clip masks",
    "gradient": "gradients",
}
WINDOW = 25  # training steps that a running mean covers
STYLE: Any = {
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
    """What the learning curve shows besides the steps: accuracies on held-out samples, percent."""

    title: str
    samples: int  # in one epoch
    before: float
    after: float
    head_only: float


@dataclass(frozen=True)
class Block:
    """A buffer of the arena: bytes [offset, offset + size), operations first..last."""

    name: str
    kind: str  # a key of FILL
    offset: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Map:
    """The arena over the operations of one table."""

    title: str
    blocks: Sequence[Block]
    arena_bytes: int
    operations: int
    peak: int  # the operation at which most bytes are alive
    phases: Mapping[str, int]  # name -> its first operation


def draw_learning_curve(path: Path, history: History, curve: Curve) -> None:
    """Running accuracy and loss over training steps; held-out accuracies as lines across."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        losses, accuracies = history.running(WINDOW)
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
    """The accuracies on held-out samples, each with its name to the right of the frame."""
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
    """The values, moved up where two would stand closer than `gap`."""
    moved: dict[int, float] = {}
    lowest = -float("inf")
    for index in sorted(range(len(values)), key=lambda i: values[i]):
        moved[index] = lowest = max(values[index], lowest + gap)
    return [moved[index] for index in range(len(values))]


def draw_memory_map(path: Path, plan: Map) -> None:
    """The arena's buffers as rectangles: operations across, addresses upwards."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 7), layout="constrained")
        axes = figure.subplots()
        for block in plan.blocks:
            _rectangle(axes, block, plan)
        _phases(axes, plan)
        _peak(axes, plan)
        axes.set_xlim(0, plan.operations)
        axes.set_ylim(0, plan.arena_bytes / 1024 * 1.09)
        axes.set_xlabel("operation of a training step, in order of execution")
        axes.set_ylabel("address in the arena, KB")
        axes.set_title(plan.title, loc="left", fontweight="bold")
        _legend(axes, {block.kind for block in plan.blocks})
        save(figure, path)


def _rectangle(axes: Axes, block: Block, plan: Map) -> None:
    from matplotlib.patches import Rectangle

    width, height = block.last + 1 - block.first, block.size / 1024
    corner = (block.first, block.offset / 1024)
    axes.add_patch(
        Rectangle(
            corner, width, height, facecolor=FILL[block.kind], edgecolor="white", linewidth=0.6
        )
    )
    columns = int(width / plan.operations * 240)  # characters and lines that have room
    lines = int(height / (plan.arena_bytes / 1024) * 48)
    label = _label(block, columns, lines)
    if label:
        middle = (corner[0] + width / 2, corner[1] + height / 2)
        axes.text(*middle, label, ha="center", va="center", fontsize=6, linespacing=1.1)


def _label(block: Block, columns: int, lines: int) -> str:
    """Name and size in KB, as much of it as there is room for."""
    size = f"{block.size / 1024:.1f}"
    if len(block.name) <= columns and lines >= 2:
        return f"{block.name}\n{size}"
    texts = (f"{block.name}  {size}", block.name, size)
    return next((text for text in texts if len(text) <= columns and lines >= 1), "")


def _phases(axes: Axes, plan: Map) -> None:
    """Names the parts of a training step above the map, with a line where each begins."""
    for name, first in plan.phases.items():
        if first:
            axes.axvline(first, color=SOFT, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.text(first + 0.4, plan.arena_bytes / 1024 * 1.045, name, color=SOFT, va="bottom")


def _peak(axes: Axes, plan: Map) -> None:
    """The arena's size, and the operation at which most of it is alive."""
    alive = [b for b in plan.blocks if b.first <= plan.peak <= b.last]
    size = sum(block.size for block in alive) / 1024
    top = plan.arena_bytes / 1024
    axes.axhline(top, color=INK, linewidth=1.2)
    axes.axvspan(plan.peak, plan.peak + 1, color=INK, alpha=0.16, linewidth=0)
    right = plan.peak > plan.operations / 2
    axes.text(
        plan.peak + (-0.4 if right else 1.4),
        top * 1.012,
        f"peak: {size:.1f} KB in use, arena {top:.1f} KB",
        ha="right" if right else "left",
        va="bottom",
        fontweight="bold",
    )


def _legend(axes: Axes, kinds: set[str]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=FILL[kind], label=MEANING[kind]) for kind in FILL if kind in kinds]
    axes.legend(
        handles=patches,
        loc="lower center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=len(patches),
        frameon=False,
    )


def save(figure: Figure, path: Path, dots: int = 160) -> None:
    """As a PNG file, whole or not at all."""
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=dots))
