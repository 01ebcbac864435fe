"""tinyflash data on the command line, and training with a set."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set

from tinyflash.data.dataset import load
from tinyflash.data.lock import changing
from tinyflash.data.shards import read
from tinyflash.read import read as read_model
from tinyflash.runtime.units import encode

SCHEME = "head = 2\n[[update]]\nlast = 1\nbias = true\n"


def done(*arguments: object) -> str:
    result = tinyflash(*arguments)
    assert result.exit_code == 0, result.output
    return str(result.output)


def printed(*arguments: object) -> dict[str, Any]:
    """The JSON that a command prints."""
    result = tinyflash(*arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    signal_set(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Reads windows of 20 frames of 2 channels."""
    file = File(3)
    x = file.conv(file.input((1, 1, 20, 2), zero=0), (1, 3), out=4, activation=3, zero=-128)
    path = tmp_path / "model.tflite"
    path.write_bytes(file.finish(file.dense(x, 2)))
    (tmp_path / "scheme.toml").write_text(SCHEME)
    return path


def test_csv_there_and_back(folder: Path, tmp_path: Path) -> None:
    done("data", "export", folder, "-o", tmp_path / "csv")
    said = done("data", "import", tmp_path / "csv", "-o", tmp_path / "again")
    assert "imported 8 files" in said
    before, after = load(folder), load(tmp_path / "again")
    assert after.frames.rate == before.frames.rate
    for one in before.recordings:
        a, b = read(before, one), read(after, after.recording(one.name))
        assert np.array_equal(a.frames, b.frames)
        assert np.array_equal(a.numbers, b.numbers)
        names = [[s.classes[label] for label in t.labels] for s, t in ((before, a), (after, b))]
        assert names[0] == names[1]


def test_show_counts_what_is_there(folder: Path, tmp_path: Path) -> None:
    shown = printed("data", "show", folder, "--json")
    assert shown["classes"] == ["low", "high"]
    assert [one["missing"] for one in shown["recordings"][:2]] == [0, 10]
    assert shown["recordings"][1]["labels"] == {"high": 200}
    track = read(load(folder), load(folder).recordings[0])
    assert shown["low"][0] <= track.frames[:, 0].min() * 0.02
    assert shown["damaged"] == []
    text = done("data", "show", folder, "--picture", tmp_path / "p.png")
    assert "16.0 s" in text  # 800 frames of a class, 50 per second
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    (folder / "shards" / "p0-0.000000.npz").unlink()
    assert "no such file" in refused("data", "show", folder)


def test_split_and_windows_of_a_part(folder: Path, tmp_path: Path) -> None:
    said = done("data", "split", folder, "--by", "subject", "--seed", "1")
    assert "75.0 %" in said
    out = tmp_path / "w.npz"
    done("data", "export", folder, "--part", "test", "--window", "20", "--hop", "10", "-o", out)
    with np.load(out) as arrays:
        assert arrays["x"].shape[1:] == (20, 2)
        assert set(arrays["recording"]) == set(load(folder).splits["test"])
        assert arrays["classes"].tolist() == ["low", "high"]
    assert "has no part 'x'" in refused("data", "export", folder, "--part", "x", "-o", out)
    assert "--window" in refused("data", "export", folder, "--window", "5", "-o", tmp_path / "d")
    everything = ("--test", "0.5", "--validation", "0.5")
    assert "leave nothing" in refused("data", "split", folder, "--by", "random", *everything)
    assert "not a finite" in refused("data", "split", folder, "--by", "random", "--test", "nan")


