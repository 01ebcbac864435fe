"""tinyflash train, interrupted: what it learned is saved; --resume goes on to the same bytes."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash import files
from tinyflash.cli import train
from tinyflash.runtime.host import HostSession

PLAIN = "head = 3\n[[update]]\nlast = 1\nbias = true\nweights = 0.5\n"
SCHEMES = {
    "plain": PLAIN,
    "all": "head = 3\n[[update]]\nbias = true\nweights = 1.0\n",
    "accumulate": PLAIN + "[optimizer]\naccumulate = 5\n",
    "momentum": PLAIN + "[optimizer]\nmomentum = 0.9\n",
    "everything": PLAIN
    + "[optimizer]\nmomentum = 0.9\naccumulate = 4\nmaster = true\nweight_decay = 1e-3\n"
    "saturation_limit = 0.01\n",
}
GUARD = ("--guard", "6", "--guard-every", "7", "--guard-tolerance", "0")
STEPS = 3 * 32
WRITTEN = ("learned.npz", "training.json")
WHOLE = {"version", "hash", "weights", "state"}  # what learned.npz has of a whole run


@pytest.fixture
def run(model, scheme, data, tmp_path):
    """Runs the command of a training into a folder."""

    def begin(out, *more):
        command = ("train", model, "--scheme", scheme, "--data", data, "-o", tmp_path / out)
        return tinyflash(*command, "--rate", "0.05", *more)

    return begin


@pytest.fixture
def interrupt(monkeypatch):
    """Sends a signal to this process during a call of a session's method, a number of calls from
    now. Training steps at a rate of their own, as of calibration, do not count."""

    def after(calls, number=signal.SIGINT, method="train_step", again=0):
        whole, count = getattr(HostSession, method), iter(range(calls + 10**6))

        def counted(self, *arguments):
            if len(arguments) < 3 and next(count) == calls:
                for _ in range(1 + again):
                    os.kill(os.getpid(), number)
            return whole(self, *arguments)

        monkeypatch.setattr(HostSession, method, counted)

    yield after
    monkeypatch.undo()


@pytest.fixture(autouse=True)
def _take_signals():
    """SIGINT may be ignored where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def written(folder):
    return [(folder / name).read_bytes() for name in WRITTEN]


@pytest.mark.parametrize("scheme_name", SCHEMES)
@pytest.mark.parametrize("guard", [(), GUARD], ids=["", "guard"])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    run, interrupt, monkeypatch, scheme, tmp_path, scheme_name, guard
):
    """Interrupted twice, at arbitrary steps: weights, state, losses, counters, both evaluations."""
    scheme.write_text(SCHEMES[scheme_name])
    more = (*guard, "--warmup", "5", "--seed", "3")
    assert run("whole", *more).exit_code == 0
    random = np.random.default_rng(len(scheme_name) + 10 * len(guard))
    steps = STEPS if not guard else 3 * (40 - 8 - 6)
    first, second = sorted(random.choice(np.arange(1, steps), 2, replace=False).tolist())
    out, resume = tmp_path / "parts", ("--resume", tmp_path / "parts" / "learned.npz")
    interrupt(first - 1)
    result = run("parts", *more)
    assert result.exit_code == 128 + signal.SIGINT
    assert f"stopped by Ctrl-C after {first} of {steps} training steps" in result.stderr, (
        result.stderr
    )
    assert f"--resume {out / 'learned.npz'}" in result.stderr
    assert json.loads((out / "training.json").read_text())["done"] == first
    monkeypatch.undo()
    interrupt(second - first - 1, signal.SIGTERM)
    result = run("parts", *more, *resume)
    assert result.exit_code == 128 + signal.SIGTERM
    assert f"stopped by SIGTERM after {second} of {steps} training steps" in result.stderr
    monkeypatch.undo()
    result = run("parts", *more, *resume)
    assert result.exit_code == 0, result.output
    assert written(out) == written(tmp_path / "whole")


