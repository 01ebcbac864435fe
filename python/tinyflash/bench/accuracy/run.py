"""Runs the whole benchmark, or a part of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from tinyflash.bench.accuracy.cell import Effort
from tinyflash.bench.accuracy.methods import METHODS, Method
from tinyflash.bench.accuracy.pool import Listener, fill_all
from tinyflash.bench.accuracy.results import Results
from tinyflash.bench.accuracy.store import Store
from tinyflash.bench.accuracy.twin import load_torch
from tinyflash.errors import DataError
from tinyflash.zoo.tasks import FOREIGN, TASKS, load_task

WHOLE = Effort()
QUICK = Effort(seeds=(0,), epochs=2, train=200, validation=60, test=200, growth=1)


def effort(quick: bool, first_seed: int = 0) -> Effort:
    """Returns QUICK or WHOLE, with seeds from `first_seed` on."""
    base = QUICK if quick else WHOLE
    return replace(base, seeds=tuple(first_seed + seed for seed in base.seeds))


def chosen_tasks(names: Sequence[str], foreign: bool = False) -> tuple[str, ...]:
    """Returns the named tasks, each once. If none is named: all of TASKS; foreign: and FOREIGN."""
    default = [*TASKS, *FOREIGN] if foreign else [*TASKS]
    return _chosen("task", names or default, [*TASKS, *FOREIGN])


def chosen_methods(names: Sequence[str], ours: bool) -> tuple[Method, ...]:
    """Returns the named methods, or all. ours: only methods without torch; others may not be
    named."""
    known = [m for m in METHODS if not ours or m.arithmetic == "int8"]
    named = _chosen("method without torch" if ours else "method", names, [m.name for m in known])
    return tuple(m for m in known if m.name in named)


def _chosen(what: str, names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise DataError(f"no {what} {name!r}; choose one of {', '.join(known)}")
    return tuple(dict.fromkeys(names or known))


def run(
    tasks: tuple[str, ...],
    methods: tuple[Method, ...],
    effort: Effort,
    store: Store,
    processes: int,
    listen: Listener,
) -> Results:
    """Runs every method on every task."""
    if any(m.arithmetic != "int8" for m in methods):
        load_torch()
    for name in tasks:
        load_task(name)  # report missing data now, not after half an hour
    start = time.perf_counter()
    cells = fill_all(tasks, methods, effort, store, processes, listen)
    return Results(tasks, methods, cells, effort, time.perf_counter() - start)