def test_training_with_a_set_is_training_with_its_windows(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    scheme = ("--scheme", tmp_path / "scheme.toml")
    rest = (*scheme, "--epochs", "2", "--rate", "0.05")
    assert "run: tinyflash data split" in refused(
        "train", model, "--data", folder, *rest, "-o", tmp_path / "a"
    )
    done("data", "split", folder, "--by", "subject")
    done("train", model, "--data", folder, *rest, "--hop", "5", "-o", tmp_path / "a")
    cut, port = ("--window", "20", "--hop", "5"), read_model(model).input
    for part in ("train", "test"):
        done("data", "export", folder, "--part", part, *cut, "-o", tmp_path / f"{part}.npz")
        with np.load(tmp_path / f"{part}.npz") as arrays:  # a file is in the model's own type
            stored = encode(replace(port, dtype="float32"), arrays["x"])
            np.savez(tmp_path / f"{part}.npz", x=stored, y=arrays["y"])
    files = ("--data", tmp_path / "train.npz", "--test", tmp_path / "test.npz")
    for command in (
        ("train", model, *files, *rest, "-o", tmp_path / "c"),
        ("evaluate", model, "--data", tmp_path / "test.npz"),
    ):
        assert "test.npz have been cut" in refused(*command, "--hop", "5").replace("train", "test")
    done("train", model, *files, *rest, "-o", tmp_path / "b")
    a, b = (np.load(tmp_path / name / "learned.npz") for name in "ab")
    assert all((a[name] == b[name]).all() for name in a)
    record = json.loads((tmp_path / "a" / "training.json").read_text())
    assert record["accuracy_after"] > 0.95
    judged = ("--learned", tmp_path / "a", *scheme, "--json")
    of_set = printed("evaluate", model, "--data", folder, "--hop", "5", *judged)
    of_file = printed("evaluate", model, "--data", tmp_path / "test.npz", *judged)
    assert of_set == of_file
    assert of_set["accuracy"] == record["accuracy_after"]


def test_a_set_has_its_own_parts(folder: Path, model: Path, tmp_path: Path) -> None:
    done("data", "split", folder, "--by", "random", "--validation", "0.25")
    rest = ("--scheme", tmp_path / "scheme.toml", "-o", tmp_path / "a", "--epochs", "1")
    said = refused("train", model, "--data", folder, *rest, "--validation", "0.1")
    assert said == f"{folder} is split into parts already; leave out --validation"
    done("train", model, "--data", folder, *rest, "--test", folder)
    held = json.loads((tmp_path / "a" / "training.json").read_text())["held_out"]
    done("train", model, "--data", folder, *rest)
    other = json.loads((tmp_path / "a" / "training.json").read_text())["held_out"]
    splits = load(folder).splits
    assert len(splits["test"]) == len(splits["validation"])
    assert min(held, other) > 0


def test_pictures_of_a_wrong_size_say_so(tmp_path: Path) -> None:
    assert "is not COLUMNSxROWS" in refused(
        "data", "import", tmp_path, "-o", tmp_path / "s", "--size", "8"
    )
    assert "is no data set" in refused("data", "show", tmp_path)


def test_one_command_at_a_time_changes_a_set(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "more.csv"
    source.write_text("a,b\n1,2\n")
    before = (folder / "dataset.toml").read_text()
    with changing(folder):
        for command in (
            ("import", source, "-o", folder),
            ("split", folder, "--by", "random"),
            ("check", folder, "--fix", tmp_path / "review.csv"),
        ):
            assert "is being changed by another command" in refused("data", *command)
        done("data", "show", folder)
    assert (folder / "dataset.toml").read_text() == before


def test_a_refused_import_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a\nx\n")
    refused("data", "import", tmp_path / "bad.csv", "-o", tmp_path / "new" / "set")
    assert not (tmp_path / "new").exists()


def test_a_killed_import_is_done_again(tmp_path: Path) -> None:
    """The process is killed while it writes shards; the same command then gives the whole set."""
    (tmp_path / "in").mkdir()
    for number in range(60):
        rows = "".join(f"{number},{at}\n" for at in range(50))
        (tmp_path / "in" / f"r{number}.csv").write_text(f"a,b\n{rows}")
    out = tmp_path / "set"
    command = ("-m", "tinyflash", "data", "import", tmp_path / "in", "-o", out)
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(out.glob("shards/*.npz"))) < 2:
            time.sleep(0.005)
        process.kill()
    done("data", "import", tmp_path / "in", "-o", out)
    shown = printed("data", "show", out, "--json")
    assert len(shown["recordings"]) == 60
    assert {one["frames"] for one in shown["recordings"]} == {50}
    assert shown["damaged"] == []


def test_names_may_have_brackets_and_dollars(tmp_path: Path) -> None:
    """Neither is markup, in the terminal or in a picture."""
    source = tmp_path / "x.csv"
    source.write_text("time,[/b],c,label\n0,1,2,[/red]\n1,2,3,$x^$\n")
    out = tmp_path / "set"
    done("data", "import", source, "-o", out, "--subject", "[/q]", "--session", "$a^$")
    said = done("data", "show", out, "--picture", tmp_path / "p.png")
    assert all(name in said for name in ("[/b]", "[/red]", "$x^$", "[/q]"))


def test_a_recording_without_frames_is_drawn_empty(folder: Path, tmp_path: Path) -> None:
    path = folder / "dataset.toml"
    path.write_text(re.sub(r"pieces = .*", "pieces = []", path.read_text(), count=1))
    done("data", "show", folder, "--picture", tmp_path / "set.png")
    assert (tmp_path / "set.png").stat().st_size > 1000


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_an_option_in_a_range_is_finite(number: str, tmp_path: Path) -> None:
    said = refused("collect", "--port", "none", "--seconds", number, "-o", tmp_path / "set")
    assert f"--seconds': {number} is not a finite number" in said
    said = refused("train", "none", "--live", "--surprising", number)
    assert "--surprising': " in said
