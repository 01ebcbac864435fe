"""Does int8 training wear out? Runs thousands of steps on a board while the task changes.

In every phase the samples come from another subject and the labels mean other classes. If a network
drifts into saturation, or an exponent sticks, its accuracy no longer recovers. For comparison, a
fresh copy of the network learns each phase alone: the best possible result. The same run without
weight decay shows the effect of weight decay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from tinyflash.boards import Board, kernels_for
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.session import Counters, Session
from tinyflash.show.report import write_compilation
from tinyflash.training.health import Anatomy, stretches, weights_at_limit
from tinyflash.training.loop import evaluate
from tinyflash.training.open import Ready, Running, open_session
from tinyflash.training.samples import Samples
from tinyflash.zoo.task import Task

SETTLED = 3  # evaluations at the end of a phase; their mean is the settled accuracy


@dataclass(frozen=True)
class Settings:
    """steps: of training, in phases of `phase`. look: steps between two evaluations. tests: samples
    per evaluation. decay: of the weights, per unit of rate."""

    steps: int = 20_000
    phase: int = 2_000
    look: int = 200
    tests: int = 60
    rate: float = 0.02
    decay: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.steps % self.phase or self.phase % self.look:
            raise DataError(
                f"{self.steps} steps in phases of {self.phase}, a look every {self.look}: each "
                "must divide the one before"
            )


@dataclass(frozen=True)
class Phase:
    """The task of one phase."""

    train: Samples
    test: Samples


@dataclass(frozen=True)
class Look:
    """An evaluation after `step` training steps, on the task of `phase`."""

    step: int
    phase: int
    accuracy: float  # percent
    counters: Counters
    at_limit: int  # trained weights at +-127


@dataclass(frozen=True)
class Endured:
    """A whole run, and the learned bytes at its end."""

    looks: tuple[Look, ...]
    weights: bytes
    state: bytes

    def settled(self, phase: int) -> float:
        """Returns the settled accuracy of a phase."""
        return fmean(look.accuracy for look in self._of(phase)[-SETTLED:])

    def start(self, phase: int) -> float:
        """Returns the accuracy right after the shift to a phase."""
        return self._of(phase)[0].accuracy

    def _of(self, phase: int) -> list[Look]:
        return [look for look in self.looks if look.phase == phase]


@dataclass(frozen=True)
class Result:
    """Results on a board, on the host without weight decay, and of fresh copies that learn one
    phase each."""

    settings: Settings
    anatomy: Anatomy
    board: Endured
    undecayed: Endured
    fresh: tuple[float, ...]  # settled accuracy of each phase
    agrees: bool  # whether the host's run has the same looks, weights and state
    minutes: float  # of the board's run


Listen = Callable[[Look], None]


def phases(task: Task, settings: Settings) -> tuple[Phase, ...]:
    """Returns the splits of the task in turn. From the second on, the seed draws which classes the
    labels mean."""
    splits, random = task.splits(settings.seed), np.random.default_rng(settings.seed)
    found = []
    for number in range(settings.steps // settings.phase):
        split = splits[number % len(splits)]
        meaning = random.permutation(task.classes) if number else np.arange(task.classes)
        count = min(settings.tests, len(split.test))
        chosen = np.linspace(0, len(split.test) - 1, count).astype(np.int64)
        test = split.test.take(chosen)
        found.append(
            Phase(Samples(split.train.x, meaning[split.train.y]), Samples(test.x, meaning[test.y]))
        )
    return tuple(found)


def endure(
    session: Session,
    program: Program,
    tasks: tuple[Phase, ...],
    settings: Settings,
    listen: Listen,
) -> Endured:
    """Trains one phase after the other, without a reset."""
    session.set_schedule(Schedule("constant", settings.rate, settings.steps))
    looks: list[Look] = []

    def look(number: int, step: int) -> None:
        accuracy = evaluate(session, tasks[number].test).score
        at_limit = weights_at_limit(session.weights, program)
        looks.append(Look(step, number, accuracy, session.counters(), at_limit))
        listen(looks[-1])

    for number, phase in enumerate(tasks):
        first = number * settings.phase
        look(number, first)
        for done, index in enumerate(_order(phase, settings, number), start=1):
            session.train_step(phase.train.x[index], int(phase.train.y[index]))
            if done % settings.look == 0:
                look(number, first + done)
    return Endured(tuple(looks), session.weights, session.state)


def _order(phase: Phase, settings: Settings, number: int) -> list[int]:
    """Returns the samples of a phase's steps: one permutation after the other."""
    random = np.random.default_rng((settings.seed, number))
    count = len(phase.train)
    rounds = [random.permutation(count) for _ in range(-(-settings.phase // count))]
    return [int(index) for index in np.concatenate(rounds)[: settings.phase]]


def compile_task(
    task: Task, first: Samples, decay: float, seed: int, board: Board | None = None
) -> Compiled:
    """Compiles the task with its own scheme and weight decay. Exponents start from the first
    samples. board: where it will run; None: on the host."""
    optimizer = replace(task.scheme.optimizer, weight_decay=decay)
    scheme = replace(task.scheme, optimizer=optimizer)
    return compile_model(task.graph, scheme, (first.x, first.y), seed, kernels=kernels_for(board))


def run(
    task: Task,
    board: Board,
    settings: Settings,
    directory: Path,
    listen: Callable[[str], Listen],
    running: Running | None = None,
) -> Result:
    """Runs on the board, then on the host, then without decay, then with fresh copies.

    listen: called with a run's name; its result is called with each look. directory: for the
    firmware build, or, with a board that runs already, for the model that it must run.
    """
    tasks = phases(task, settings)
    compiled, plain = (
        compile_task(task, tasks[0].train, decay, settings.seed, board)
        for decay in (settings.decay, 0.0)
    )
    program = compiled.program
    ready, start = Ready.of(compiled, board), time.monotonic()
    if running is not None:
        write_compilation(compiled, directory, ready.fit)
    with open_session(ready, directory, running=running) as device:
        device.reset()
        on_board = endure(device, program, tasks, settings, listen(board.name))
    minutes = (time.monotonic() - start) / 60
    on_host = endure(HostSession(program), program, tasks, settings, listen("this computer"))
    other = HostSession(plain.program)
    undecayed = endure(other, plain.program, tasks, settings, listen("without weight decay"))
    alone = listen("fresh copies")
    fresh = tuple(_fresh(program, phase, settings, n, alone) for n, phase in enumerate(tasks))
    anatomy = Anatomy.of(compiled)
    return Result(settings, anatomy, on_board, undecayed, fresh, on_board == on_host, minutes)


def _fresh(
    program: Program, phase: Phase, settings: Settings, number: int, listen: Listen
) -> float:
    """Returns the accuracy that the freshly compiled network reaches in one phase."""
    session = HostSession(program)
    session.set_schedule(Schedule("constant", settings.rate, settings.phase))
    accuracies = []
    for done, index in enumerate(_order(phase, settings, number), start=1):
        session.train_step(phase.train.x[index], int(phase.train.y[index]))
        if done % settings.look == 0 and done > settings.phase - SETTLED * settings.look:
            accuracy = evaluate(session, phase.test).score
            accuracies.append(accuracy)
            step = number * settings.phase + done
            listen(Look(step, number, accuracy, session.counters(), 0))
    return fmean(accuracies)


def as_record(result: Result) -> dict[str, object]:
    """Returns a record for JSON: figures of the whole run and of each phase, and the curve."""
    board, settings, anatomy = result.board, result.settings, result.anatomy
    counters = [look.counters for look in board.looks]
    (whole,) = stretches([counters[0], counters[-1]], anatomy)
    count = settings.steps // settings.phase
    return {
        "steps": settings.steps,
        "phase": settings.phase,
        "rate": settings.rate,
        "decay": settings.decay,
        "seed": settings.seed,
        "board_and_host_agree": result.agrees,
        "minutes": round(result.minutes, 1),
        "accuracy": fmean(board.settled(n) for n in range(count)),
        "accuracy_fresh": fmean(result.fresh),
        "gradients_saturated_ppm": whole.gradients_ppm,
        "weights_saturated_ppm": whole.weights_ppm,
        "weights": anatomy.weights,
        "weights_at_limit": board.looks[-1].at_limit,
        "undecayed": {
            "accuracy": fmean(result.undecayed.settled(n) for n in range(count)),
            "weights_at_limit": result.undecayed.looks[-1].at_limit,
        },
        "phases": [
            {"start": board.start(n), "settled": board.settled(n), "fresh": result.fresh[n]}
            for n in range(count)
        ],
        "looks": [
            {"step": k.step, "phase": k.phase, "accuracy": k.accuracy, "at_limit": k.at_limit}
            for k in board.looks
        ],
    }
