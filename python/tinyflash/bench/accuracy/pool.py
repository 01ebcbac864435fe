"""Fills all cells of the table with several processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from multiprocessing.managers import SyncManager
from queue import Empty, Queue

from tinyflash.bench.accuracy.cell import Cell, Effort, fill
from tinyflash.bench.accuracy.methods import METHODS, Method
from tinyflash.bench.accuracy.store import Store, key
from tinyflash.zoo.task import Task
from tinyflash.zoo.tasks import load_task

POLL = 0.2  # seconds between checks of the processes' reports

Pair = tuple[str, str]  # names of task and method
Listener = Callable[[int, str], None]  # cells done, and the last message


def fill_all(
    tasks: Sequence[str],
    methods: Sequence[Method],
    effort: Effort,
    store: Store,
    processes: int,
    listen: Listener,
) -> dict[Pair, Cell]:
    """Runs every method on every task, slowest methods first, so that the last cells are short.

    Takes finished cells from `store`, and adds new ones to it when done.
    """
    pairs = [(task, method.name) for method in methods for task in tasks]
    if processes == 1:
        return _one_by_one(pairs, effort, store, listen)
    spawn = multiprocessing.get_context("spawn")
    with (
        spawn.Manager() as manager,
        ProcessPoolExecutor(processes, spawn, initializer=_leave_signals) as executor,
    ):
        news = _queue(manager)
        known = dict(store.cells)
        jobs = {executor.submit(_fill, pair, effort, known, news.put): pair for pair in pairs}
        try:
            return _collect(jobs, store, news, listen)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()  # in the middle of a cell, which may take minutes
            raise


def _leave_signals() -> None:
    """Ctrl-C reaches all processes of a terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one_by_one(
    pairs: Sequence[Pair], effort: Effort, store: Store, listen: Listener
) -> dict[Pair, Cell]:
    """Fills the cells in this process."""
    cells: dict[Pair, Cell] = {}
    for pair in pairs:

        def tell(text: str) -> None:
            listen(len(cells), text)

        cells[pair] = store.keep(*_fill(pair, effort, store.cells, tell))
        tell(f"{pair[0]}, {pair[1]}: done")
    return cells


def _queue(manager: SyncManager) -> Queue[str]:
    return manager.Queue()


def _fill(
    pair: Pair, effort: Effort, known: Mapping[str, Cell], tell: Callable[[str], None]
) -> tuple[str, Cell]:
    """Returns a key and its cell."""
    name = pair[0]
    task, method = _task(name), next(m for m in METHODS if m.name == pair[1])
    of = key(task, method, effort)
    return of, known.get(of) or fill(name, task, method, effort, tell)


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
            cells[jobs[future]] = store.keep(*future.result())
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
