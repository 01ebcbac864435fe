"""Where a command cannot write, it says so in one line before its work begins."""

from __future__ import annotations

import errno
import os
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash import files
from tinyflash.boards.firmware import IMAGE
from tinyflash.demo import WRITTEN as OF_DEMO
from tinyflash.show.report import compilation
from tinyflash.training.job import WRITTEN as OF_TRAINING

# The files that a command writes into its folder, and the last that it would notice by itself.
FOLDERS = {
    "compile": (*compilation(), "scheme.toml"),
    "train": (*OF_TRAINING, *compilation(), *IMAGE),
    "demo": OF_DEMO,
    "endurance": ("endurance.json", "endurance.png", "model/model.c", "model/firmware.elf"),
}
FILES = ("infer", "export", "health")


@pytest.fixture
def command(model, scheme, data, tmp_path, monkeypatch):
    """Makes the arguments of a command that writes to a place. None of them may begin to work."""

    def forbidden(*_arguments, **_keywords):
        raise AssertionError("the work has begun")

    for module in ("compile", "train", "infer", "export"):
        monkeypatch.setattr(import_module(f"tinyflash.cli.{module}"), "read", forbidden)
    for module in ("demo", "bench.endurance"):
        monkeypatch.setattr(import_module(f"tinyflash.cli.{module}"), "run", forbidden)
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8, 3), np.float32))
    of_training = ("train", model, "--scheme", scheme, "--data", data)

    def arguments(name, place):
        return {
            "compile": ("compile", model, "-o", place),
            "train": (*of_training, "-o", place),
            "demo": ("demo", "-o", place),
            "endurance": ("bench", "endurance", "-o", place),
            "infer": ("infer", model, tmp_path / "x.npy", "-o", place),
            "export": ("export", model, "-o", place.with_suffix(".tflite")),
            "health": (*of_training, "--health", place, "-o", place.parent / "out"),
        }[name]

    return arguments


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/sys/foo", "cannot be written: "),
        ("/proc/none/out", "cannot be written: "),
        ("file", "is not a "),
        ("file/below", "is not a folder"),
        ("file/far/below", "is not a folder"),
        ("x" * 300, "cannot be written: File name too long"),
        ("missing/" + "x" * 300, "cannot be written: File name too long"),
        ("circle/out", "circle"),
    ],
)
def test_a_place_that_cannot_be_written(command, tmp_path, name, place, why):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    if place == "file" and name == "export":
        (tmp_path / "file.tflite").mkdir()
    elif place == "file" and name in FILES:
        pytest.skip("a file may replace a file")
    before = sorted(tmp_path.rglob("*"))
    line = refused(*command(name, tmp_path / place))
    assert why in line
    assert "choose another" in line
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("name", "file"), [(n, file) for n in FOLDERS for file in FOLDERS[n]])
def test_a_folder_in_the_way_of_a_file(command, tmp_path, name, file):
    (tmp_path / "out" / file).mkdir(parents=True)
    line = refused(*command(name, tmp_path / "out"))
    assert f"{tmp_path / 'out' / file} is not a regular file" in line


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_takes_no_file(command, tmp_path, monkeypatch, name, code):
    """Read-only, or full; as root, only a simulated error."""

    def fails(*_arguments, **_keywords):
        raise OSError(code, os.strerror(code))

    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(os, "fsync", fails)
    line = refused(*command(name, tmp_path / "a" / "b"))
    assert f"{tmp_path}/a/" in line
    assert f"cannot be written: {os.strerror(code)}" in line
    assert ("free some space" in line) == (code == errno.ENOSPC)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_build_looks_before_it_compiles(tmp_path, model, monkeypatch):
    out = tmp_path / "out"
    tinyflash("compile", model, "--board", "qemu_stm32f405", "-o", out)
    (out / "firmware.elf").mkdir()
    monkeypatch.setattr("tinyflash.cli.firmware.build_firmware", None)
    assert "firmware.elf is not a regular file" in refused("build", out)


def test_a_command_that_can_write_leaves_no_trace_of_having_tried(tmp_path):
    assert files.to_fill(tmp_path / "a" / "b", ("c", "d/e")) == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    assert files.to_write(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["fsync", "replace"])
def test_a_file_is_the_old_one_when_the_disk_is_full(tmp_path, monkeypatch, when):
    """As said when the bytes go to the disk, or when the file is renamed."""

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "f"
    files.write_bytes(path, b"old")
    monkeypatch.setattr(os if when == "fsync" else Path, when, full)
    with pytest.raises(files.DataError) as caught:
        files.write_bytes(path, b"new")
    assert str(caught.value) == (
        f"{path} cannot be written: No space left on device; the file that was there is unchanged; "
        "free some space there, or choose another"
    )
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
