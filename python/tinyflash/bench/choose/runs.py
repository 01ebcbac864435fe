"""Trains candidates on the splits of a task: as an engine of a search does, but on several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyflash.search.engine import Context, Trial, Verdict
from tinyflash.search.engine.engine import Pool
from tinyflash.search.engine.evaluate import work
from tinyflash.search.engine.store import Results

Told = Callable[[int, int], object]  # results of so many
Item = tuple[int, Trial]  # the index of a context


def work_in(contexts: Sequence[Context], item: Item) -> dict[str, Any]:
    """Returns a verdict, and the seconds of processor time that it took."""
    begun = time.process_time()
    verdict = work(contexts[item[0]], item[1])
    return {**verdict, "seconds": time.process_time() - begun}


@dataclass
class Runs:
    """contexts: those that all workers of the pool have. of_seed: the indices of a seed's splits,
    each learned separately; their held-out samples are pooled. asked: the seconds of all trainings
    that were asked for since it was cleared, whether or not a result was stored."""

    contexts: Sequence[Context]
    of_seed: Mapping[int, Sequence[int]]
    pool: Pool
    results: Results
    told: Told = lambda _done, _of: None
    asked: dict[str, float] = field(default_factory=dict)

    def verdicts(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        items = {t: [(i, t) for i in self.of_seed[t.seed]] for t in trials}
        keys = {one: self._key(one) for group in items.values() for one in group}
        known = self.results.known
        missing = [(key, one) for one, key in keys.items() if key not in known]
        done = 0
        self.told(0, len(missing))
        for found in self.pool.run(missing):
            self.results.keep(found)
            done += len(found)
            self.told(done, len(missing))
        self.asked |= {key: float(known[key].get("seconds", 0)) for key in keys.values()}
        return {
            t: self._pooled([(one[0], known[keys[one]]) for one in g]) for t, g in items.items()
        }

    def _key(self, item: Item) -> str:
        return self.contexts[item[0]].key(item[1])

    def _pooled(self, found: Sequence[tuple[int, Mapping[str, Any]]]) -> Verdict:
        sizes = [len(self.contexts[index].held_out) for index, _ in found]
        loss, accuracy = (
            float(np.average([one[what] for _, one in found], weights=sizes))
            for what in ("loss", "accuracy")
        )
        return Verdict(loss, accuracy, next((one["error"] for _, one in found), ""))
