"""Worker processes that take batches of items. One that dies is replaced; its batch is repeated."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from tinyflash.errors import InternalError, TinyflashError

Work = Callable[[Any, Any], Any]  # of what all items share, and of an item
Keyed = tuple[str, Any]

BATCH_SECONDS = 0.2  # that a batch should take
LARGEST_BATCH = 512
ATTEMPTS = 3  # that may cost a worker, for one batch


@dataclass
class _Batch:
    items: list[Keyed]
    attempts: int = 0


@dataclass
class _Worker:
    process: SpawnProcess
    line: Connection
    batch: _Batch | None = None
    begun: float = 0.0


@dataclass
class ProcessPool:
    """A pool on this computer. work: a function of a module."""

    work: Work
    shared: Any
    count: int = field(default_factory=lambda: os.cpu_count() or 1)

    def __enter__(self) -> ProcessPool:
        self._spawn = multiprocessing.get_context("spawn")
        self.workers = [self._started() for _ in range(self.count)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.line.close()
            worker.process.kill()
            worker.process.join()

    def _started(self) -> _Worker:
        here, there = self._spawn.Pipe()
        process = self._spawn.Process(target=_serve, args=(there, self.work), daemon=True)
        with _deaf():
            process.start()
        there.close()
        with suppress(BrokenPipeError, ConnectionError):  # found dead when it should answer
            here.send(self.shared)
        return _Worker(process, here)

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        """Yields results with their keys, as they come, a batch at a time."""
        waiting, size = deque(items), 1
        again: deque[_Batch] = deque()
        try:
            yield from self._run(waiting, again, size)
        finally:  # the caller may have heard enough
            for index, worker in enumerate(self.workers):
                if worker.batch is not None:
                    worker.process.kill()
                    self._replace(index, worker.batch, again)

    def _run(self, waiting: deque[Keyed], again: deque[_Batch], size: int) -> Iterator[list[Keyed]]:
        while waiting or again or any(worker.batch for worker in self.workers):
            for index, worker in enumerate(self.workers):
                if worker.batch is None and (waiting or again):
                    batch = again.popleft() if again else _taken(waiting, size, self.count)
                    self._give(index, batch, again)
            for line in wait([w.line for w in self.workers if w.batch], timeout=1.0):
                index = next(i for i, w in enumerate(self.workers) if w.line is line)
                worker = self.workers[index]
                results = self._answer(index, again)
                if results is not None:
                    size = _next_size(len(results), time.perf_counter() - worker.begun)
                    yield results

    def _give(self, index: int, batch: _Batch, again: deque[_Batch]) -> None:
        worker = self.workers[index]
        try:
            worker.line.send(batch.items)
            worker.batch, worker.begun = batch, time.perf_counter()
        except (BrokenPipeError, ConnectionError):
            self._replace(index, batch, again)

    def _answer(self, index: int, again: deque[_Batch]) -> list[Keyed] | None:
        """Returns the results of a worker; None if it has died. Raises what its work raised."""
        worker = self.workers[index]
        batch, worker.batch = worker.batch, None
        assert batch is not None
        try:
            answer = worker.line.recv()
        except (EOFError, ConnectionError):
            self._replace(index, batch, again)
            return None
        if isinstance(answer, BaseException):
            raise answer
        results: list[Keyed] = answer
        return results

    def _replace(self, index: int, batch: _Batch, again: deque[_Batch]) -> None:
        self.workers[index].line.close()
        self.workers[index].process.join()
        self.workers[index] = self._started()
        batch.attempts += 1
        if batch.attempts == ATTEMPTS and len(batch.items) == 1:
            raise TinyflashError(
                f"search: the same candidate has ended {ATTEMPTS} workers; is memory too small? "
                "What was finished is kept: run the command again to go on"
            )
        if len(batch.items) > 1:  # to find the item that it was
            again.extend(_Batch([item]) for item in batch.items)
        else:
            again.append(batch)


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started here, Ctrl-C does not reach, from its first moment: a worker that is still
    importing would print a traceback. A signal of this moment comes after it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # a process of Python's; to start it would end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _taken(waiting: deque[Keyed], size: int, workers: int) -> _Batch:
    """Takes a batch; towards the end a smaller one, so that no worker is left alone."""
    count = max(1, min(size, len(waiting) // workers))
    return _Batch([waiting.popleft() for _ in range(min(count, len(waiting)))])


def _next_size(done: int, seconds: float) -> int:
    return max(1, min(LARGEST_BATCH, 2 * done, int(done * BATCH_SECONDS / max(seconds, 1e-6))))


def _serve(line: Connection, work: Work) -> None:
    """What a worker does, until the other end is closed. Ctrl-C reaches all processes of a
    terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        shared = line.recv()
        while True:
            items = line.recv()
            try:
                line.send([(key, work(shared, item)) for key, item in items])
            except TinyflashError as error:
                line.send(error)
            except (EOFError, ConnectionError):
                raise
            except Exception as error:
                line.send(InternalError(f"search: {type(error).__name__}: {error}"))
    except (EOFError, ConnectionError):
        return
