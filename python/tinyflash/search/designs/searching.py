"""The whole search: survey, halving, final training, int8, scheme."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile

import numpy as np

from tinyflash.boards import Board
from tinyflash.boards.firmware import can_compile
from tinyflash.compiler import prepare
from tinyflash.files import write_atomically, write_bytes
from tinyflash.graph import Graph
from tinyflash.quantize.floatgraph.graph import Weights
from tinyflash.read import read
from tinyflash.scheme import Scheme
from tinyflash.search.designs.choosing import Heard, Place, learning, ranked
from tinyflash.search.designs.cost import Limits
from tinyflash.search.designs.design import Space, spaces
from tinyflash.search.designs.effort import Effort
from tinyflash.search.designs.finish import (
    Trainable,
    accuracy,
    first_fitting,
    first_linked,
    in_int8,
    with_code,
    with_scheme,
)
from tinyflash.search.designs.jobs import Results, key_of, workers
from tinyflash.search.designs.stage1 import Input, Planner, Surveyed, chosen, survey
from tinyflash.search.designs.stage2 import Samples, Trainer, Tried, drawn, halved
from tinyflash.search.designs.task import Task
from tinyflash.search.designs.trial import Score, train
from tinyflash.write.tflite import write_tflite

NETWORK = "network.tflite"  # in the folder of results
_DRAWN, _BRED = 1, 2  # after the seed, of the random numbers of one purpose


@dataclass(frozen=True)
class Request:
    """What is asked for. folder: of results, which a later call of the same goes on from. chooses:
    whether what is trained is chosen by measurement, or the largest that fits."""

    source: Samples
    board: Board
    limits: Limits
    minutes: float
    seed: int
    processes: int
    folder: Path
    chooses: bool = True


def scheme_file(folder: Path) -> Path:
    """Returns where the scheme of a search is beside its network."""
    return folder.with_suffix(".scheme.toml")


@dataclass(frozen=True)
class Progress:
    """What is told: `stage` begins with a number of pieces, `done` is one of them, `say` a line."""

    stage: Callable[[str, int], None]
    done: Callable[[str], None]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """The result. late: the search ended before its plan, since the computer was slow; the same
    seed may then find another network. test: percentages of right test samples, in float none is
    measured."""

    task: Task
    surveyed: tuple[Surveyed, ...]
    spaces: tuple[Space, ...]  # that were searched
    tried: tuple[Tried, ...]
    best: Tried
    final: Score
    samples: int  # of the final training
    graph: Graph
    trainable: Trainable
    test: float
    late: bool
    limits: Limits


def search(request: Request, progress: Progress) -> Found:
    """Finds a network for samples and a board."""
    task = request.source.load()
    given = Input(task.family, task.shape, task.classes)
    effort = Effort(request.minutes)
    results = Results(request.folder / "results.jsonl")
    with TemporaryDirectory(prefix="tinyflash-") as name, workers(request.processes) as pool:
        work = Path(name)
        planner = Planner(request.board, results, pool, progress.done)
        limits = _with_code(request, given, results, work, progress)
        surveyed = _survey(request, given, limits, planner, effort, progress)
        searched = tuple(one.space for one in chosen(surveyed, limits))
        progress.say(f"spaces: {'; '.join(map(str, searched))}")
        tried, late = _halve(request, given, task, searched, limits, planner, effort, progress)
        best = first_linked(tried, limits, request.board, work, progress.say)
        samples = effort.final_samples(best.design, len(task.train))
        progress.stage("trains the best network", 1)
        weights, score = _final(request, task, best, samples)
        progress.done("")
        path = request.folder / NETWORK
        write_bytes(path, write_tflite(in_int8(best.design, weights, task)))
        graph = read(path)  # what follows is true of the file
        trainable = _trainable(request, task, best, graph, limits, effort, work, progress)
    test = accuracy(graph, task.test)
    return Found(
        task, surveyed, searched, tuple(tried), best, score, samples, graph, trainable, test, late,
        limits,
    )  # fmt: skip


def _trainable(
    request: Request,
    task: Task,
    best: Tried,
    graph: Graph,
    limits: Limits,
    effort: Effort,
    work: Path,
    progress: Progress,
) -> Trainable:
    """Chooses what the network trains on the board, by samples that it has not learned from."""
    design, board = best.design, request.board
    if request.chooses:
        samples = learning(graph, task.validation, request.seed)
        place = Place(board, limits, request.processes, request.folder / "results.jsonl")
        plan = effort.choosing(design, len(samples.train))
        base, heard = prepare(graph, Scheme()), Heard(progress.stage, progress.done)
        compared = ranked(base, design.macs, samples, plan, place, heard)
        found = first_fitting(compared, base, design, limits, board, work, progress.say)
        if found is not None:
            return found
    return with_scheme(graph, design, limits, board, work, progress.say)


def _with_code(
    request: Request, given: Input, results: Results, work: Path, progress: Progress
) -> Limits:
    """Returns the limits with what the firmware's code takes, which is linked only once."""
    random = np.random.default_rng(request.seed)
    every = spaces(given.family, given.shape)
    two = [given.draw(space, random) for space in (every[0], every[-1])]
    key = key_of("code", request.board, [one.key for one in two], can_compile(request.board))
    known = results.known.get(key)
    if known is None:
        progress.stage("links two networks", 1)
        found = with_code(request.limits, request.board, two, work)
        known = {"code": found.code, "row": found.row}
        results.keep([(key, known)])
        progress.done("")
    return replace(request.limits, **known)


