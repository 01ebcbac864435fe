"""The benchmark's results as JSON, and as tables for the terminal."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.table import Table

from tinyflash.bench.accuracy.cell import Cell, Effort
from tinyflash.bench.accuracy.judgement import Cells, Claim, Difference, claims, differences, mean
from tinyflash.bench.accuracy.methods import Method
from tinyflash.show.console import table

_VERSIONS = ("tinyflash", "numpy", "torch")


@dataclass(frozen=True)
class Results:
    """Every cell of `tasks` x `methods`, by their names."""

    tasks: tuple[str, ...]
    methods: tuple[Method, ...]
    cells: Cells
    effort: Effort
    seconds: float

    @property
    def differences(self) -> list[Difference]:
        return differences(self.cells, self.tasks)

    @property
    def claims(self) -> list[Claim]:
        return claims(self.cells, self.tasks)

    def row(self, method: Method) -> list[Cell]:
        return [self.cells[task, method.name] for task in self.tasks]

    def mean(self, method: Method) -> float:
        """Returns the mean over tasks, in percent."""
        return mean(self.cells, self.tasks, method.name)


def as_json(results: Results) -> dict[str, Any]:
    """Returns everything: each run, each choice, each test sample, and the versions of the
    software."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": platform.machine(),
        "seconds": round(results.seconds, 1),
        "effort": asdict(results.effort),
        "methods": [{"name": m.name, "title": m.title} for m in results.methods],
        "tasks": {task: asdict(_first(results, task).limits) for task in results.tasks},
        "means": {m.name: results.mean(m) for m in results.methods},
        "cells": [
            {"mean": c.mean, "spread": c.spread, **asdict(c)}
            for method in results.methods
            for c in results.row(method)
        ],
        "differences": [{**asdict(d), "holds": d.holds} for d in results.differences],
        "claims": [asdict(c) for c in results.claims],
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _first(results: Results, task: str) -> Cell:
    return results.cells[task, results.methods[0].name]


def tables(results: Results) -> list[Table]:
    """Returns tables: samples per task, accuracies, and int8 against float."""
    found = [_tasks(results), _accuracies(results)]
    return [*found, _differences(results.differences)] if results.differences else found


def _tasks(results: Results) -> Table:
    columns = ("task", "network", ">splits", ">train", ">validate", ">test", ">epochs")
    rows = table("Samples of each seed; batch 1, plain gradient descent, cosine rate", *columns)
    for task in results.tasks:
        given = _first(results, task).limits
        numbers = (given.splits, given.train, given.validation, given.test, given.epochs)
        rows.add_row(task, given.network, *(f"{n:,}" for n in numbers))
    return rows


def _accuracies(results: Results) -> Table:
    seeds = len(results.effort.seeds)
    spread = f"mean and standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    columns = ("method", *(f">{task}" for task in results.tasks), ">mean")
    rows = table(f"Test accuracy, percent ({spread}), and SRAM", *columns)
    for method in results.methods:
        texts = [_cell(cell, seeds > 1) for cell in results.row(method)]
        rows.add_row(method.title, *texts, f"[bold]{results.mean(method):.1f}[/bold]")
    return rows


def _cell(cell: Cell, spread: bool) -> str:
    text = f"{cell.mean:.1f}" + (f" ±{cell.spread:.1f}" if spread else "")
    return text if cell.memory is None else f"{text}\n[dim]{cell.memory.total / 1024:.0f} KB[/dim]"


def _differences(found: Sequence[Difference]) -> Table:
    columns = ("task", "ours", "float", ">points", ">95 % interval", "")
    rows = table("Int8 less float on the same test samples", *columns)
    for d in found:
        interval = f"{d.low:+.1f} .. {d.high:+.1f}"
        rows.add_row(d.task, d.ours, d.other, f"{d.points:+.2f}", interval, mark(d.holds))
    return rows


def mark(holds: bool) -> str:
    return "[green]yes[/green]" if holds else "[red]NO[/red]"
