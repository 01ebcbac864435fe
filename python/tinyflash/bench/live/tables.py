"""The results of live learning as tables, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from rich.table import Table

from tinyflash.bench.live.run import METHODS, Cell
from tinyflash.show.console import table

_AT = (50, 100, 150, 200, 250)  # windows


def results(cells: Sequence[Cell]) -> Table:
    """Returns a row per method: means over wearers and seeds, +- standard deviation."""
    wearers, seeds = len({c.wearer for c in cells}), len({c.seed for c in cells})
    rows = table(
        f"New wearers in the order of time: {wearers} wearers, {seeds} seeds",
        *("method", ">prequential, %", ">last 50, %", ">old wearers, %", ">after, %"),
        *(">forgotten, points", ">at most", ">buffer, bytes"),
    )
    for method in METHODS:
        mine = [c for c in cells if c.method == method.name]
        lost = [c.forgotten for c in mine]
        rows.add_row(
            method.name,
            spread([c.prequential for c in mine]),
            spread([c.last for c in mine]),
            f"{np.mean([c.old_before for c in mine]):.1f}",
            f"{np.mean([c.old_after for c in mine]):.1f}",
            spread(lost, 2),
            f"{max(lost):.1f}",
            f"{max(c.buffer_bytes for c in mine):,}",
        )
    return rows


def curves(cells: Sequence[Cell]) -> Table:
    """Returns the course of accuracy: means over the 50 windows up to some windows."""
    rows = table("Accuracy of the 50 windows up to", "method", *(f">{at}" for at in _AT))
    for method in METHODS:
        mine = [c.curve for c in cells if c.method == method.name]
        means = (np.mean([curve[min(at, len(curve)) - 1] for curve in mine]) for at in _AT)
        rows.add_row(method.name, *(f"{mean:.1f}" for mean in means))
    return rows


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Returns mean and sample standard deviation; the mean alone of one value."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def as_json(cells: Sequence[Cell]) -> list[dict[str, object]]:
    return [{**asdict(cell), "forgotten": cell.forgotten} for cell in cells]