@pytest.mark.parametrize("step", [1, 2, 7, 8, 31, 32, 33, STEPS - 1])
def test_any_step_may_be_the_last(run, interrupt, monkeypatch, scheme, tmp_path, step):
    """At the ends of epochs, groups, readings of counters, evaluations of the guard."""
    scheme.write_text(SCHEMES["everything"])
    more = ("--validation", "0.05", "--guard", "6", "--guard-every", "4")
    run("whole", *more)
    interrupt(step - 1)
    assert run("parts", *more).exit_code == 130
    monkeypatch.undo()
    assert run("parts", *more, "--resume", tmp_path / "parts" / "learned.npz").exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


@pytest.mark.parametrize("sample", [0, 3, 7])
def test_while_it_is_evaluated_between_epochs(run, interrupt, monkeypatch, tmp_path, sample):
    """The evaluation is made up for, so that the whole course is that of a run without a break."""
    run("whole", *GUARD)
    interrupt(8 + sample, method="infer")
    result = run("parts", *GUARD)
    assert result.exit_code == 130
    assert "after 26 of 78 training steps; wrote" in result.stderr
    course = json.loads((tmp_path / "parts" / "training.json").read_text())["accuracy_course"]
    assert [step for step, _ in course] == ([0, 26] if sample == 7 else [0])
    monkeypatch.undo()
    resume = ("--resume", tmp_path / "parts" / "learned.npz")
    assert run("parts", *GUARD, *resume).exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_towards_targets(run, interrupt, monkeypatch, scheme, data, tmp_path):
    scheme.write_text("head = 2\nloss = 'mean_squared_error'\n" + PLAIN.split("\n", 1)[1])
    with np.load(data) as whole:
        x = whole["x"]
    light = x.mean(axis=(1, 2, 3)).clip(-1, 1)[:, None]
    np.savez(data, x=x, y=np.hstack([light, -light]))
    run("whole")
    interrupt(20)
    assert run("parts").exit_code == 0  # it is another method
    monkeypatch.undo()
    interrupt(20, method="train_on_target")
    assert run("parts").exit_code == 130
    monkeypatch.undo()
    assert run("parts", "--resume", tmp_path / "parts" / "learned.npz").exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_while_it_is_evaluated(run, interrupt, monkeypatch, tmp_path):
    """Before the first step there is nothing to save; after the last one, all but an evaluation."""
    run("whole", *GUARD)
    interrupt(3, method="infer")
    result = run("parts", *GUARD)
    assert result.exit_code == 130
    assert "after 0 of 78 training steps; it has learned nothing new, and wrote" in result.stderr
    assert not (tmp_path / "parts").exists()
    monkeypatch.undo()
    interrupt(3 * 8 + 3, method="infer")
    result = run("parts", *GUARD)
    assert result.exit_code == 130
    assert "after 78 of 78 training steps; wrote" in result.stderr
    assert written(tmp_path / "parts")[0] != written(tmp_path / "whole")[0]
    monkeypatch.undo()
    resume = ("--resume", tmp_path / "parts" / "learned.npz")
    half = written(tmp_path / "parts")
    interrupt(2, method="infer")
    assert run("parts", *GUARD, *resume).exit_code == 130
    assert written(tmp_path / "parts") == half  # nothing new
    monkeypatch.undo()
    assert run("parts", *GUARD, *resume).exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