def _survey(
    request: Request,
    given: Input,
    limits: Limits,
    planner: Planner,
    effort: Effort,
    progress: Progress,
) -> tuple[Surveyed, ...]:
    some = effort.surveyed(spaces(given.family, given.shape))
    draws = effort.draws(len(some))
    progress.stage(f"plans networks of {len(some)} spaces", draws * len(some))
    return survey(given, some, limits, planner, draws, request.seed)


def _halve(
    request: Request,
    given: Input,
    task: Task,
    searched: tuple[Space, ...],
    limits: Limits,
    planner: Planner,
    effort: Effort,
    progress: Progress,
) -> tuple[list[Tried], bool]:
    """Returns what was tried, best first, and whether some of it was too late."""
    quiet = replace(planner, tick=lambda _: None)
    random = np.random.default_rng((request.seed, _DRAWN))
    sample = list(drawn(given, searched, limits, quiet, 8, random))
    plan = effort.halving(sample, len(task.train))
    random = np.random.default_rng((request.seed, _DRAWN))
    first = drawn(given, searched, limits, quiet, plan.population, random)
    progress.stage("trains networks", sum(plan.counts))
    trainer = Trainer(
        request.source, task.digest(), request.seed, planner.results, planner.pool,
        progress.done, time.monotonic() + effort.latest_seconds,
    )  # fmt: skip
    bred = np.random.default_rng((request.seed, _BRED))
    return halved(first, limits, quiet, trainer, plan, bred)


def _final(
    request: Request, task: Task, best: Tried, samples: int
) -> tuple[dict[str, Weights], Score]:
    """Returns the trained weights, from the folder if they are there."""
    key = key_of("final", task.digest(), best.design.key, samples, request.seed)
    path = request.folder / f"{key}.npz"
    known = _kept(path)
    if known is not None:
        return known
    weights, score = train(best.design, task, samples, request.seed)
    numbers = {f"{n}.{k}": getattr(w, k) for n, w in weights.items() for k in "wb"}
    numbers["score"] = np.array([score.accuracy, score.loss])
    write_atomically(path, lambda file: np.savez(file, **numbers))
    return weights, score


def _kept(path: Path) -> tuple[dict[str, Weights], Score] | None:
    """Returns what a run before has kept; None if there is nothing, or a damaged file."""
    try:
        with np.load(path) as arrays:
            names = sorted({name.rsplit(".", 1)[0] for name in arrays if "." in name})
            weights = {n: Weights(arrays[f"{n}.w"], arrays[f"{n}.b"]) for n in names}
            return weights, Score(*map(float, arrays["score"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None
