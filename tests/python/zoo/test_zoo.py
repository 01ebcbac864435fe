"""Tasks: what is drawn is disjoint, follows the seed, and is what the network reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinyflash.compiler import compile_model
from tinyflash.errors import BuildError, DataError
from tinyflash.graph import Quant
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import resolve
from tinyflash.zoo import activity, digits, foreign, keywords, pictures, tasks
from tinyflash.zoo.coding import stored
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.sources import mlperf_tiny, speech
from tinyflash.zoo.sources.activity import NONE, Recording
from tinyflash.zoo.sources.exercises import Exercise
from tinyflash.zoo.sources.spectrogram import BANDS, RATE, frames, spectrogram
from tinyflash.zoo.task import Task

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng")


# ---- Drawing -------------------------------------------------------------------------------------


def test_draw_is_disjoint_balanced_and_follows_the_seed() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), 20))
    first, second = draw(labels, (31, 9), 1)
    assert not {*first.tolist()} & {*second.tolist()}
    assert np.bincount(labels[first]).tolist() == [11, 10, 10]
    assert np.bincount(labels[second]).tolist() == [3, 3, 3]
    assert np.array_equal(draw(labels, (31, 9), 1)[0], first)
    assert len({draw(labels, (31, 9), seed)[0].tobytes() for seed in range(20)}) == 20


def test_stored() -> None:
    x = np.array([-9, -0.26, 0, 0.25, 0.26, 9], np.float32)
    assert stored(x, Quant((0.5,), 3)).tolist() == [-15, 2, 3, 3, 4, 21]
    assert stored(100 * x, Quant((0.5,), 3)).tolist() == [-128, -49, 3, 53, 55, 127]


# ---- Pictures, digits ----------------------------------------------------------------------------


def fake_fashion(part: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(len(part))
    return random.integers(0, 256, (3000, 28, 28)).astype(np.uint8), np.arange(3000) % 10


def fake_digits() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    return random.integers(0, 17, (1797, 8, 8)).astype(np.float32), np.arange(1797) % 10


def check(task: Task) -> None:
    """What holds for every task: shapes, labels, disjointness, seeds; its scheme fits."""
    first, again, other = task.splits(0), task.splits(0), task.splits(1)
    for split, same in zip(first, again, strict=True):
        parts = [split.train, split.validation, split.test]
        for part, twin in zip(parts, (same.train, same.validation, same.test), strict=True):
            assert part.x.shape[1:] == task.graph.input.shape[1:]
            assert part.x.dtype == np.int8
            assert len(part) == len(part.x)
            assert set(part.y.tolist()) == set(range(task.classes))
            assert np.array_equal(part.x, twin.x)
        seen = [{x.tobytes() for x in part.x} for part in parts]
        assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])
    assert any(
        a.train.x.tobytes() != b.train.x.tobytes() for a, b in zip(first, other, strict=True)
    )
    compiled = compile_model(task.graph, task.scheme)
    assert compiled.program.classes == task.classes
    assert len(resolve(task.scheme, compiled.train.graph)) > 1 if compiled.train else False


@pytest.mark.parametrize("load", [pictures.fashion_resnet, pictures.fashion_person])
def test_fashion(load: Callable[[], Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "fashion", fake_fashion)
    task = load()
    check(task)
    (split,) = task.splits(0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [500, 500, 2000]
    assert (split.train.x.min(), split.train.x.max()) == (-128, 127)
    assert (split.train.x[..., 0] == split.train.x[..., 2]).all()


def test_faces() -> None:
    check(pictures.faces())


def test_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "digits", fake_digits)
    task = digits.digits_task()
    check(task)
    (split,) = task.splits(0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [250, 200, 1047]
    x, y = digits.known()
    assert len(y) == 300
    assert set(y.tolist()) == set(range(5))
    known = {one.tobytes() for one in stored(x, digits.INPUT)}
    for part in (split.train, split.validation, split.test):
        assert not known & {one.tobytes() for one in part.x}


# ---- Activity ------------------------------------------------------------------------------------


def recording(seed: int, bout: int = 600) -> Recording:
    """Each activity four times, with a pause behind each."""
    labels = np.concatenate([np.repeat([label, NONE], [bout, 50]) for label in range(6)] * 4)
    motion = np.random.default_rng(seed).normal(0, 0.5, (len(labels), 6)).astype(np.float32)
    return Recording(motion, labels)


def test_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = {person: [recording(person)] for person in range(1, 31)}
    monkeypatch.setattr(activity, "recordings", lambda: everyone)
    task = activity.activity()
    check(task)
    assert len(task.splits(0)) == 8
    assert not set(activity.known_people()) & set(activity.new_people())
    assert len(activity.known_people()) == 20


def test_windows_never_straddle() -> None:
    labels = recording(0).labels
    moments = np.arange(len(labels), dtype=np.float32)
    counted = Recording(np.repeat(moments[:, None], 6, axis=1), labels)
    part = activity.parts(labels)
    seen = []
    for i in range(3):
        x, y = activity.windows(counted, part == i)
        at = x[:, 0, :, 0].astype(int)
        assert (np.diff(at, axis=1) == 1).all()
        assert (labels[at] == y[:, None]).all()
        seen.append(set(at.ravel().tolist()))
        assert set(y.tolist()) == set(range(6))
    assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])


def test_a_turn_is_a_rotation_of_45_degrees() -> None:
    axes = np.hstack([np.eye(3), -np.eye(3)]).astype(np.float32)
    turned = activity.turned(Recording(axes, np.zeros(3, np.int64)), (4, 7)).motion
    matrix = turned[:, :3].astype(float)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert np.degrees(np.arccos((np.trace(matrix) - 1) / 2)) == pytest.approx(activity.TURN)
    assert np.array_equal(turned[:, 3:], -turned[:, :3])


# ---- Keywords ------------------------------------------------------------------------------------


def test_spectrogram_of_a_tone() -> None:
    time = np.arange(RATE) / RATE
    quiet = (1000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)
    x, louder = spectrogram(quiet), spectrogram(2 * quiet)
    assert x.shape == (49, BANDS) == (frames(RATE), BANDS)
    # 11 bands of mel up to 4 kHz: 1 kHz lies nearest the peak of band 4.
    assert (x.argmax(axis=1) == 4).all()
    np.testing.assert_allclose(louder[:, 4] - x[:, 4], 64 * np.log(2), atol=1)
    assert not spectrogram(np.zeros(RATE, np.int16)).any()


def test_utterances_are_as_many_as_wanted_and_always_the_same() -> None:
    few = list(speech.utterances(["a", "b"], ["m1", "f2"], 3))
    assert len(few) == 2 * 2 * 8
    assert few == list(speech.utterances(["a", "b"], ["m1", "f2"], 3))
    alone = list(speech.utterances(["a", "b"], ["f2"], 3))
    assert alone == few[16:], "a speaker's voice depends on the others"


def test_without_espeak_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        BuildError, match=r"espeak-ng.*missing; install with: .*espeak-ng"
    ) as caught:
        speech.spoken(list(speech.utterances(["a"], ["m1"], 0)))
    assert "\n" not in str(caught.value)


@needs_espeak
def test_words_that_the_network_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The front end is the one that the network was trained with: chance would be 8 to 10 %."""
    graph = read(mlperf_tiny("keyword_spotting"))
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path))
    said = list(speech.utterances(keywords.KNOWN, ["Annie"], 0))[:40]
    spectrograms = speech.spoken(said)
    session = HostSession(compile_model(graph).program)
    heard = [int(session.infer(x).argmax()) for x in keywords.heard(graph.input, spectrograms)]
    right = np.mean([keywords.KNOWN.index(u.word) == h for u, h in zip(said, heard, strict=True)])
    assert right > 0.5
    monkeypatch.setattr(speech, "_speak", None)  # the second time it comes from the cache
    assert np.array_equal(speech.spoken(said), spectrograms)
    (path,) = (tmp_path / "speech").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TypeError):
        speech.spoken(said)


