"""tinyflash train --live --auto: a stream is learned from; interrupted, it goes on."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.errors import LinkError
from tinyflash.runtime.replay import Kept
from tinyflash.training.live.learner import Learner

WINDOWS, CLASSES, SAMPLE = 40, 3, 8 * 8 * 3


@pytest.fixture
def run(model, scheme, data, tmp_path):
    """Runs the command of a live run into a folder."""

    def begin(out, *more):
        command = ("train", model, "--scheme", scheme, "--live", "--auto", "--data", data)
        json_path = ("--json", tmp_path / f"{out}.json")
        return (*command, "--rate", "0.05", "-o", tmp_path / out, *json_path, *more)

    return begin


@pytest.fixture(autouse=True)
def _take_signals():
    """SIGINT may be ignored where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def stop_after(monkeypatch):
    """Ends a run in the middle of a window: by a signal, or by a link that breaks."""

    def set_up(windows, ends):
        whole, count = Learner._step, iter(range(10**6))

        def counted(self, x, label):
            if next(count) == windows:
                ends()
            return whole(self, x, label)

        monkeypatch.setattr(Learner, "_step", counted)

    yield set_up
    monkeypatch.undo()


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def unplug():
    raise LinkError("the device does not answer")


def test_the_record_has_every_window(run, data, tmp_path):
    result = tinyflash(*run("out", "--test", data, "--replay", "2", "--repeats", "3"))
    assert result.exit_code == 0, result.output
    assert "prequential accuracy: " in result.stdout
    assert "test accuracy after: " in result.stdout
    record = json.loads((tmp_path / "out.json").read_text())
    assert record == json.loads((tmp_path / "out" / "training.json").read_text())
    assert len(record["windows"]) == record["done"] == WINDOWS
    assert [w["label"] for w in record["windows"]] == np.load(data)["y"].tolist()
    first = record["windows"][0]
    assert first.keys() == {
        *("label", "predicted", "loss", "surprising", "learned", "accuracy", "sliding", "drift")
    }
    replay = record["replay"]
    assert replay["bytes"] == 8 + 4 * CLASSES + CLASSES * 2 * SAMPLE
    assert (replay["seen"], replay["counts"], replay["replayed"]) == ([20, 20, 0], [2, 2, 0], 120)
    assert (tmp_path / "out" / "report.html").is_file()
    again = tinyflash("evaluate", *run("x")[1:4], "--data", data, "--learned", tmp_path / "out")
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(("ends", "code"), [(interrupt, 130), (unplug, 1)])
@pytest.mark.parametrize("windows", [1, 17])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    run, data, tmp_path, stop_after, ends, code, windows
):
    more = ("--replay", "2", "--test", data, "--earlier", data)
    more += ("--guard", "4", "--guard-every", "6")
    assert tinyflash(*run("whole", *more)).exit_code == 0
    stop_after(windows, ends)
    result = tinyflash(*run("out", *more))
    assert result.exit_code == code, result.output
    done = windows if ends is unplug else windows + 1
    assert f"after {done} of 40 windows; wrote " in result.stderr
    resumed = tinyflash(*run("out", *more, "--resume", tmp_path / "out"))
    assert resumed.exit_code == 0, resumed.output
    for name in ("learned.npz", "training.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_that_is_over_hands_on_its_buffer(run, tmp_path):
    assert tinyflash(*run("out", "--replay", "2")).exit_code == 0
    again = run("out", "--replay", "2", "--resume", tmp_path / "out")
    assert tinyflash(*again).exit_code == 0
    memory = np.load(tmp_path / "out" / "learned.npz")["replay"].tobytes()
    assert Kept.of(memory, CLASSES, 2).seen == (40, 40, 0)
    assert "makes another; pass the same --replay" in refused(
        *run("out", "--replay", "3", "--resume", tmp_path / "out")
    )


def test_another_run_is_not_gone_on_with(run, data, tmp_path, stop_after):
    stop_after(5, interrupt)
    assert tinyflash(*run("out")).exit_code == 130
    resume = ("--resume", tmp_path / "out")
    for more, why in (
        (("--rate", "0.1"), "with --rate 0.05, not 0.1"),
        (("--skip-surprising",), "with --skip-surprising False, not True"),
        (("--test", data), "with --data, --hop or --test others than now"),
    ):
        assert why in refused(*run("out", *resume, *more))
    assert tinyflash(*run("new", *resume, "--rate", "0.1", "--new-run")).exit_code == 0


def test_a_damaged_file_is_refused(run, tmp_path, stop_after):
    stop_after(5, interrupt)
    assert tinyflash(*run("out", "--replay", "2")).exit_code == 130
    path = tmp_path / "out" / "learned.npz"
    good = dict(np.load(path))
    for name, wrong in (
        ("windows", good["windows"] + 2),
        ("windows", good["windows"][:, :3]),
        ("losses", good["losses"] * np.nan),
        ("counters", good["counters"][:, 1:]),
        ("replay", None),
        ("before", np.zeros(2)),
    ):
        arrays = {key: value for key, value in {**good, name: wrong}.items() if value is not None}
        np.savez(path, **arrays)
        assert "is damaged" in refused(*run("out", "--replay", "2", "--resume", path))


def test_options_that_say_nothing_are_refused(run, model, scheme, data, tmp_path):
    for option, value in (("--epochs", "2"), ("--schedule", "cosine"), ("--validation", "0.1")):
        why = f"{option} has no meaning with --live; leave it out"
        assert refused(*run("out", option, value)) == why
    plain = ("train", model, "--scheme", scheme, "--data", data, "-o", tmp_path / "out")
    for option in (("--replay", "2"), ("--auto",), ("--earlier", data)):
        assert refused(*plain, *option) == f"{option[0]} needs --live"


def test_what_cannot_be_is_refused(run, tmp_path):
    assert "name them with --earlier" in refused(*run("out", "--guard", "3"))
    assert "without --rows" in refused(*run("out", "--rows", "--replay", "2"))
    assert "whose buffer takes 518,420 bytes" in refused(
        *run("out", "--board", "qemu_stm32f405", "--replay", "900")
    )
    (tmp_path / "scheme.toml").write_text(
        "loss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true\n"
    )
    assert "live learning needs labels" in refused(*run("out"))
