"""Draws where the instructions of training steps go: a bar for each operator, coloured by kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.bench.network import Measured
from tinyflash.bench.profile.kinds import KINDS, parts
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = dict(zip(KINDS, (BLUE, ORANGE, "#e9c46a", FAINT), strict=True))
_MOST = 8  # bars of a panel: the longest


def draw(path: Path, measured: Sequence[Measured]) -> None:
    """Writes a PNG: training steps by operator and kind, a row for each network, a column for each
    board."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    boards = list(dict.fromkeys(one.row.board for one in measured))
    networks = list(dict.fromkeys(one.row.network for one in measured))
    size = (1.5 + 4.2 * len(boards), 1 + 2.6 * len(networks))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(networks), len(boards), squeeze=False)
        for one in measured:
            axes = grid[networks.index(one.row.network)][boards.index(one.row.board)]
            _panel(axes, one)
        for axes in grid[-1]:
            axes.set_xlabel("millions of instructions")
        figure.suptitle(
            "A training step in QEMU, by operator and kind", x=0.01, ha="left", fontweight="bold"
        )
        for name, colour in _COLOURS.items():
            grid[0][0].barh([0], [0], color=colour, label=name)
        grid[0][0].legend(loc="lower right", frameon=False, fontsize=8)
        save(figure, path, dots=110)


def _panel(axes: Axes, one: Measured) -> None:
    assert one.step is not None
    every = parts(one.step)
    names = [part.kernel.replace("_", " ") for part in every[:_MOST]]
    left = [0.0] * len(names)
    for kind in KINDS:
        widths = [part.kinds[kind] / 1e6 for part in every[:_MOST]]
        axes.barh(range(len(names)), widths, left=left, color=_COLOURS[kind], height=0.7)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for index, total in enumerate(left):
        axes.annotate(
            f"{total:.1f}", (total, index), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=6.5, color=SOFT,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names, color=INK, fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    title = f"{one.row.network}, {one.row.board}: {one.row.step / 1e6:.1f}"
    axes.set_title(title, fontsize=8.5, color=INK, loc="left")
