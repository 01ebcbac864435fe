"""MLPerf Tiny's anomaly network, made for the sounds of toy cars, learns how one person walks.

In the order of time: it learns from the walking of a person's first recording, once; the first part
of the walking of the second recording sets the threshold; the rest of it is normal, and stairs, up
and down, are abnormal. Rates and RANK were chosen on six of the known people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.bench.processes import each
from tinyflash.compiler import compile_model, prepare
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import score_of
from tinyflash.runtime.session import Int8Array
from tinyflash.runtime.units import encode
from tinyflash.scheme import parse_scheme
from tinyflash.show.console import QUIET
from tinyflash.training.live.normal import Course, Watchman, own_targets
from tinyflash.training.targets import objective_of
from tinyflash.zoo.activity import new_people
from tinyflash.zoo.sources.activity import recordings
from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.vibration import STAIRS, WALKING, samples, walkers

SEEDS = 3
RANK = 2
_LEARN_HOP, _WATCH_HOP = 1, 4  # moments
_HELD = 0.4  # of the second recording's walking sets the threshold


@dataclass(frozen=True)
class Method:
    """What learns. scheme: its text."""

    name: str
    scheme: str
    rate: float


_THREE = "[[update]]\nlast = 3\nbias = true\nweights = 1.0\n"  # before the last
_LOSS = 'loss = "mean_squared_error"\n'
METHODS = (
    Method("last layer", _LOSS, 0.003),
    Method("last four layers", _LOSS + _THREE, 0.001),
)


@dataclass(frozen=True)
class Task:
    """One run to do."""

    method: Method
    person: int
    seed: int


@dataclass(frozen=True)
class Cell:
    """before, after: area under the curve of true against false alarms, 0..1. false_alarms, found:
    share of the normal and of the abnormal samples above the threshold."""

    method: str
    person: int
    seed: int
    learned: int
    before: float
    after: float
    false_alarms: float
    found: float
    weights_bytes: int
    arena_bytes: int


def tasks(quick: bool) -> list[Task]:
    """Returns all runs. quick: one person, one seed."""
    chosen = [(person, seed) for person in walkers(new_people()) for seed in range(SEEDS)]
    return [Task(m, *pair) for pair in (chosen[:1] if quick else chosen) for m in METHODS]


def run(todo: list[Task], processes: int, listen: Callable[[int, str], None]) -> tuple[Cell, ...]:
    """Does the runs, in processes of their own. Each is the same wherever it runs."""
    mlperf_tiny("anomaly_detection")  # report missing files now
    return each(learn, todo, processes, lambda count, cell: listen(count, cell.method))


def learn(task: Task) -> Cell:
    """Lets one person's walking be learned."""
    QUIET.set(True)
    prepared = prepare(read(mlperf_tiny("anomaly_detection")), parse_scheme(task.method.scheme))
    objective, port = objective_of(prepared), prepared.whole.input
    assert objective is not None
    first, second = recordings()[task.person][:2]
    known = encode(port, samples(first, WALKING, _LEARN_HOP))
    walking = encode(port, samples(second, WALKING, _WATCH_HOP))
    stairs = encode(port, samples(second, STAIRS, _WATCH_HOP))
    held, normal = np.split(walking, [int(_HELD * len(walking))])
    compiled = compile_model(prepared, None, None, task.seed)
    session = HostSession(compiled.program)

    def scores(x: Int8Array) -> npt.NDArray[np.int64]:
        targets = own_targets(objective, port, x)
        return np.array([score_of(session.infer(a), b) for a, b in zip(x, targets, strict=True)])

    before = area(scores(normal), scores(stairs))
    course = Course(len(known), len(held), RANK, task.method.rate)
    watchman = Watchman(session, session, compiled.program, objective, port, course)
    for x in (*known, *held):
        watchman.see(x)
    well, ill = scores(normal), scores(stairs)
    alarms, found = (float((one > watchman.threshold).mean()) for one in (well, ill))
    program = compiled.program
    sizes = (len(program.weights), program.arena_bytes)
    about = (task.method.name, task.person, task.seed, len(known))
    return Cell(*about, before, area(well, ill), alarms, found, *sizes)


def area(normal: npt.NDArray[np.int64], abnormal: npt.NDArray[np.int64]) -> float:
    """Returns how often an abnormal sample scores above a normal one; of equals, half."""
    difference = abnormal[:, None] - normal
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
