"""Plans and trainings of networks as jobs of the search engine: each depends on nothing except what
its key names, so a finished one is never run again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tinyflash.search.engine.engine import Pool
from tinyflash.search.engine.pool import Keyed, ProcessPool, Work
from tinyflash.search.engine.store import Results

__all__ = ["Fields", "Here", "Job", "Pool", "Results", "computed", "key_of", "workers"]

Fields = dict[str, Any]


def key_of(*parts: object) -> str:
    """Returns a key that differs whenever one of the parts does."""
    text = json.dumps(parts, default=repr, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Job:
    """A call that returns JSON fields. function: of a module, so that a new process finds it."""

    function: Callable[..., Fields]
    given: tuple[Any, ...]


def run(_shared: object, job: Job) -> Fields:
    """What a worker does."""
    return job.function(*job.given)


@dataclass(frozen=True)
class Here:
    """This process in place of workers."""

    work: Work = run
    shared: Any = None

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        for key, item in items:
            yield [(key, self.work(self.shared, item))]


def workers(count: int) -> AbstractContextManager[Pool]:
    """Opens as many worker processes; for 1, this process works."""
    return nullcontext(Here()) if count == 1 else ProcessPool(run, None, count)


def computed(
    jobs: Mapping[str, Job],
    results: Results,
    pool: Pool,
    tick: Callable[[str], None],
    until: float | None = None,
) -> dict[str, Fields]:
    """Returns the result of every job, by key. tick: called with each key, also of results that
    were there. until: a time of time.monotonic(), after which no more is waited for; what is
    missing then is left out."""
    missing = [(key, job) for key, job in jobs.items() if key not in results.known]
    for key in jobs:
        if key in results.known:
            tick(key)
    found = pool.run(missing) if missing and not _late(until) else iter(())
    for some in found:
        results.keep(some)
        for key, _ in some:
            tick(key)
        if _late(until):
            break
    return {key: results.known[key] for key in jobs if key in results.known}


def _late(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
