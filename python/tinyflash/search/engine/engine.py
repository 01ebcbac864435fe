"""Runs trials wherever their workers are, and never one whose result is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from tinyflash.errors import SchemeError
from tinyflash.search.engine.evaluate import Context, Trial, Verdict, work
from tinyflash.search.engine.pool import Keyed, ProcessPool
from tinyflash.search.engine.store import Results

Told = Callable[[int, int], object]  # results of so many


class Pool(Protocol):
    """Workers of any kind."""

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        """Yields results with their keys, as they come."""


class OutOfTimeError(SchemeError):
    """The time that the user gave is over. What is finished is kept."""


@dataclass
class Engine:
    """context: what all trials share. until: a time.monotonic() after which no more is started."""

    context: Context
    pool: Pool
    results: Results
    until: float | None = None
    told: Told = lambda _done, _of: None
    computed: int = field(default=0, init=False)

    def verdicts(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        """Returns the verdict of each trial. Raises OutOfTimeError."""
        keys = {trial: self.context.key(trial) for trial in trials}
        missing = [(k, t) for t, k in keys.items() if k not in self.results.known]
        done = len(keys) - len(missing)
        self.told(done, len(keys))
        for found in self.pool.run(missing):
            self.results.keep(found)
            self.computed += len(found)
            done += len(found)
            self.told(done, len(keys))
            if self.until is not None and time.monotonic() > self.until:
                break
        unknown = [k for k in keys.values() if k not in self.results.known]
        if unknown:
            raise OutOfTimeError(
                f"search: the time is over with {len(unknown):,} of {len(keys):,} trainings left; "
                "run the command again to go on, or give it more --minutes"
            )
        return {trial: _verdict(self.results.known[key]) for trial, key in keys.items()}


def is_verdict(result: Mapping[str, Any]) -> bool:
    """Whether the engine can use a result that a file has."""
    numbers = (result.get("loss"), result.get("accuracy"))
    sound = all(isinstance(n, float) and not math.isnan(n) for n in numbers)  # NaN has no order
    return sound and isinstance(result.get("error"), str)


def _verdict(result: Mapping[str, Any]) -> Verdict:
    """A file that a benchmark has written has more in it."""
    return Verdict(*(result[field.name] for field in fields(Verdict)))


@contextmanager
def engine_on(
    where: str,
    context: Context,
    path: Path | None,
    workers: int | None = None,
    **named: Any,
) -> Iterator[Engine]:
    """Opens an engine. where: "local" for processes of this computer, "ray" or "ray://host:port"
    for a Ray cluster. path: of the results."""
    if where == "local":
        pool: Any = ProcessPool(work, context, *([] if workers is None else [workers]))
    else:
        from tinyflash.search.engine.on_ray import RayPool

        pool = RayPool(work, context, where, workers)
    with pool:
        yield Engine(context, pool, Results(path, is_verdict), **named)
