"""A set is what was written, survives crashes, and refuses what makes no sense."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.commands import tinyflash
from tests.support.sets import signal_set

from tinyflash.data import shards, text
from tinyflash.data.dataset import (
    Correction,
    Dataset,
    Frames,
    Piece,
    Recording,
    load,
    with_classes,
)
from tinyflash.data.journal import Journal
from tinyflash.data.lock import changing
from tinyflash.data.opened import opened
from tinyflash.data.shards import NONE, Track, damaged, read, recover
from tinyflash.errors import DataError, TinyflashNotice, TinyflashWarning

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    assert load(tmp_path) == dataset
    track = read(dataset, dataset.recording("p1-1"))
    assert track.frames.dtype == np.int16
    assert track.frames.shape == (200, 2)
    assert track.numbers[[0, 99, 100, 199]].tolist() == [0, 99, 110, 209]
    assert (track.labels == 1).all()
    assert dataset.recording("p1-1").missing == 10
    assert not damaged(dataset)


@settings(deadline=None)  # it writes files, and the computer may be busy
@given(
    classes=st.lists(NAMES, max_size=3, unique=True),
    channels=st.lists(NAMES, min_size=2, max_size=2),
    rate=st.none() | st.floats(1e-3, 1e6),
    scale=st.floats(1e-6, 1e6),
    subject=NAMES,
)
def test_any_text_and_number_survives(
    tmp_path_factory: pytest.TempPathFactory,
    classes: list[str],
    channels: list[str],
    rate: float | None,
    scale: float,
    subject: str,
) -> None:
    folder = tmp_path_factory.mktemp("set")
    frames = Frames((2,), rate, tuple(channels), (), scale, subject, scale - 1.0)
    recording = Recording("one", (Piece("one.000000.npz", 0, 3, 5),), subject, "", subject)
    corrections = tuple(Correction("one", 3, 4, name) for name in classes)
    splits = {subject: ("one",)} if subject != "by" else {}
    dataset = Dataset(folder, frames, tuple(classes), (recording,), corrections, splits)
    text.save(dataset)
    assert load(folder) == dataset


def test_corrections_change_what_is_read_and_no_shard(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()}
    corrections = (Correction("p0-0", 10, 19, "high"), Correction("p0-0", 15, 15, ""))
    text.save(replace(dataset, corrections=corrections))
    labels = read(load(tmp_path), dataset.recording("p0-0")).labels
    assert labels[9:21].tolist() == [0, 1, 1, 1, 1, 1, NONE, 1, 1, 1, 1, 0]
    assert (read(load(tmp_path), dataset.recording("p0-1")).labels == 1).all()
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()}


def test_shards_that_a_crash_left_unlisted_are_found(tmp_path: Path) -> None:
    """As after a crash at any moment: shards are there, the list is older, one is torn."""
    whole = signal_set(tmp_path, people=2)
    newest = sorted(whole.digests)[-1]
    for kept in range(len(whole.recordings)):
        listed = whole.recordings[:kept]
        files = {piece.shard for one in listed for piece in one.pieces}
        digests = {name: digest for name, digest in whole.digests.items() if name in files}
        text.save(replace(whole, recordings=listed, digests=digests))
        with pytest.warns(TinyflashWarning, match="written and not listed"):
            assert opened(tmp_path) == replace(
                whole, digests={**digests, **{k: whole.digests[k] for k in sorted(whole.digests)}}
            )
    torn = tmp_path / "shards" / newest
    torn.write_bytes(torn.read_bytes()[:-100])
    text.save(replace(whole, recordings=(), digests={}, classes=()))
    found, names = recover(load(tmp_path))
    assert newest not in names
    assert len(names) == len(whole.digests) - 1
    assert found.classes == whole.classes


def test_a_set_that_grows_meanwhile_is_told_of_calmly(tmp_path: Path) -> None:
    """While another command writes: no word of a crash or of changed shards; the lock is left."""
    whole = signal_set(tmp_path, people=2)
    text.save(replace(whole, recordings=whole.recordings[:1], digests={}, classes=whole.classes))
    growing = tmp_path / "shards" / "more.000000.frames"
    with changing(tmp_path), Journal(growing, (2,), ("more", "", "", "imu"), 1) as journal:
        journal.frames(0, np.zeros((4, 2), np.int16), 0.1)
        with pytest.warns(TinyflashNotice, match="another command is changing it; what is on .*"):
            assert opened(tmp_path).recording("more").count == 4
        shown = tinyflash("data", "show", tmp_path, "--json")
        assert shown.exit_code == 0
        assert "warning" not in shown.stderr
        assert f"{tmp_path}: another command is changing it; what is on the disk" in shown.stderr
        assert json.loads(shown.stdout)["damaged"] == []
        with pytest.raises(DataError, match="being changed by another command"), changing(tmp_path):
            pass
    with changing(tmp_path), pytest.warns(TinyflashWarning, match="what a crash has left"):
        opened(tmp_path, mine=True)


def test_a_changed_shard_is_named(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    (tmp_path / "shards" / "p1-0.000000.npz").write_bytes(b"x")
    (tmp_path / "shards" / "p2-0.000000.npz").unlink()
    assert damaged(dataset) == ["p1-0.000000.npz", "p2-0.000000.npz"]
    with pytest.raises(DataError, match=r"p1-0\.000000\.npz is not a whole shard"):
        read(dataset, dataset.recording("p1-0"))
    with pytest.raises(DataError, match=r"p2-0\.000000\.npz: there is no such file"):
        read(dataset, dataset.recording("p2-0"))
    (tmp_path / "shards" / "p1-0.000000.npz").unlink()
    shutil.copy(tmp_path / "shards" / "p1-1.000000.npz", tmp_path / "shards" / "p1-0.000000.npz")
    with pytest.raises(DataError, match="does not hold the frames"):
        read(dataset, dataset.recording("p1-0"))


def test_labels_go_by_their_names_when_classes_are_in_another_order(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    turned = replace(dataset, classes=("high", "other"))
    assert (read(turned, dataset.recording("p0-1")).labels == 0).all()
    assert (read(turned, dataset.recording("p0-0")).labels == NONE).all()


def test_frames_come_in_order_and_of_one_shape(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    about = dataset.recording("p0-0")
    track = Track(np.zeros((3, 2)), np.arange(199, 202), np.zeros(3, np.int32))
    with pytest.raises(DataError, match="recording p0-0 has frame 199 already"):
        shards.append(dataset, about, track)
    with pytest.raises(DataError, match=r"a frame has shape \(3,\); those of .* have \(2,\)"):
        shards.append(dataset, about, replace(track, frames=np.zeros((3, 3))))
    assert with_classes(dataset, ["new", "low", "", "new"]).classes == ("low", "high", "new")


DAMAGES = {
    "format = 1": ("format = 2", "format 2 is not 1; update tinyflash"),
    "frame = [2]": ("frame = [0]", "frame: 0 is not a positive whole number"),
    'channels = ["a", "b"]': ('channels = ["a"]', "channels has not the 2 names of a frame's"),
    "rate = 50.0": ("rate = -1", "rate = -1 is not a positive number"),
    'name = "p0-0"': ('name = "../x"', "recording '../x': a name has 1 to 100 letters"),
    'name = "p0-1"': ('name = "p0-0"', "recording 'p0-0' is there twice"),
    '["p0-0.000000.npz", 0, 0, 200]': ('["p0-0.000000.npz", 0, 0]', "should be"),
    '"p0-0.000000.npz", 0, 0, 200': ('"../../p0", 0, 0, 200', "is out of order"),
    'classes = ["low", "high"]': ('classes = ["low", "low"]', "class 'low' is there twice"),
    "[splits]": ('[splits]\ntrain = ["nobody"]', "has recording 'nobody', which the set has not"),
    "scale = 0.02": ("scale = 'x'", "scale = 'x' is not a positive number"),
    "0, 0, 200]": ("0, 9223372036854775807, 200]", "has too large a number"),
    "[shards]": ("[[shards]]", "[shards] is not a table"),
    'front_end = "raw"': (
        'front_end = "raw"\ncorrections = [["p0-0", 0, 9, "hihg"]]',
        "no class 'hihg'",
    ),
}


@pytest.mark.parametrize("old", DAMAGES)
def test_a_list_that_makes_no_sense_is_refused_in_one_line(old: str, tmp_path: Path) -> None:
    signal_set(tmp_path)
    path = tmp_path / "dataset.toml"
    new, why = DAMAGES[old]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=re.escape(why)) as refusal:
        load(tmp_path)
    assert "\n" not in str(refusal.value)


def test_what_is_no_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no data set: it has no dataset\.toml; make one with"):
        load(tmp_path)
    (tmp_path / "dataset.toml").write_text("classes = [")
    with pytest.raises(DataError, match=r"dataset\.toml: "):
        load(tmp_path)
    (tmp_path / "dataset.toml").write_text("format = 1")
    with pytest.raises(DataError, match="'frame' is missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"rate = 1{'0' * 400}", "rate = 1000"),
        (f"scale = 1{'0' * 400}", "scale = 1000"),
        ("scale = 1e308", "scale = 1e+308 is not a positive number, 1e-30 to 3.4e+38"),
        ("scale = true", "scale = True"),
        ("offset = -1e300", "offset = -1e+300"),
        (f"deep = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_numbers_by_hand_that_no_computer_holds(line: str, why: str, tmp_path: Path) -> None:
    signal_set(tmp_path)
    path = tmp_path / "dataset.toml"
    key = line.split()[0]
    rest = re.sub(rf"^{key} = .*\n", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(f"{line}\n{rest}")
    with pytest.raises(DataError, match=re.escape(why)) as refusal:
        load(tmp_path)
    assert len(str(refusal.value)) < 300
