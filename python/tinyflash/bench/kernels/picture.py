"""Draws the table of kernels: a column of dots for each board, a row for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.bench.kernels.run import Measured
from tinyflash.show.plots import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PEERS = {"CMSIS-NN": (SOFT, "s"), "TinyEngine": (ORANGE, "D")}


def draw(path: Path, measured: Sequence[Measured]) -> None:
    """Writes a PNG: instructions for a multiply-add or element, here and of the better
    peer."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    boards = list(dict.fromkeys(one.row.board for one in measured))
    layers = list(dict.fromkeys((one.row.kernel, one.row.shape) for one in measured))
    size = (4 + 2.6 * len(boards), 1.6 + 0.34 * len(layers))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(boards), sharex=True, sharey=True, squeeze=False)[0]
        for axes, board in zip(panels, boards, strict=True):
            _panel(axes, board, len(layers))
            for one in measured:
                if one.row.board == board:
                    _dots(axes, layers.index((one.row.kernel, one.row.shape)), one)
        names = [f"{kernel.replace('_', ' ')}, {shape}" for kernel, shape in layers]
        panels[0].set_yticks(range(len(layers)), names, color=INK)
        figure.suptitle(
            "Instructions for a multiply-add, of pools and sums for an element, in QEMU",
            x=0.01,
            ha="left",
            fontweight="bold",
        )
        _legend(figure, panels[0])
        save(figure, path, dots=110)


def _panel(axes: Axes, board: str, rows: int) -> None:
    axes.set_title(board, fontsize=9, color=INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_ylim(rows - 0.4, -0.8)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _dots(axes: Axes, row: int, one: Measured) -> None:
    """Draws a dot with its figure, and a line from the better peer's."""
    if one.peer is not None:
        there = one.peer.instructions / one.row.macs
        colour, marker = _PEERS[one.peer.name]
        axes.plot([there, one.per_unit], [row, row], color=FAINT, linewidth=1.6, zorder=1)
        axes.plot(there, row, marker, color=colour, markersize=5)
    axes.plot(one.per_unit, row, "o", color=BLUE, markersize=6)
    axes.annotate(
        f"{one.per_unit:.2f}",
        (one.per_unit, row),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=6.5,
        color=SOFT,
    )


def _legend(figure: Figure, axes: Axes) -> None:
    axes.plot([], [], "o", color=BLUE, label="tinyflash")
    for name, (colour, marker) in _PEERS.items():
        axes.plot([], [], marker, color=colour, label=name)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower left", frameon=False, ncols=3
    )
