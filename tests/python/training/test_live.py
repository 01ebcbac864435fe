"""Live learning: prequential figures, drift, surprise, the twin of a board, and what is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.support.learner import learner

from tinyflash.compiler import Compiled
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.replay import Kept
from tinyflash.training.live.course import Course, Seen
from tinyflash.training.live.drift import Ddm
from tinyflash.training.live.filling import divided, filled, spread_out
from tinyflash.training.live.learner import Beginning, Learner, Settings
from tinyflash.training.live.replaying import Lived, Stream, none_of, replay
from tinyflash.training.questions import probabilities
from tinyflash.training.samples import Samples

RATE = 0.05


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return learner()


def clusters(count: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.integers(-60, 60, (count, 6, 6, 2)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


WINDOWS, EARLIER, TEST = clusters(80, 1), clusters(50, 2), clusters(30, 3)


class Remote:
    """A board: another session behind it, and a link that breaks after some steps."""

    def __init__(self, compiled: Compiled, steps: int = 10**6) -> None:
        self.inner, self.left = HostSession(compiled.program), steps

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def weights(self) -> bytes:
        return self.inner.weights

    @weights.setter
    def weights(self, data: bytes) -> None:
        self.inner.weights = data

    @property
    def state(self) -> bytes:
        return self.inner.state

    @state.setter
    def state(self, data: bytes) -> None:
        self.inner.state = data

    def train_step(self, x, label, rate=None):  # type: ignore[no-untyped-def]
        if self.left == 0:
            raise LinkError("the device does not answer")
        self.left -= 1
        return self.inner.train_step(x, label, rate)


def beginning(compiled: Compiled, stream: Stream) -> Beginning:
    slots = stream.settings.slots
    memory = filled(compiled, slots, 7, EARLIER) if slots else None
    return Beginning(Learned.compiled(compiled.program), memory, stream.held_out)


def lived(compiled: Compiled, stream: Stream, session=None, **more) -> Lived:  # type: ignore[no-untyped-def]
    session = session or HostSession(compiled.program)
    graph, program = compiled.graph, compiled.program
    return replay(stream, session, graph, program, beginning(compiled, stream), **more)


def test_each_window_is_classified_before_it_is_learned_from(compiled: Compiled) -> None:
    """Against a session that is led by hand."""
    stream = Stream(WINDOWS, TEST, Settings(RATE, surprising=0.2))
    found = lived(compiled, stream)
    plain = HostSession(compiled.program)
    for one, x, label in zip(found.course.seen, WINDOWS.x, WINDOWS.y.tolist(), strict=True):
        scores = probabilities(compiled.graph, plain.infer(x)[None])[0]
        assert (one.predicted, one.label) == (scores.argmax(), label)
        assert one.loss == -math.log(max(scores[label], 2.0**-16))
        assert one.surprising == (scores[label] < 0.2)
        assert one.learned
        plain.train_step(x, label, RATE)
    assert (found.ending.weights, found.ending.state) == (plain.weights, plain.state)
    assert found.finished
    assert found.before is not None and found.after is not None and found.after > found.before
    assert found.course.surprising > 0
    hits = [one.correct for one in found.course.seen]
    assert found.course.accuracy() == 100 * np.mean(hits)
    assert found.course.accuracy(9) == pytest.approx(100 * np.mean(hits[-9:]))
    assert found.course.sliding(9)[40] == pytest.approx(100 * np.mean(hits[32:41]))
    assert found.course.overall()[40] == pytest.approx(100 * np.mean(hits[:41]))


def test_a_surprise_can_be_skipped(compiled: Compiled) -> None:
    settings = Settings(RATE, surprising=0.2, skips=True)
    found = lived(compiled, Stream(WINDOWS, none_of(TEST), settings))
    seen = found.course.seen
    assert all(one.learned != one.surprising for one in seen)
    assert 0 < found.course.learned < len(seen)
    session = HostSession(compiled.program)
    for one, x in zip(seen, WINDOWS.x, strict=True):
        if one.learned:
            session.train_step(x, one.label, RATE)
    assert session.weights == found.ending.weights
    assert found.before is None


def test_someone_is_asked_about_a_surprise(compiled: Compiled) -> None:
    asked = []
    learner = Learner(HostSession(compiled.program), compiled.graph, Settings(RATE, surprising=0.2))
    learner.begin(Beginning(Learned.compiled(compiled.program)))

    def ask(answer) -> bool:  # type: ignore[no-untyped-def]
        asked.append(answer.predicted)
        return len(asked) % 2 == 0

    seen = [learner.see(x, int(y), ask)[1] for x, y in zip(WINDOWS.x, WINDOWS.y, strict=True)]
    surprises = [one for one in seen if one.surprising]
    assert len(asked) == len(surprises) > 2
    assert [one.learned for one in surprises[:2]] == [False, True]


@pytest.mark.parametrize("stop", [0, 1, 26, 79])
@pytest.mark.parametrize("lost", [False, True])
def test_nothing_is_lost_when_it_ends_early(compiled: Compiled, stop: int, lost: bool) -> None:
    """Stopped, or unplugged: another run goes on to the bytes of a run without a break, with replay
    buffer and guard."""
    kept, held_out = divided(EARLIER, 6, 0)
    assert kept is not None
    settings = Settings(RATE, 2, 2, 0.2, False, 7, 0)
    stream = Stream(WINDOWS, TEST, settings, held_out)
    whole = lived(compiled, stream)
    seen: list[int] = []
    if lost:
        first = lived(compiled, stream, Remote(compiled, stop))
        assert isinstance(first.broken, LinkError)
    else:
        first = lived(
            compiled, stream, listen=lambda n, *_: seen.append(n), stopped=lambda: len(seen) >= stop
        )
    assert len(first.course.seen) == stop
    assert not first.finished
    ending = first.ending
    learned = Learned(compiled.program.hash, ending.weights, ending.state)
    start = Beginning(learned, ending.memory, held_out, ending.guard)
    session = Remote(compiled)
    again = replay(stream, session, compiled.graph, compiled.program, start, first)  # type: ignore[arg-type]
    assert again.ending == whole.ending
    assert again.course == whole.course
    assert (again.before, again.after, again.guard) == (whole.before, whole.after, whole.guard)
    assert again.counters == whole.counters


def test_a_board_that_learns_other_bytes_is_found(compiled: Compiled) -> None:
    class Wrong(Remote):
        def train_step(self, x, label, rate=None):  # type: ignore[no-untyped-def]
            return super().train_step(x, label, 2 * rate)

    found = lived(compiled, Stream(WINDOWS, none_of(TEST), Settings(RATE)), Wrong(compiled))
    assert "differ" in str(found.broken) or "other bytes" in str(found.broken)


def test_samples_that_accumulate_end_in_an_update(compiled: Compiled) -> None:
    stream = Stream(WINDOWS, none_of(TEST), Settings(RATE, 2, 1), accumulate=3)
    found = lived(compiled, stream, Remote(compiled))
    assert found.finished
    assert found.counters[0].step == 0
    memory = found.ending.memory
    assert memory is not None
    assert Kept.of(memory, 3, 2).replayed == 80


def test_the_buffer_begins_with_earlier_samples(compiled: Compiled) -> None:
    memory = filled(compiled, 4, 7, EARLIER)
    kept = Kept.of(memory, 3, 4)
    assert kept.seen == tuple(np.bincount(EARLIER.y).tolist())
    assert kept.counts == (4, 4, 4)
    samples = np.frombuffer(memory[8 + 12 :], np.int8).reshape(12, 72)
    rows = EARLIER.x.reshape(len(EARLIER), 72)
    for i, sample in enumerate(samples):
        (place,) = np.flatnonzero((rows == sample).all(1))
        assert EARLIER.y[place] == i // 4
    with pytest.raises(DataError, match="name them with --earlier"):
        divided(None, 3, 0)


def test_the_buffer_begins_with_samples_of_every_confidence(compiled: Compiled) -> None:
    """Of each class in the order of its confidence, between the sixths; of few samples, all. The
    network that learns judges them, not the compiled one."""
    session = HostSession(compiled.program)
    for x, label in zip(TEST.x, TEST.y.tolist(), strict=True):
        session.train_step(x, label, RATE)
    start = Learned(compiled.program.hash, session.weights, session.state)
    memory = filled(compiled, 5, 7, EARLIER, start)
    slots = np.frombuffer(memory[8 + 12 :], np.int8).reshape(3, 5, 72)
    for label in range(3):
        mine = EARLIER.x[EARLIER.y == label]
        told = np.array([session.infer(x) for x in mine])
        ranked = sorted(
            zip(probabilities(compiled.graph, told)[:, label], range(len(mine)), strict=True)
        )
        at = [(len(mine) + 1) * i // 6 - 1 for i in range(1, 6)]
        expected = [mine[ranked[i][1]].ravel() for i in at]
        assert slots[label].tolist() == np.array(expected).tolist()
    assert filled(compiled, 5, 7, EARLIER) != memory
    few = EARLIER.take(np.flatnonzero(EARLIER.y == 1)[:4])
    kept = Kept.of(filled(compiled, 5, 7, few), 3, 5)
    assert (kept.seen, kept.counts) == ((0, 4, 0), (0, 4, 0))
    assert filled(compiled, 5, 7, None) == filled(compiled, 5, 7, none_of(few))


def test_samples_are_spread_out() -> None:
    for found in range(1, 40):
        for count in range(1, 12):
            places = spread_out(-np.arange(found), count)
            assert len(set(places.tolist())) == len(places) == min(found, count)
            assert (np.diff(places) < 0).all()
            steps = -np.diff([found, *places.tolist(), -1])
            assert found <= count or steps.max() - steps.min() <= 1


# ---- Drift ---------------------------------------------------------------------------------------


def test_drift_is_found_where_errors_become_frequent() -> None:
    """As the paper defines it, from the beginning of each concept."""
    random = np.random.default_rng(9)
    wrong = [*(random.random(300) < 0.1), *(random.random(200) < 0.5), *(random.random(300) < 0.1)]
    ddm = Ddm()
    levels = [ddm.add(bool(w)) for w in wrong]
    assert "drift" not in levels[:300]
    first = levels.index("drift")
    assert 300 < first < 340
    assert "warning" in levels[290:first]
    assert levels == by_the_paper(wrong)
    seen = tuple(Seen(0, int(w), 0.0, False, True) for w in wrong)
    assert Course(seen).drifts[0] == first


def by_the_paper(wrong) -> list[str]:  # type: ignore[no-untyped-def]
    said, begin = [], 0
    for end in range(1, len(wrong) + 1):
        levels, best = "stable", (math.inf, math.inf)
        for n in range(30, end - begin + 1):
            p = sum(map(bool, wrong[begin : begin + n])) / n
            s = math.sqrt(p * (1 - p) / n)
            best = min(best, (p, s), key=lambda pair: (sum(pair), -n))
            levels = "stable"
            if p + s > best[0] + 2 * best[1]:
                levels = "warning"
            if p + s > best[0] + 3 * best[1]:
                levels = "drift"
        said.append(levels)
        begin = end if levels == "drift" else begin
    return said


def test_what_never_errs_never_drifts() -> None:
    ddm = Ddm()
    assert {ddm.add(False) for _ in range(100)} == {"stable"}
