"""The results as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from tinyflash.bench.anomaly.run import METHODS, Cell
from tinyflash.bench.live.tables import spread
from tinyflash.show.console import table


def results(cells: Sequence[Cell]) -> Table:
    """Returns a row per method: means over people and seeds, +- standard deviation."""
    people, seeds = len({c.person for c in cells}), len({c.seed for c in cells})
    rows = table(
        f"What is normal, learned without labels: {people} people, {seeds} seeds",
        *("learns", ">AUC before", ">after", ">at least", ">false alarms, %", ">found, %"),
        *(">weights, bytes", ">arena, bytes"),
    )
    for method in METHODS:
        mine = [c for c in cells if c.method == method.name]
        rows.add_row(
            method.name,
            spread([c.before for c in mine], 3),
            spread([c.after for c in mine], 3),
            f"{min(c.after for c in mine):.3f}",
            spread([100 * c.false_alarms for c in mine]),
            spread([100 * c.found for c in mine]),
            f"{mine[0].weights_bytes:,}",
            f"{mine[0].arena_bytes:,}",
        )
    return rows


def as_json(cells: Sequence[Cell]) -> list[dict[str, object]]:
    return [asdict(cell) for cell in cells]
