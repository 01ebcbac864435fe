"""Windows have one label, cross no gap, and never appear in two parts of a split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sets import signal_set

from tinyflash.data import shards
from tinyflash.data.dataset import Correction, Dataset, Frames, Piece, Recording, with_classes
from tinyflash.data.samples import samples, window_for
from tinyflash.data.shards import NONE, Track, read
from tinyflash.data.splits import split
from tinyflash.data.windows import cut
from tinyflash.errors import DataError


def test_windows_are_the_frames_in_real_units(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    found = cut(dataset, dataset.recordings, 40, 20)
    for x, y, place, first in zip(found.x, found.y, found.recording, found.first, strict=True):
        track = read(dataset, dataset.recordings[place])
        at = int(np.flatnonzero(track.numbers == first)[0])
        assert np.array_equal(x, (track.frames[at : at + 40] * 0.02).astype(np.float32))
        assert track.numbers[at + 39] == first + 39  # no gap
        assert y == dataset.recordings[place].name.endswith("1")
    starts = found.first[found.recording == 1].tolist()
    assert starts == [0, 20, 40, 60, 110, 130, 150, 170]


def test_a_window_has_the_label_of_more_than_half_of_its_frames(tmp_path: Path) -> None:
    dataset = with_classes(Dataset(tmp_path, Frames((1,))), ("a", "b", "c"))
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 1, NONE, NONE, NONE, 2, 0, 1, 2, 2], np.int32)
    track = Track(np.arange(16)[:, np.newaxis], np.arange(16), labels)
    dataset = shards.append(dataset, Recording("r", ()), track)
    found = cut(dataset, dataset.recordings, 4, 4)
    assert found.first.tolist() == [4]  # 3 of 4; halves and fewer have no label
    assert found.y.tolist() == [0]


def test_a_network_says_which_window_it_reads(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    for wanted in ((1, 32, 2), (32, 2), (32, 1, 2)):
        assert window_for(dataset, wanted) == 32
    pictures = replace(dataset, frames=Frames((8, 8, 1)))
    assert window_for(pictures, (8, 8, 1)) == 1
    assert window_for(replace(dataset, frames=Frames((1,))), (1, 490, 1)) == 490
    for wanted in ((32, 3), (2, 32), (4, 4, 2), (10,)):
        with pytest.raises(DataError, match="no window of frames fills the input"):
            window_for(dataset, wanted)
    with pytest.raises(DataError, match="no window of 300 frames has a label"):
        samples(dataset, None, (300, 2), None)
    with pytest.raises(DataError, match=r"has no part 'test' \(it has none\); run tinyflash data"):
        samples(dataset, "test", (32, 2), None)


def _set(people: list[int]) -> Dataset:
    """Of each person some recordings of one frame."""
    recordings = tuple(
        Recording(f"p{person}-{n}", (Piece("s", n, 0, 1),), f"p{person}", f"s{n % 3}")
        for person, count in enumerate(people)
        for n in range(count)
    )
    return Dataset(Path("set"), Frames((1,)), recordings=recordings)


@given(
    people=st.lists(st.integers(1, 9), min_size=3, max_size=12),
    by=st.sampled_from(("subject", "session", "random")),
    seed=st.integers(0, 99),
)
def test_what_belongs_together_is_in_one_part(people: list[int], by: str, seed: int) -> None:
    dataset = _set(people)
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    done = split(dataset, by, shares, seed)
    names = [name for part in done.splits.values() for name in part]
    assert sorted(names) == sorted(one.name for one in dataset.recordings)  # each once
    assert all(done.splits.values())  # none is empty
    parts = {one.name: part for part in done.splits for one in done.part(part)}
    if by != "random":
        keys = [(one.subject, one.session if by == "session" else "") for one in done.recordings]
        for key in set(keys):
            alike = [one for one, k in zip(done.recordings, keys, strict=True) if k == key]
            assert len({parts[one.name] for one in alike}) == 1
    assert split(dataset, by, shares, seed) == done


def test_shares_are_met_as_far_as_groups_allow() -> None:
    done = split(_set([1] * 100), "random", {"train": 0.7, "test": 0.3}, 0)
    assert [len(done.splits[part]) for part in ("train", "test")] == [70, 30]


def test_too_few_groups_and_unknown_ones_are_refused() -> None:
    with pytest.raises(DataError, match=r"has 1 of its kind to split by \(subject\); 2 parts need"):
        split(_set([5]), "subject", {"train": 0.7, "test": 0.3}, 0)
    nameless = replace(_set([2, 2]), recordings=(Recording("a", ()), Recording("b", ())))
    with pytest.raises(DataError, match="recording a has no subject; split by random, or import"):
        split(nameless, "subject", {"train": 0.7, "test": 0.3}, 0)


def test_a_correction_moves_a_window_to_its_class(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    fixed = replace(dataset, corrections=(Correction("p0-0", 0, 39, "high"),))
    found = cut(fixed, fixed.recordings[:1], 40, 40)
    assert found.y.tolist() == [1, 0, 0, 0, 0]


def test_an_offset_makes_bytes_of_a_network_that_reads_minus_1_to_1(tmp_path: Path) -> None:
    frames = Frames((1, 3, 1), scale=2 / 255, offset=-1.0)
    dataset = with_classes(Dataset(tmp_path, frames), ("a",))
    picture = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    dataset = shards.append_items(dataset, [Recording("r", ())], picture, np.zeros(1, np.int32))
    found = cut(dataset, dataset.recordings, 1, 1)
    assert found.x.reshape(3).tolist() == pytest.approx([-1.0, -0.6, 1.0])


def test_numbers_beyond_those_of_a_network_are_refused(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    large = replace(dataset, frames=replace(dataset.frames, scale=3e38))
    with pytest.raises(DataError, match=r"too large for a network; see scale in dataset\.toml"):
        cut(large, large.recordings, 40, 20)
