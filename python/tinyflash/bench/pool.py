"""Fills all cells of the table on several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from multiprocessing.managers import SyncManager
from queue import Empty, Queue

from tinyflash.bench.cell import Cell, Effort, fill
from tinyflash.bench.methods import METHODS, Method
from tinyflash.bench.store import Store, key
from tinyflash.zoo.task import Task
from tinyflash.zoo.tasks import load_task

POLL = 0.2  # seconds between looks at what the processes report

Pair = tuple[str, str]  # names of task and method
Listener = Callable[[int, str], None]  # cells done, and what was last heard


def fill_all(
    tasks: Sequence[str],
    methods: Sequence[Method],
    effort: Effort,
    store: Store,
    processes: int,
    listen: Listener,
) -> dict[Pair, Cell]:
    """Every method on every task; the slowest methods come first, so that the last cells are short.

    Cells that `store` has are taken from it, others are added to it as they are done.
    """
    pairs = [(task, method.name) for method in methods for task in tasks]
    spawn = multiprocessing.get_context("spawn")
    with (
        spawn.Manager() as manager,
        ProcessPoolExecutor(processes, mp_context=spawn) as executor,
    ):
        news = _queue(manager)
        known = dict(store.cells)
        jobs = {executor.submit(_fill, pair, effort, known, news): pair for pair in pairs}
        try:
            return _collect(jobs, store, news, listen)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _queue(manager: SyncManager) -> Queue[str]:
    return manager.Queue()


def _fill(pair: Pair, effort: Effort, known: dict[str, Cell], news: Queue[str]) -> tuple[str, Cell]:
    """In a process of its own: a cell and its key."""
    name = pair[0]
    task, method = _task(name), next(m for m in METHODS if m.name == pair[1])
    of = key(task, method, effort)
    return of, known.get(of) or fill(name, task, method, effort, news.put)


@lru_cache(maxsize=2)
def _task(name: str) -> Task:
    return load_task(name)


def _collect(
    jobs: dict[Future[tuple[str, Cell]], Pair], store: Store, news: Queue[str], listen: Listener
) -> dict[Pair, Cell]:
    cells: dict[Pair, Cell] = {}
    waiting, heard = set(jobs), ""
    while waiting:
        done, waiting = wait(waiting, POLL, FIRST_COMPLETED)
        for future in done:
            of, cell = future.result()
            if of not in store.cells:
                store.add(of, cell)
            cells[jobs[future]] = cell
        heard = _latest(news) or heard
        listen(len(cells), heard)
    return cells


def _latest(news: Queue[str]) -> str:
    latest = ""
    while True:
        try:
            latest = news.get_nowait()
        except Empty:
            return latest
