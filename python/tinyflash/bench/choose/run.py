"""Runs the comparison: every method of a task and a budget, tuned and tested alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tinyflash.bench.choose.data import FIXED, Data
from tinyflash.bench.choose.methods import Fixed, Method, Study
from tinyflash.bench.choose.runs import Runs, work_in
from tinyflash.compiler import prepare
from tinyflash.errors import SchemeError
from tinyflash.scheme import scheme
from tinyflash.scheme.text import scheme_text
from tinyflash.search.choose import Chooser, Finalist, Limits, judged
from tinyflash.search.engine import Context, Trial
from tinyflash.search.engine.engine import Pool, is_verdict
from tinyflash.search.engine.evaluate import Compilations
from tinyflash.search.engine.pool import ProcessPool
from tinyflash.search.engine.store import Results
from tinyflash.search.probes import Judge
from tinyflash.search.space import Space

PROBED = 3  # splits of a seed that probes train on; finalists train on all of them

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Row:
    """accuracy: percent of the test samples of a seed. sram: bytes of arena, trained weights and
    state. seconds: of processor time for choosing; simple rules train nothing. by: who proposed
    the scheme, since a search may choose that of a rule."""

    task: str
    budget: int
    seed: int
    method: str
    accuracy: float
    sram: int
    seconds: float
    by: str
    rate: float
    loss: float  # on validation samples, mean of all seeds
    scheme: str


@dataclass(frozen=True)
class Cell:
    """A task at one budget."""

    task: str
    budget: int


@dataclass
class Bench:
    """A task whose workers run. tune: trainings that are judged by validation samples. test: by
    test samples."""

    name: str
    data: Data
    space: Space
    probing: Runs
    tune: Runs
    test: Runs
    tell: Tell = lambda _: None

    def rows(self, budget: int, methods: Mapping[str, Method]) -> Iterator[list[Row]]:
        """Yields the rows of each method, one per seed. Raises SchemeError."""
        chooser = Chooser(self.space, Limits(budget))
        for name, method in methods.items():
            study = self._study(chooser, f"{self.name} {budget / 1024:g} KB {name}")
            best, seconds = self._best(study, method)
            yield self._rows(study, Cell(self.name, budget), name, best, seconds)

    def _study(self, chooser: Chooser, where: str) -> Study:
        seeds, epochs = tuple(self.data.splits), self.data.epochs
        judge, prober = (Judge(runs, epochs, seeds) for runs in (self.tune, self.probing))
        first = self.tune.contexts[self.tune.of_seed[seeds[0]][0]]
        tell = self.tell
        return Study(chooser, judge, prober, first.train, lambda what: tell(f"{where}: {what}"))

    def _best(self, study: Study, method: Method) -> tuple[Finalist, float]:
        """Returns the scheme of a method, and the seconds of processor time that chose it: of
        trainings, or of this process."""
        runs = (self.probing, self.tune)
        for one in runs:
            one.asked.clear()
        begun = time.process_time()
        found = method.propose(study)
        if method.here and found:
            return found[0], time.process_time() - begun
        if not found:
            raise SchemeError("no scheme fits")
        if len(found) > 1:
            study.told("finalists")
            found = judged(found, study.judge)
        seconds = sum(sum(one.asked.values()) for one in runs) if method.measures else 0.0
        return found[0], seconds

    def _rows(
        self, study: Study, cell: Cell, method: str, best: Finalist, seconds: float
    ) -> list[Row]:
        study.told("tunes and tests")
        tuned = study.judge.of([best.scheme])[best.scheme]
        trials = [Trial(best.scheme, tuned.rate, self.data.epochs, s) for s in self.data.splits]
        found = self.test.verdicts(trials)
        about = (best.size.sram, seconds, best.method, tuned.rate, tuned.loss)
        text = scheme_text(best.scheme)
        return [
            Row(cell.task, cell.budget, t.seed, method, found[t].accuracy, *about, text)
            for t in trials
        ]


def fixed_scheme(data: Data) -> Method:
    """Returns the method that trains the same layers of every task."""
    same = replace(scheme(FIXED), head=data.task.classes)
    return Method("one fixed scheme", Fixed(same))


@contextmanager
def opened(
    name: str, data: Data, path: Path, workers: int, told: Callable[[int, int], object]
) -> Iterator[Bench]:
    """Starts the workers of a task. path: of finished results."""
    space = Space.of(prepare(data.task.graph, data.base))
    graph = space.prepared.source
    compiled = Compilations()  # depend on no samples
    contexts: list[Context] = []
    of: tuple[dict[int, list[int]], ...] = ({}, {})
    for seed, splits in data.splits.items():
        for split in splits:
            for held, part in enumerate((split.validation, split.test)):
                of[held].setdefault(seed, []).append(len(contexts))
                contexts.append(Context(graph, split.train, part, compiled))
    with ProcessPool(work_in, tuple(contexts), workers) as pool:
        runs = _runs(contexts, of, pool, Results(path, is_verdict), told)
        yield Bench(name, data, space, *runs)


def _runs(
    contexts: Sequence[Context],
    of: tuple[dict[int, list[int]], ...],
    pool: Pool,
    results: Results,
    told: Callable[[int, int], object],
) -> tuple[Runs, Runs, Runs]:
    tune, test = of
    few = {seed: indices[:PROBED] for seed, indices in tune.items()}
    probing, tuning, testing = (
        Runs(contexts, some, pool, results, told) for some in (few, tune, test)
    )
    return probing, tuning, testing
