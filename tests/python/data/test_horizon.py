"""tinyflash data horizon: how far ahead a target is foreseen, and from how much past."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.hips import QUESTION, hip_set

from tinyflash.data import shards, text
from tinyflash.data.dataset import Dataset, Frames, Recording
from tinyflash.data.horizon.folds import folds
from tinyflash.data.horizon.question import asked
from tinyflash.data.horizon.ridge import Linear, Ridge
from tinyflash.data.horizon.series import Series, series
from tinyflash.data.horizon.sums import sums
from tinyflash.data.shards import NONE, Track
from tinyflash.errors import BuildError

Reals = npt.NDArray[np.float64]
RATE = 100.0
DELAY = 23  # frames from x to the target
PEOPLE, FRAMES = 4, 900
HISTORIES, LEADS = (5, 10, 20, 30), (1, 10, 20, 23, 24, 30)


def made(
    folder: Path,
    of: Callable[[np.random.Generator], tuple[Reals, npt.NDArray[np.int32]]],
    channels: tuple[str, ...],
    people: int = PEOPLE,
    classes: tuple[str, ...] = (),
    gap: int = 0,
) -> Dataset:
    """A recording of each person; `of` draws frames and labels. gap: frames that are missing in the
    middle."""
    random = np.random.default_rng(5)
    dataset = Dataset(folder, Frames((len(channels),), RATE, channels), classes)
    for person in range(people):
        frames, labels = of(random)
        numbers = np.arange(len(frames))
        there = abs(numbers - len(frames) // 2) >= gap / 2
        track = Track(frames[there], numbers[there], labels[there])
        dataset = shards.append(dataset, Recording(f"r{person}", (), f"p{person}"), track)
    text.save(dataset)
    return dataset


def unlabelled(frames: Reals) -> tuple[Reals, npt.NDArray[np.int32]]:
    return frames, np.full(len(frames), NONE, np.int32)


def delayed(random: np.random.Generator) -> tuple[Reals, npt.NDArray[np.int32]]:
    """y is x of DELAY frames ago; z has nothing to do with it."""
    x, z = random.normal(0, 1, (2, FRAMES))
    return unlabelled(np.stack([np.roll(x, DELAY), x, z], 1))


def seconds(frames: tuple[int, ...]) -> str:
    return ",".join(f"{count / RATE:g}" for count in frames)


def printed(*arguments: object) -> dict[str, Any]:
    result = tinyflash("data", "horizon", *arguments, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def map_of(found: dict[str, Any], modality: str, predictor: str = "ridge") -> Reals:
    (one,) = (m for m in found["maps"] if (m["modality"], m["predictor"]) == (modality, predictor))
    return np.array(one["mean"])


def test_a_delay_is_found_exactly(tmp_path: Path) -> None:
    made(tmp_path / "set", delayed, ("y", "x", "z"))
    found = printed(
        tmp_path / "set", "--target", "y", "--modality", "a=x", "--modality", "b=z",
        "--history", seconds(HISTORIES), "--lead", seconds(LEADS), "--board", "qemu_stm32f405",
        "--picture", tmp_path / "p.png",
    )  # fmt: skip
    reaches = [[0 <= DELAY - lead < steps for lead in LEADS] for steps in HISTORIES]
    for modality in ("a", "all"):
        scores = map_of(found, modality)
        assert scores[np.array(reaches)].min() > 1 - 1e-9
        assert abs(scores[~np.array(reaches)]).max() < 0.15
    for modality in ("baseline", "b"):
        assert abs(map_of(found, modality)).max() < 0.15
    scales = {one["modality"]: one["lead"] for one in found["timescales"]}
    assert scales == {"a": DELAY / RATE, "b": None, "all": DELAY / RATE}
    windows = {round(one["lead"] * RATE): one["frames"] for one in found["windows"]}
    assert windows == {1: 30, 10: 20, 20: 5, 23: 5}  # beyond the delay there is none to advise
    cost = found["windows"][0]["cost"]
    assert cost["arena_bytes"] < cost["sram_bytes"]
    assert cost["instructions"] > 30
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"


def test_a_timescale_between_the_leads_of_the_map_is_found(tmp_path: Path) -> None:
    made(tmp_path / "set", delayed, ("y", "x", "z"))
    asks = ("--target", "y", "--modality", "a=x", "--history", "0.3", "--lead")
    (scale,) = printed(tmp_path / "set", *asks, "0.1,0.3")["timescales"]
    assert scale["lead"] == DELAY / RATE
    assert not scale["or_more"]
    (scale,) = printed(tmp_path / "set", *asks, "0.05:0.2:0.05")["timescales"]
    assert scale["lead"] == 0.2
    assert scale["or_more"]


def test_classes_and_events_are_foreseen_as_far_as_their_cause_is_ahead(tmp_path: Path) -> None:
    def of(random: np.random.Generator) -> tuple[Reals, npt.NDArray[np.int32]]:
        x = np.repeat(random.choice([-1.0, 1.0], FRAMES // 30), 30)
        x = x + random.normal(0, 0.1, len(x))
        return x[:, np.newaxis], (np.roll(x, DELAY) > 0).astype(np.int32)

    made(tmp_path / "set", of, ("x",), classes=("low", "high"))
    asks = ("--history", "0.1,0.3", "--lead", "0.1,0.2,1.2")
    scores = map_of(printed(tmp_path / "set", "--target", "class", *asks), "channels")
    assert scores[1, :2].min() > 0.99
    assert scores[0, 1] > 0.99
    assert scores[:, 2].max() < 0.7  # by chance: half
    found = printed(tmp_path / "set", "--target", "event:high", *asks)
    assert map_of(found, "channels")[1, 1] > 0.85
    assert map_of(found, "channels")[1, 1] > map_of(found, "baseline")[1, 1] + 0.05
    assert found["chance"] == 0.5


def _read(dataset: Dataset, histories: tuple[int, ...] = (3, 7)) -> Series:
    question = asked(dataset, "y", ["m=x,z"], [h / RATE for h in histories], [0.02, 0.05], 1)
    return series(dataset, dataset.recordings, dataset.recordings, question)


def test_sums_are_those_of_every_window_and_none_reaches_over_a_gap(tmp_path: Path) -> None:
    read = _read(made(tmp_path / "set", delayed, ("y", "x", "z"), gap=10))
    assert len(read.stretches) == 2 * PEOPLE
    for stretch in read.stretches[:2]:
        moments = range(6, len(stretch) - 5)
        x = np.array([stretch.x[t - 6 : t + 1][::-1].ravel() for t in moments])
        y = np.array([[stretch.own[t + lead, 0] for lead in (2, 5)] for t in moments])
        found = sums(read, stretch, stretch.x, (2, 5))
        assert found.n == len(x)
        for one, other in (
            (found.x, x.sum(0)), (found.xx, x.T @ x), (found.y, y.sum(0)),
            (found.yy, (y * y).sum(0)), (found.xy, x.T @ y),
        ):  # fmt: skip
            assert np.allclose(one, other, rtol=0, atol=1e-9)


def test_nothing_of_a_subject_is_in_what_tests_it(tmp_path: Path) -> None:
    read = _read(made(tmp_path / "set", delayed, ("y", "x", "z")))

    def learned(read: Series) -> list[Linear]:
        chosen = folds(read, 5)
        assert [{s.subject for s in fold.test} for fold in chosen.folds] == [{n} for n in range(4)]
        return Ridge(read, chosen, (2, 5)).fitted("m", 7)

    before = learned(read)
    other = replace(
        read,
        stretches=tuple(
            replace(s, x=s.x[::-1] + 3, own=s.own * 2) if s.subject == 1 else s
            for s in read.stretches
        ),
    )
    same = [
        np.array_equal(one.w, two.w) and np.array_equal(one.b, two.b)
        for one, two in zip(before, learned(other), strict=True)
    ]
    assert same == [False, True, False, False]


@pytest.mark.parametrize("predictor", ["mlp", "gru"])
def test_networks_foresee_what_no_line_can(tmp_path: Path, predictor: str) -> None:
    pytest.importorskip("torch")

    def of(random: np.random.Generator) -> tuple[Reals, npt.NDArray[np.int32]]:
        x, z = random.choice([-1.0, 1.0], (2, 600))
        return unlabelled(np.stack([np.roll(x * z, 4), x, z], 1))

    made(tmp_path / "set", of, ("y", "x", "z"), people=3)
    asks = ("--target", "y", "--history", "0.04", "--lead", "0.02", "--predictor")
    found = printed(tmp_path / "set", *asks, predictor, "--predictor", "ridge")
    assert map_of(found, "channels").max() < 0.1
    assert map_of(found, "channels", predictor).min() > 0.5
    if predictor == "mlp":  # boards run no GRU, and a ridge foresees nothing to advise
        assert found["windows"][0]["predictor"] == "mlp"
        assert found["windows"][0]["cost"]["instructions"] > 1000


def test_bad_questions_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    dataset = made(folder, delayed, ("y", "x", "z"))
    short = ("--history", "0.1", "--lead", "0.1")

    def no(*arguments: object) -> str:
        return refused("data", "horizon", folder, *arguments)

    assert "no channel" in no("--target", "q")
    assert "no channel 'q'" in no("--target", "y", "--modality", "m=q")
    assert "NAME=CHANNEL" in no("--target", "y", "--modality", "baseline=x")
    assert "two are needed" in no("--target", "class")
    assert "neither a time" in no("--target", "y", "--lead", "1:0:x")
    assert "neither a time" in no("--target", "y", "--lead", "nan")
    assert "neither a time" in no("--target", "y", "--lead", "0.5:0.1:0.1")
    assert "neither a time" in no("--target", "y", "--lead", "0:1:1e-300")
    assert "--history: the shortest, 0" in no("--target", "y", "--history", "0")
    assert "the longest piece is 9;" in no("--target", "y", "--history", "9", "--lead", "0.1")
    assert "--every 2" in no("--target", "y", "--history", "13")
    text.save(replace(dataset, splits={"one": ("r0",)}))
    assert "two are needed" in no("--target", "y", *short, "--part", "one")
    nobody = tuple(replace(one, subject="") for one in dataset.recordings)
    text.save(replace(dataset, recordings=nobody))
    assert "--subject" in no("--target", "y", *short)
    made(tmp_path / "still", lambda _: unlabelled(np.full((300, 2), 7.0)), ("y", "x"))
    still = ("data", "horizon", tmp_path / "still", *short)
    assert "never changes" in refused(*still, "--target", "y")
    bad = np.zeros((300, 2))
    bad[100] = np.nan
    made(tmp_path / "nan", lambda _: unlabelled(bad), ("y", "x"))
    assert "no finite number" in refused(
        "data", "horizon", tmp_path / "nan", *short, "--target", "y"
    )


def test_hip_angles_of_another_person(tmp_path: Path) -> None:
    """R2 as others found it: of a person that was not learned from, in steady gait and when it
    stops and goes."""
    try:
        hip_set(tmp_path / "hips")
    except BuildError as error:
        pytest.skip(f"no network: {error}")
    wanted = {
        "steady": [
            [0.959, 0.980, 0.980, 0.975],
            [0.487, 0.903, 0.920, 0.904],
            [0.152, 0.890, 0.937, 0.892],
        ],
        "stopgo": [[0.191, 0.512, 0.636, 0.485]],
    }  # fmt: skip
    for part, rows in wanted.items():
        lead = "0.1,0.3,0.5" if part == "steady" else "0.3"
        asks = (*QUESTION, "--learn", "learn", "--part", part, "--lead", lead)
        found = map_of(printed(tmp_path / "hips", *asks), "leg")
        assert np.abs(found.T - np.array(rows)).max() < 0.02
