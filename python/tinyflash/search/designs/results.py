"""Finished results in a file of JSON lines, and worker processes that add to it.

A result depends on nothing except what its key names, so a search that was interrupted, or whose
worker died, takes what is there and computes the rest.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyflash.errors import BuildError
from tinyflash.files import append_bytes

Fields = dict[str, Any]
_DEATHS = 3  # of workers in a row without a result in between
_POLL = 0.2  # s


def key_of(*parts: object) -> str:
    """Returns a key that differs whenever one of the parts does."""
    text = json.dumps(parts, default=repr, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Results:
    """The results of earlier runs, by key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, Fields] = {}
        if path.is_file():
            content = path.read_bytes()
            for line in content.split(b"\n"):
                self._read(line)
            if content and not content.endswith(b"\n"):  # a run ended while it wrote
                append_bytes(path, b"\n")

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._found[entry["key"]] = dict(entry["result"])
        except (ValueError, KeyError, TypeError):  # a line cut short
            return

    def get(self, key: str) -> Fields | None:
        return self._found.get(key)

    def put(self, key: str, result: Fields) -> None:
        """Keeps a result in memory and in the file."""
        self._found[key] = result
        append_bytes(self.path, (json.dumps({"key": key, "result": result}) + "\n").encode())


@dataclass(frozen=True)
class Job:
    """A call that returns JSON fields. function: of a module, so that a new process finds it."""

    function: Callable[..., Fields]
    given: tuple[Any, ...]

    def run(self) -> Fields:
        return self.function(*self.given)


class Workers:
    """Processes that compute jobs, started when the first job comes and kept for later ones: each
    imports torch and loads the samples once. 1: this process computes. Use it in `with`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Ends the processes; after an error in the middle of a job, which may take minutes."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            if kind is not None:
                _end_children()

    def submit(self, job: Job) -> Future[Fields]:
        if self._executor is None:
            spawn = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.count, spawn, initializer=_begin)
        return self._executor.submit(job.run)

    def replace(self) -> None:
        """Drops processes of which one has died."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = None


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


def _begin() -> None:
    """Prepares a worker. Ctrl-C reaches all processes of a terminal; the first one ends the others.
    If it is killed, nothing else tells its workers, which would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)


def computed(
    jobs: Mapping[str, Job],
    results: Results,
    workers: Workers,
    tick: Callable[[str], None],
    until: float | None = None,
) -> dict[str, Fields]:
    """Returns the result of every job, by key. tick: called with each key, also of results that
    were there. until: a time of time.monotonic(); what has not begun then is left out."""
    found: dict[str, Fields] = {}
    left: dict[str, Job] = {}
    for key, job in jobs.items():
        known = results.get(key)
        if known is None:
            left[key] = job
        else:
            found[key] = known
            tick(key)

    def keep(key: str, result: Fields) -> None:
        results.put(key, result)
        found[key] = result
        del left[key]
        tick(key)

    deaths = 0
    compute = _here if workers.count == 1 else _in_processes
    while left and not _late(until):
        before = len(left)
        try:
            compute(left, workers, keep, until)
        except BrokenProcessPool:
            workers.replace()
            deaths = deaths + 1 if len(left) == before else 1
            if deaths == _DEATHS:
                raise BuildError(
                    "worker processes die, as they do without memory; use --processes 1"
                ) from None
    return found


def _late(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _here(
    left: dict[str, Job], _: Workers, keep: Callable[[str, Fields], None], until: float | None
) -> None:
    for key, job in list(left.items()):
        if _late(until):
            return
        keep(key, job.run())


def _in_processes(
    left: dict[str, Job], workers: Workers, keep: Callable[[str, Fields], None], until: float | None
) -> None:
    waiting = iter(list(left.items()))
    running: dict[Future[Fields], str] = {}
    while True:
        while len(running) < 2 * workers.count and not _late(until):
            following = next(waiting, None)
            if following is None:
                break
            running[workers.submit(following[1])] = following[0]
        if not running:
            return
        for future in wait(running, _POLL, FIRST_COMPLETED).done:
            keep(running.pop(future), future.result())
