"""Live learning of the motion task: a new wearer's windows in the order of time, with and without a
replay buffer.

The network was trained on the twenty known people; they are the old wearers. Of their windows, some
fill the buffer before the stream begins, others measure what is forgotten. RATE, REPEATS, and which
earlier windows a buffer begins with were chosen on the TUNED wearers, seeds 0, 1, 7, 8; the table
leaves out these wearers, and uses other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from tinyflash.bench.processes import each
from tinyflash.compiler import compile_model, prepare
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.replay import ReplayCost
from tinyflash.scheme import scheme
from tinyflash.show.console import QUIET
from tinyflash.training.live.filling import filled
from tinyflash.training.live.learner import Beginning, Settings
from tinyflash.training.live.replaying import Stream, replay
from tinyflash.training.samples import Samples
from tinyflash.zoo.activity import INPUT, known_people, new_people, turned, windows
from tinyflash.zoo.coding import stored
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.sources.activity import Recording, recordings

RATE = 0.005
SLOTS, MORE_SLOTS, REPEATS = 5, 20, 1
TUNED_WEARERS = 4  # the first of the new people
TUNED_SEEDS = 2  # the first; others of theirs are above those of the table
SEEDS = 5
_EARLIER = 3000  # windows of old wearers that the buffer draws from
_OLD_TEST = 1500  # others, which measure forgetting


@dataclass(frozen=True)
class Method:
    """A way to learn. slots, repeats: of the replay buffer."""

    name: str
    rate: float
    slots: int = 0
    repeats: int = 1


METHODS = (
    Method("not learning", 0.0),
    Method("plain", RATE),
    Method(f"replay of {SLOTS} per class", RATE, SLOTS, REPEATS),
    Method(f"replay of {MORE_SLOTS} per class", RATE, MORE_SLOTS, REPEATS),
)


@dataclass(frozen=True)
class Cell:
    """A run: accuracies in percent, and bytes of the buffer.

    prequential: over all windows; last: over the last 50. old_before, old_after: of the old
    wearers. curve: over the last 50 windows, at each window.
    """

    method: str
    wearer: int
    seed: int
    prequential: float
    last: float
    old_before: float
    old_after: float
    buffer_bytes: int
    curve: tuple[float, ...]

    @property
    def forgotten(self) -> float:
        """Points of accuracy that are lost on old wearers."""
        return self.old_before - self.old_after


@dataclass(frozen=True)
class Task:
    """One run to do."""

    method: Method
    wearer: int
    seed: int


def tasks(quick: bool) -> list[Task]:
    """Returns all runs. quick: one wearer, one seed."""
    wearers = new_people()[TUNED_WEARERS:]
    seeds = range(TUNED_SEEDS, TUNED_SEEDS + SEEDS)
    chosen = [(w, s) for w in wearers for s in seeds]
    return [Task(method, w, s) for w, s in (chosen[:1] if quick else chosen) for method in METHODS]


def run(todo: list[Task], processes: int, listen: Callable[[int, str], None]) -> tuple[Cell, ...]:
    """Does the runs, in processes of their own. Each is the same wherever it runs."""
    recordings()  # report missing data now
    return each(learn, todo, processes, lambda count, cell: listen(count, cell.method))


def learn(task: Task) -> Cell:
    """Lets one new wearer's stream be learned."""
    QUIET.set(True)
    method, people = task.method, recordings()
    worn = [turned(recording, (task.seed, task.wearer)) for recording in people[task.wearer]]
    stream, (earlier, old) = all_windows(worn), _old(task.seed)
    prepared = prepare(read(path_of("activity")), scheme("activity"))
    compiled = compile_model(prepared, None, (stream.x, stream.y), task.seed)
    program, slots = compiled.program, method.slots
    memory = filled(compiled, slots, task.seed, earlier) if slots else None
    learned = replay(
        Stream(stream, old, Settings(method.rate, slots, method.repeats)),
        HostSession(program),
        compiled.graph,
        program,
        Beginning(Learned.compiled(program), memory),
    )
    prequential, last = learned.course.accuracy(), learned.course.accuracy(50)
    assert learned.before is not None and learned.after is not None
    assert prequential is not None and last is not None
    return Cell(
        *(method.name, task.wearer, task.seed, prequential, last, learned.before, learned.after),
        ReplayCost.of(program, slots).total,
        tuple(round(value, 3) for value in learned.course.sliding()),
    )


def all_windows(recorded: list[Recording]) -> Samples:
    """Returns all windows of some recordings, in the order of time."""
    found = list(_windows(recorded))
    x, y = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return Samples(stored(x, INPUT), y)


def _windows(recorded: list[Recording]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for recording in recorded:
        yield windows(recording, np.ones(len(recording.labels), bool))


@cache
def _known() -> Samples:
    people = recordings()
    return all_windows([recording for person in known_people() for recording in people[person]])


def _old(seed: int) -> tuple[Samples, Samples]:
    """Returns windows of old wearers: those that may be kept, and others to test."""
    order = np.random.default_rng(seed).permutation(len(_known()))
    return (
        _known().take(order[:_EARLIER]),
        _known().take(order[_EARLIER : _EARLIER + _OLD_TEST]),
    )
