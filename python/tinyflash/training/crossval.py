"""Cross-validation: answers to every sample by a network that has not learned from it, nor from
what belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from tinyflash.compiler import Prepared
from tinyflash.errors import DataError
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Int8Array
from tinyflash.show.console import QUIET
from tinyflash.training.job import Job, make_ready
from tinyflash.training.loop import Recipe, infer_all
from tinyflash.training.questions import probabilities
from tinyflash.training.run import run
from tinyflash.training.samples import Samples

Groups = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """Samples to train with, and others to answer."""

    train: Samples
    asked: Int8Array


def folds_of(groups: Groups, count: int) -> npt.NDArray[np.int64]:
    """Returns the fold of each sample, 0..count-1; those of one group are in one fold. The largest
    group goes first, each to the smallest fold. Raises DataError if there are too few groups."""
    names, sizes = np.unique(groups, return_counts=True)
    if count < 2 or len(names) < count:
        raise DataError(
            f"{len(names)} groups make no {count} folds; each fold needs a group, and there must "
            "be two folds at least"
        )
    filled = np.zeros(count, np.int64)
    place = {}
    for index in np.argsort(-sizes, kind="stable"):
        fold = int(filled.argmin())
        place[names[index]] = fold
        filled[fold] += sizes[index]
    return np.array([place[group] for group in groups], np.int64)


def cross_validate(
    prepared: Prepared,
    samples: Samples,
    folds: npt.NDArray[np.int64],
    recipe: Recipe,
    jobs: int,
    listen: Callable[[int], None],
) -> Reals:
    """Returns the probability of each class for each sample, [n][classes], from a network trained
    on the other folds, from the same start. jobs: processes. listen: is called with the number of
    folds done."""
    numbers = range(int(folds.max()) + 1)
    parts = [Fold(samples.take(np.flatnonzero(folds != k)), samples.x[folds == k]) for k in numbers]
    found: dict[int, Reals] = {}
    with ProcessPoolExecutor(min(jobs, len(parts))) as pool:
        waiting = {
            pool.submit(_answers, *job): k
            for k, job in enumerate(zip(repeat(prepared), parts, repeat(recipe)))
        }
        for done, future in enumerate(as_completed(waiting), 1):
            found[waiting[future]] = future.result()
            listen(done)
    p = np.empty((len(samples), found[0].shape[1]))
    for k in numbers:
        p[folds == k] = found[k]
    return p


def _answers(prepared: Prepared, fold: Fold, recipe: Recipe) -> Reals:
    """Trains on one fold's samples, and answers the others; runs in a process of its own."""
    QUIET.set(True)
    none = fold.train.take(np.zeros(0, np.int64))
    job = Job(fold.train, none, recipe)
    ready = make_ready(prepared, job)
    session = HostSession(ready.compiled.program)
    run(job, session, ready)
    return probabilities(ready.compiled.graph, infer_all(session, fold.asked))
