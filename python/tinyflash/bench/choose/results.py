"""What the rows say: a table, and whether choosing by measurement is worth it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from tinyflash.bench.choose.run import Row
from tinyflash.show.console import table

CHOSEN, FIXED = "probes", "fixed"


def cells(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Returns all (task, budget), in their order."""
    return list(dict.fromkeys((row.task, row.budget) for row in rows))


def methods(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def mean(rows: Sequence[Row], task: str, budget: int, method: str) -> float | None:
    found = [r.accuracy for r in rows if (r.task, r.budget, r.method) == (task, budget, method)]
    return float(np.mean(found)) if found else None


def shown(rows: Sequence[Row]) -> Table:
    seeds = len({row.seed for row in rows})
    shown = table(
        f"Test accuracy in percent, mean of {seeds} seeds",
        *("task", ">budget, KB", "method", ">accuracy", ">spread", ">SRAM, B", ">rate"),
        *(">seconds", "scheme by"),
    )
    before = ("", 0)
    for task, budget in cells(rows):
        for method in methods(rows):
            group = [r for r in rows if (r.task, r.budget, r.method) == (task, budget, method)]
            if not group:
                continue
            if before not in ((task, budget), ("", 0)):
                shown.add_section()
            before = (task, budget)
            one, found = group[0], [r.accuracy for r in group]
            spread = float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
            shown.add_row(
                *(task, f"{budget / 1024:g}", method, f"{np.mean(found):.1f}", f"{spread:.1f}"),
                *(f"{one.sram:,}", f"{one.rate:g}", f"{one.seconds:.0f}", one.by),
            )
    return shown


def claims(rows: Sequence[Row], few_shot: bool) -> list[str]:
    if CHOSEN not in methods(rows):
        return []
    return _few(rows) if few_shot else [*_each(rows), *_at_the_tightest(rows)]


def _each(rows: Sequence[Row]) -> list[str]:
    """Against the best other method of each task and budget."""
    found = []
    for task, budget in cells(rows):
        ours = mean(rows, task, budget, CHOSEN)
        others = {m: a for m in methods(rows) if (a := mean(rows, task, budget, m)) is not None}
        others.pop(CHOSEN, None)
        if ours is None or not others:
            continue
        best = max(others, key=lambda m: others[m])
        found.append(
            f"{task}, {budget / 1024:g} KB: {CHOSEN} {ours - others[best]:+.2f} points against the "
            f"best other method, {best} (at least -0.3 wanted)"
        )
    return found


def _at_the_tightest(rows: Sequence[Row]) -> list[str]:
    """On the mean over tasks, against the method that is best there."""
    tightest = {t: min(b for task, b in cells(rows) if task == t) for t, _ in cells(rows)}
    means = {}
    for method in methods(rows):
        found = [mean(rows, t, b, method) for t, b in tightest.items()]
        present = [one for one in found if one is not None]
        if len(present) == len(found):
            means[method] = float(np.mean(present))
    ours = means.pop(CHOSEN, None)
    if ours is None or not means:
        return []
    best = max(means, key=lambda m: means[m])
    return [
        f"tightest budgets, mean of {len(tightest)} tasks: {CHOSEN} {ours:.2f} %, "
        f"{ours - means[best]:+.2f} points against the best fixed rule, {best} (+1.0 wanted)"
    ]


def _few(rows: Sequence[Row]) -> list[str]:
    pairs = [
        (ours, other)
        for task, budget in cells(rows)
        if (ours := mean(rows, task, budget, CHOSEN)) is not None
        and (other := mean(rows, task, budget, FIXED)) is not None
    ]
    if not pairs:
        return []
    gain = float(np.mean([ours - other for ours, other in pairs]))
    return [
        f"few samples, mean of {len(pairs)} tasks: chosen for each task {gain:+.2f} points against "
        "one fixed scheme (+2 wanted)"
    ]
