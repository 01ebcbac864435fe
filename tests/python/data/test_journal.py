"""Journals: what was appended is read back, whatever happens to the writer."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.commands import refused

from tinyflash.data import shards, text
from tinyflash.data.dataset import Dataset, Frames, load
from tinyflash.data.journal import Journal
from tinyflash.data.opened import opened
from tinyflash.data.shards import read
from tinyflash.data.summary import summarize
from tinyflash.data.windows import cut
from tinyflash.errors import DataError, TinyflashWarning

ABOUT = ("walk", "anna", "monday", "board")
VALUES = np.random.default_rng(1).integers(-32768, 32768, (100, 3)).astype(np.int16)


def written(folder: Path, file: str = "walk.000000.frames") -> Path:
    """Frames 2 to 49 and 60 to 99, walking from 10 on, without a label from 70 on."""
    path = folder / "shards" / file
    with Journal(path, (3,), ABOUT, 7) as journal:
        journal.frames(2, VALUES[2:8], 0.1)
        journal.label(10, "walking")
        journal.frames(8, VALUES[8:50], 0.2)
        journal.frames(60, VALUES[60:80], 0.4)
        journal.label(70, "")
        journal.frames(80, VALUES[80:], 0.5)
        journal.sync()
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    made = Dataset(tmp_path, Frames((3,), 100.0))
    text.save(made)
    return made


@pytest.mark.parametrize("what", ["moved", "removed", "replaced"])
def test_a_journal_that_is_no_longer_there_acknowledges_nothing(tmp_path: Path, what: str) -> None:
    with Journal(tmp_path / "shards" / "x.000000.frames", (3,), ABOUT, 7) as journal:
        journal.frames(0, VALUES, 0.5)
        journal.sync()
        if what == "moved":
            (tmp_path / "shards").rename(tmp_path / "others")
        else:
            journal.path.unlink()
        if what == "replaced":
            journal.path.touch()
        with pytest.raises(DataError, match="was moved or removed while frames came"):
            journal.sync()


def test_frames_numbers_labels_and_gaps_come_back(dataset: Dataset) -> None:
    path = written(dataset.folder)
    listed = shards.adopted(dataset, path.name)
    text.save(listed)
    assert load(dataset.folder) == listed
    assert listed.classes == ("walking",)
    (recording,) = listed.recordings
    assert [(p.row, p.first, p.count) for p in recording.pieces] == [(0, 2, 48), (48, 60, 40)]
    assert (recording.subject, recording.session, recording.source) == ABOUT[1:]
    track = read(listed, recording)
    assert np.array_equal(track.numbers, [*range(2, 50), *range(60, 100)])
    assert np.array_equal(track.frames, VALUES[track.numbers])
    walking = [0 if 10 <= number < 70 else -1 for number in track.numbers]
    assert track.labels.tolist() == walking
    (summary,) = summarize(listed).recordings
    assert (summary.count, summary.missing, summary.gaps) == (88, 12, 2)


def test_no_window_crosses_a_gap(dataset: Dataset) -> None:
    listed = shards.adopted(dataset, written(dataset.folder).name)
    windows = cut(listed, listed.recordings, 10, 5)
    assert windows.first.tolist() == [7, 12, 17, 22, 27, 32, 37, 60]


def test_a_file_that_is_cut_anywhere_has_whole_records(dataset: Dataset) -> None:
    """As after kill -9, or a power cut, at each byte."""
    path = written(dataset.folder)
    whole = path.read_bytes()
    ends = set()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            arrays = shards.load_shard(path)
        except DataError:
            assert size < 120  # of the first record
            continue
        assert np.array_equal(arrays["frames"], VALUES[arrays["numbers"]])
        ends.add(len(arrays["frames"]))
    assert sorted(ends) == [0, 6, 48, 68]


def test_damage_ends_what_is_read(dataset: Dataset) -> None:
    path, random = written(dataset.folder), Random(0)
    whole = path.read_bytes()
    for _ in range(300):
        at = random.randrange(len(whole))
        path.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << random.randrange(8)]) + whole[at + 1 :]
        )
        try:
            arrays = shards.load_shard(path)
        except DataError:
            continue
        assert np.array_equal(arrays["frames"], VALUES[arrays["numbers"]])
        assert len(arrays["frames"]) < 88


def test_one_that_was_never_listed_is_found(dataset: Dataset) -> None:
    path = written(dataset.folder)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.warns(TinyflashWarning, match="not listed"):
        found = opened(dataset.folder)
    assert found.recordings[0].count == 68
    path.write_bytes(path.read_bytes()[:20])
    assert opened(dataset.folder).recordings == ()


def test_a_second_one_continues_a_recording(dataset: Dataset) -> None:
    listed = shards.adopted(dataset, written(dataset.folder).name)
    path = dataset.folder / "shards" / "walk.000001.frames"
    with Journal(path, (3,), ABOUT, 7) as journal:
        journal.frames(120, VALUES[:10], 1.3)
    grown = shards.adopted(listed, path.name)
    assert grown.recordings[0].end == 130
    assert grown.recordings[0].missing == 32
    with pytest.raises(ValueError, match="does not follow"):
        shards.adopted(grown, path.name)
    with pytest.raises(DataError, match="cannot be written"):
        Journal(path, (3,), ABOUT, 7)


def test_show_reads_it(dataset: Dataset) -> None:
    written(dataset.folder).write_bytes(b"TFF1 something else")
    text.save(dataset)
    (dataset.folder / "dataset.toml").write_text(
        (dataset.folder / "dataset.toml")
        .read_text()
        .replace(
            "[splits]",
            '[[recordings]]\nname = "w"\npieces = [["walk.000000.frames", 0, 0, 5]]\n[splits]',
        )
    )
    assert "is not a shard of a data set: it is empty" in refused("data", "show", dataset.folder)