@pytest.mark.parametrize("sample", [0, 3, 6, 7])
@pytest.mark.parametrize("epoch", [1, 2])
def test_while_an_epoch_is_evaluated(run, interrupt, monkeypatch, tmp_path, epoch, sample):
    """The run goes on with this evaluation: the learning curve has it."""
    run("whole", *GUARD)
    interrupt(8 * epoch + sample, method="infer")
    result = run("parts", *GUARD)
    assert result.exit_code == 130
    assert f"after {26 * epoch} of 78 training steps; wrote" in result.stderr
    monkeypatch.undo()
    resume = ("--resume", tmp_path / "parts" / "learned.npz")
    interrupt(0, method="infer")
    result = run("parts", *GUARD, *resume)
    assert result.exit_code == 130
    monkeypatch.undo()
    assert run("parts", *GUARD, *resume).exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_more_signals_harm_nothing(run, interrupt, monkeypatch, tmp_path):
    """While the step ends, and while its weights are saved."""
    run("whole")
    interrupt(9, again=3)
    whole = np.savez

    def struck(*arguments, **arrays):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        whole(*arguments, **arrays)

    monkeypatch.setattr(np, "savez", struck)
    assert run("parts").exit_code == 130
    monkeypatch.undo()
    assert run("parts", "--resume", tmp_path / "parts" / "learned.npz").exit_code == 0
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_a_signal_before_the_first_step_is_one_line(run, monkeypatch, tmp_path):
    """With the exit code of the signal."""
    for number, name in ((signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")):
        with monkeypatch.context() as patch:
            patch.setattr(train, "settle", lambda *_, n=number: signal.raise_signal(n))
            result = run("out")
        said = f"stopped by {name}"
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (128 + number, said)
    assert not (tmp_path / "out" / "learned.npz").exists()


@pytest.mark.parametrize("name", ["training.json", "report.json"])
def test_a_disk_full_after_the_weights_were_written_says_where_they_are(
    run, monkeypatch, tmp_path, name
):
    replace = Path.replace

    def full(self, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    result = run("out")
    learned = tmp_path / "out" / "learned.npz"
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert f"{name} cannot be written: No space left on device" in line
    assert line.endswith(f"what was learned is in {learned}")
    assert learned.is_file()


def test_what_was_saved_before_stays_when_nothing_was_learned(run, interrupt, tmp_path):
    run("out")
    before = written(tmp_path / "out")
    interrupt(0, method="infer")
    assert run("out").exit_code == 130
    assert written(tmp_path / "out") == before


def test_other_options_are_refused_by_name(run, interrupt, monkeypatch, data, tmp_path):
    interrupt(9)
    run("out", *GUARD)
    monkeypatch.undo()
    resume = (*GUARD, "--resume", tmp_path / "out" / "learned.npz")
    for other, complaint in (
        (("--epochs", "4"), "--epochs 3, not 4"),
        (("--rate", "0.1"), "--rate 0.05, not 0.1"),
        (("--schedule", "step"), "--schedule cosine, not step"),
        (("--warmup", "4"), "--warmup 0, not 4"),
        (("--seed", "4"), "--seed 0, not 4"),
        (("--guard", "5"), "--guard 6, not 5"),
        (("--guard-every", "5"), "--guard-every 7, not 5"),
        (("--guard-tolerance", "1"), "--guard-tolerance 0, not 1"),
        (("--validation", "0.1"), "--data, --validation or --test others than now"),
    ):
        result = run("out", *resume, *other)
        assert result.exit_code == 1
        line = result.stderr.splitlines()[-1]
        assert "was interrupted after 10 steps, with " + complaint in line
        assert "--new-run" in line
    with np.load(data) as whole:
        np.savez(data, x=whole["x"] * 0.99, y=whole["y"])
    assert "--data, --validation or --test" in run("out", *resume).stderr


def test_a_new_run_may_begin_from_the_weights_of_an_interrupted_one(
    run, interrupt, monkeypatch, tmp_path
):
    interrupt(9)
    run("first")
    monkeypatch.undo()
    learned = tmp_path / "first" / "learned.npz"
    result = run("second", "--resume", learned, "--new-run", "--epochs", "1")
    assert result.exit_code == 0, result.output
    course = json.loads((tmp_path / "second" / "training.json").read_text())
    assert (course["done"], course["steps"]) == (32, 32)
    with np.load(tmp_path / "second" / "learned.npz") as found:
        assert set(found) == WHOLE
        assert int.from_bytes(found["state"].tobytes()[4:8], "little") == 10 + 32


def _with(path, **change):
    """The same archive with other arrays; None removes one."""
    with np.load(path) as whole:
        arrays = {**whole, **change}
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


def test_a_damaged_record_of_a_run_is_one_line(
    run, interrupt, monkeypatch, model, scheme, data, tmp_path
):
    """Whatever is wrong with it; --new-run still finds the weights."""
    interrupt(20)
    run("out", *GUARD)
    monkeypatch.undo()
    path = tmp_path / "out" / "learned.npz"
    whole = path.read_bytes()
    with np.load(path) as arrays:
        names = {**arrays}
    command = ("train", model, "--scheme", scheme, "--data", data, "-o", tmp_path / "out", *GUARD)
    command = (*command, "--rate", "0.05", "--resume", path)
    record = [name for name in names if name not in WHOLE]
    expected = "run finished losses correct course counters before guard snapshot"
    assert sorted(record) == sorted(expected.split())
    changes = [{name: None} for name in record if name != "run"]
    changes += [{name: names[name][..., :-1]} for name in record if names[name].ndim]
    changes += [{name: names[name].astype("U5")} for name in record]
    changes += [
        {"run": np.frombuffer(b"[1]", np.uint8)},
        {"run": np.frombuffer(b"{}", np.uint8)},
        {"finished": np.array(True)},
        {"losses": np.full(21, np.nan)},
        {"losses": names["losses"][:20], "correct": names["correct"][:20]},
        {"losses": np.zeros(79), "correct": np.zeros(79, np.int8)},
        {"correct": np.full(21, 2, np.int8)},
        {"correct": np.full(21, -1, np.int8)},
        {"counters": names["counters"] - 1000},
        {"before": names["before"].astype(np.int16)},
        {"course": names["course"] + 1},
        {"course": names["course"] * np.nan},
        {"course": names["course"].repeat(3, axis=0)},
        {"guard": names["guard"] + 100},
        {"guard": names["guard"] - 2**40},
        {"snapshot": np.full_like(names["snapshot"], 0x80)},
        {"snapshot": np.append(names["snapshot"][:-1], np.uint8(0x40))},  # a gain of 64
    ]
    for change in changes:
        path.write_bytes(_with(path, **change))
        line = refused(*command)
        assert "learned.npz" in line, change
        assert "--new-run" in line or "is not a whole file" in line, (change, line)
        path.write_bytes(whole)
    path.write_bytes(_with(path, guard=None))
    assert tinyflash(*command, "--new-run").exit_code == 0


def test_an_archive_without_the_record_is_that_of_a_whole_run(
    run, interrupt, monkeypatch, tmp_path
):
    interrupt(20)
    run("out")
    monkeypatch.undo()
    path = tmp_path / "out" / "learned.npz"
    path.write_bytes(_with(path, run=None))
    assert run("out", "--resume", path, "--epochs", "1").exit_code == 0
    with zipfile.ZipFile(path) as archive:
        assert {name.removesuffix(".npy") for name in archive.namelist()} == WHOLE


@pytest.mark.parametrize("free", ["cwd", "tmp", ""])
def test_a_disk_that_fills_during_the_run(run, interrupt, monkeypatch, tmp_path, free):
    """What was saved before survives, and what was learned goes where there is room."""
    run("out")
    before = written(tmp_path / "out")
    places = {"cwd": tmp_path / "cwd", "tmp": tmp_path / "tmp"}
    for place in places.values():
        place.mkdir()
    monkeypatch.chdir(places["cwd"])
    monkeypatch.setattr(tempfile, "tempdir", str(places["tmp"]))
    monkeypatch.setenv("HOME", "/proc/none")
    whole = files._temporary

    def filled(path, content):
        begun = any(content)  # at first, only whether a block of zeros fits is tried
        if path.name.startswith("learned") and path.parent != places.get(free) and begun:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path, content)

    monkeypatch.setattr(files, "_temporary", filled)
    result = run("out", "--rate", "0.01")
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: {tmp_path / 'out' / 'learned.npz'} cannot be written: No space")
    assert written(tmp_path / "out") == before
    rescued = list((places[free] if free else tmp_path).rglob("learned-*.npz"))
    if free:
        assert line.endswith(f"what was learned is in {rescued[0]}")
        monkeypatch.setattr(files, "_temporary", whole)
        assert run("other", "--resume", rescued[0], "--epochs", "1").exit_code == 0
    else:
        assert line.endswith("what was learned is lost")
        assert rescued == []