def test_keywords_split_by_speaker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(wanted: list[speech.Utterance]) -> np.ndarray:
        random = np.random.default_rng(0)
        codes = np.array([speech.SPEAKERS.index(u.speaker) for u in wanted])
        x = random.integers(0, 900, (len(wanted), 49, BANDS)).astype(np.uint16)
        x[:, 0, 0] = 20 * codes  # tells who spoke
        return x

    monkeypatch.setattr(keywords, "spoken", fake)
    task = keywords.keywords()
    check(task)
    (split,) = task.splits(0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [320, 192, 1024]
    who = [set(part.x[:, 0, 0, 0].tolist()) for part in (split.train, split.validation, split.test)]
    assert [len(speakers) for speakers in who] == [5, 3, 16]
    assert not (who[0] & who[1] | who[0] & who[2] | who[1] & who[2])


# ---- Foreign tasks -------------------------------------------------------------------------------


def test_exercises_split_by_person(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake() -> list[Exercise]:
        random = np.random.default_rng(3)
        found = []
        for person in range(1, 11):
            for label in [*range(7), *range(7)]:
                motion = random.normal(0, 0.2, (1200, 6)).astype(np.float32)
                motion[:, 0] = person / 8  # tells who it was
                found.append(Exercise(motion, label, person))
        return found

    monkeypatch.setattr(foreign, "exercises", fake)
    task = foreign.watch()
    check(task)
    (split,) = task.splits(0)
    parts = (split.train, split.validation, split.test)
    assert [len(part) for part in parts] == [350, 210, 714]
    who = [set(part.x[:, 0, :, 0].ravel().tolist()) for part in parts]
    assert [len(people) for people in who] == [5, 2, 3]
    assert not (who[0] & who[1] | who[0] & who[2] | who[1] & who[2])


def test_digits_for_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "digits", fake_digits)
    task = foreign.digits_resnet()
    check(task)
    (split,) = task.splits(0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [250, 250, 1000]
    assert (split.train.x.min(), split.train.x.max()) == (-128, 127)


# ---- The registry --------------------------------------------------------------------------------


def test_unknown_task() -> None:
    with pytest.raises(DataError, match=r"no task 'x'; choose one of faces, fashion, "):
        tasks.load_task("x")


def test_a_foreign_task_is_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not set(tasks.TASKS) & set(tasks.FOREIGN)
    monkeypatch.setattr(foreign, "digits", fake_digits)
    assert tasks.load_task("digits-resnet").network == "ResNet8"
