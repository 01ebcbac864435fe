"""The whole benchmark: how much of it to run, and on what."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tinyflash.bench.cell import Effort
from tinyflash.bench.methods import METHODS
from tinyflash.bench.pool import Listener, fill_all
from tinyflash.bench.results import Results
from tinyflash.bench.store import Store
from tinyflash.bench.twin import load_torch
from tinyflash.errors import DataError
from tinyflash.zoo.tasks import TASKS, load_task

WHOLE = Effort()
QUICK = Effort(seeds=(0,), epochs=2, train=200, validation=60, test=200, growth=1)


def run(
    tasks: Sequence[str], ours: bool, effort: Effort, store: Store, processes: int, listen: Listener
) -> Results:
    """All methods, or `ours` alone, on `tasks`; all of them if none is named."""
    for name in tasks:
        if name not in TASKS:
            raise DataError(f"no task {name!r}; there are {', '.join(TASKS)}")
    chosen = tuple(dict.fromkeys(tasks)) or tuple(TASKS)
    methods = tuple(m for m in METHODS if not ours or m.arithmetic == "int8")
    if not ours:
        load_torch()
    for name in chosen:
        load_task(name)  # what cannot be had is missed now, not after half an hour
    start = time.perf_counter()
    cells = fill_all(chosen, methods, effort, store, processes, listen)
    return Results(chosen, methods, cells, effort, time.perf_counter() - start)


def cells(tasks: Sequence[str], ours: bool) -> int:
    """How many there are to fill."""
    methods = sum(not ours or m.arithmetic == "int8" for m in METHODS)
    return methods * (len(set(tasks)) or len(TASKS))
