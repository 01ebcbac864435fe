"""tinyflash train --live --normal, as it is typed: learned, saved, without power, and judged again.

Verdicts of emulated boards and of this computer are compared byte for byte.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set

from tinyflash.cli import vigil
from tinyflash.cli.vigil import Vigil
from tinyflash.errors import LinkError
from tinyflash.runtime.state import unpack
from tinyflash.training.live.normal import Course, Verdict, Watchman

BOARD = "qemu_stm32f405"
LEARN, HOLD, WINDOWS = 24, 12, 297
SQUARED = "loss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true\nweights = 1.0\n"


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An autoencoder of windows of 20 frames, and a set whose recordings differ."""
    folder = tmp_path_factory.mktemp("normal")
    file = File(3)
    x = file.input((1, 1, 20, 2), zero=0)
    (folder / "model.tflite").write_bytes(file.finish(file.dense(file.dense(x, 8), 40)))
    (folder / "s.toml").write_text(SQUARED)
    (folder / "six.toml").write_text(SQUARED + "[optimizer]\naccumulate = 7\n")
    (folder / "labels.toml").write_text("[[update]]\nlast = 1\nweights = 1.0\n")
    signal_set(folder / "set", people=1, frames=1500)
    return folder


@pytest.fixture(autouse=True)
def _take_signals() -> Iterator[None]:
    """SIGINT may be ignored where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def command(folder: Path, out: str, *more: object, scheme: str = "s.toml") -> tuple[object, ...]:
    words = ("train", folder / "model.tflite", "--scheme", folder / scheme, "--live")
    record = ("--json", folder / f"{out}.json")
    return (*words, "--rate", 0.02, *record, "-o", folder / out, *more)


def auto(folder: Path, out: str, *more: object, scheme: str = "s.toml") -> tuple[object, ...]:
    stream = ("--auto", "--data", folder / "set", "--normal", LEARN, "--hold", HOLD)
    return command(folder, out, *stream, *more, scheme=scheme)


def record(folder: Path, out: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / f"{out}.json").read_text())
    return found


@pytest.fixture(scope="module")
def host(folder: Path) -> dict[str, object]:
    result = tinyflash(*auto(folder, "host"))
    assert result.exit_code == 0, result.output
    assert f"learned from {LEARN} windows\nthreshold on host: " in result.stdout
    return record(folder, "host")


def learned(path: Path) -> tuple[bytes, bytes]:
    with np.load(path / "learned.npz") as arrays:
        return arrays["weights"].tobytes(), arrays["state"].tobytes()


def test_the_record_has_every_window(folder: Path, host: dict[str, object]) -> None:
    windows = host["windows"]
    assert isinstance(windows, list)
    assert host["done"] == len(windows) == WINDOWS
    judged = windows[LEARN + HOLD :]
    held = sorted(one["score"] for one in windows[LEARN : LEARN + HOLD])
    threshold = host["threshold"]
    assert held[-1] <= int(str(threshold)) <= held[-1] * 1.001
    assert [one["abnormal"] for one in judged] == [one["score"] > threshold for one in judged]
    assert {one["abnormal"] for one in windows[: LEARN + HOLD]} == {None}
    counts = host["by_label"]
    assert isinstance(counts, dict)
    assert sum(one["judged"] for one in counts.values()) == host["judged"] == len(judged)
    assert sum(one["abnormal"] for one in counts.values()) == host["abnormal"]
    assert counts["high"]["abnormal"] > counts["low"]["abnormal"]
    assert (folder / "host" / "report.html").is_file()
    assert unpack(learned(folder / "host")[1])[0].probability > 0


def test_a_board_knows_its_threshold_after_a_power_cut(folder: Path) -> None:
    """It learns from its sensor, in real time. The emulator of the second command is another one:
    all it has is the board's flash. This computer says the same of the same windows."""
    counts, hop = ("--normal", 8, "--hold", 3), ("--hop", 5)
    sensor = ("--board", BOARD, "--sensor", folder / "set" / "p0-0", *hop)
    first = tinyflash(
        *command(folder, "board", *sensor, *counts, "--judge", 3, "--save", "--watch")
    )
    assert first.exit_code == 0, first.output
    assert "the board has saved what it has learned, as record 1" in first.stderr
    assert f"threshold on {BOARD}: " in first.stdout
    watched = json.loads((folder / "board" / "watch.json").read_text())
    assert (watched["counters"]["phase"], watched["step"]["done"]) == ("watches", 14)
    stream = ("--auto", "--data", folder / "set", *hop)
    there = tinyflash(*command(folder, "there", *stream, *counts, "--judge", 3))
    assert there.exit_code == 0, there.output
    found, same = record(folder, "board"), record(folder, "there")
    assert (found["windows"], found["threshold"]) == (same["windows"], same["threshold"])
    assert learned(folder / "board") == learned(folder / "there")
    kept = (folder / "board" / "learned.npz").read_bytes()
    again = tinyflash(*command(folder, "board", *sensor, "--normal", 0, "--judge", 6))
    assert again.exit_code == 0, again.output
    judged = ("--normal", 0, "--judge", 6, "--resume", folder / "there")
    assert tinyflash(*command(folder, "judged", *stream, *judged)).exit_code == 0
    assert record(folder, "board")["threshold"] == same["threshold"]
    assert record(folder, "board")["windows"] == record(folder, "judged")["windows"]
    assert (folder / "board" / "learned.npz").read_bytes() == kept
    short = refused(*command(folder, "board", *sensor, "--normal", 280, "--hold", 18))
    assert "the sensor gives 297 windows; --normal and --hold take 298 more" in short


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def unplug() -> None:
    raise LinkError("the device does not answer")


@pytest.mark.parametrize(
    ("windows", "ends", "code"), [(5, interrupt, 130), (30, unplug, 1), (100, interrupt, 130)]
)
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    folder: Path, host: dict[str, object], monkeypatch: pytest.MonkeyPatch,
    ends: Callable[[], None], code: int, windows: int,
) -> None:  # fmt: skip
    whole, out = Watchman.see, f"broken-{windows}-{code}"

    def see(man: Watchman, x: np.ndarray) -> Verdict:
        if len(man.seen) == windows:
            ends()
        return whole(man, x)

    monkeypatch.setattr(Watchman, "see", see)
    result = tinyflash(*auto(folder, out))
    monkeypatch.undo()
    assert result.exit_code == code, result.output
    done = windows + (code == 130)
    assert f"after {done} windows; to go on, add --resume {folder / out}" in result.stderr
    assert tinyflash(*auto(folder, out, "--resume", folder / out)).exit_code == 0
    assert record(folder, out)["windows"] == host["windows"]
    assert learned(folder / out) == learned(folder / "host")
    other = refused(*auto(folder, "x", "--resume", folder / out, "--rank", 2))
    assert "with --rank 1; pass what it was begun with" in other
    anew = tinyflash(*auto(folder, "anew", "--resume", folder / out, "--new-run", "--judge", 1))
    assert anew.exit_code == 0, anew.output
    assert record(folder, "anew")["done"] == LEARN + HOLD + 1


def test_a_whole_run_that_is_resumed_is_told_again(folder: Path, host: dict[str, object]) -> None:
    result = tinyflash(*auto(folder, "whole", "--resume", folder / "host"))
    assert result.exit_code == 0, result.output
    assert record(folder, "whole")["windows"] == host["windows"]
    assert learned(folder / "whole") == learned(folder / "host")


def test_updates_of_several_windows_are_completed(folder: Path) -> None:
    result = tinyflash(*auto(folder, "six", "--judge", 1, scheme="six.toml"))
    assert result.exit_code == 0, result.output
    assert unpack(learned(folder / "six")[1])[0].step == 28


def test_what_is_refused(folder: Path) -> None:
    board = ("--board", BOARD, "--sensor", folder / "set" / "p0-0")
    whole = ("--auto", "--data", folder / "set")
    for arguments, why in (
        (("--normal", 10), "name it with --board or --port"),
        (("--normal", 10, "--board", BOARD), "name it with --sensor"),
        (("--normal", 10, *whole, "--save"), "--save saves on a board"),
        (("--normal", 10, *whole, "--hold", 2, "--rank", 3), "cannot be number 3 of 2 scores"),
        (("--normal", 250, *whole), "--data has 297 windows; --normal 250 and --hold 50 take 300"),
        (("--normal", 0, *whole), "this computer has no threshold yet; learn what is normal with"),
        (("--normal", 10, *board, "--replay", 2), "--replay has no meaning with --normal"),
        (("--normal", 10, *board, "--test", "x.npz"), "--test has no meaning with --normal"),
        ((*board, "--hold", 3), "--hold needs --normal"),
        (board, "learns without labels with --normal WINDOWS"),
    ):
        assert why in refused(*command(folder, "refused", *arguments)), why
    few = refused(*command(folder, "x", "--normal", 3, *whole, scheme="six.toml"))
    assert "--normal 3 is less than the 7 windows of one update" in few
    labels = refused(*command(folder, "x", "--normal", 9, *whole, scheme="labels.toml"))
    assert '--normal needs an autoencoder that learns with loss = "mean_squared_error"' in labels


def test_what_a_board_has_saved_has_one_front_end(folder: Path, host: dict[str, object]) -> None:
    """--normal 0 without --resume: the record in the folder says which."""
    out = folder / "saved"
    out.mkdir()
    (out / "training.json").write_text(json.dumps({**host, "front_end": "spectrogram:bands=9"}))
    judges = ("--auto", "--data", folder / "set", "--normal", 0, "--board", BOARD)
    why = f"set has the front end raw, what {out / 'learned.npz'} has learned from spectrogram:"
    assert why in refused(*command(folder, "saved", *judges))


def test_a_long_watch_is_not_kept_busy_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written grows with the windows: the pause grows with the time that it takes."""
    now, writes = [0.0], []

    def write(*_arguments: object) -> None:
        writes.append(now[0])
        now[0] += 1.0

    monkeypatch.setattr(vigil, "keep", write)
    monkeypatch.setattr(vigil, "time", SimpleNamespace(monotonic=lambda: now[0]))
    seen = [Verdict("watches", 5, False)]
    man = SimpleNamespace(seen=seen, course=Course(1, 1, 1, 0.1), threshold=9, near=None)
    man.see = lambda _x: seen.append(seen[0]) or seen[0]
    one = Vigil(man, None, lambda *_: None, lambda: False, path=Path("learned.npz"))
    for _ in range(1000):
        now[0] += 0.1
        one._see(np.zeros(1, np.int8), lambda *_: None)
    assert writes[0] < 3
    assert len(writes) == 2


def test_a_damaged_run_is_refused(folder: Path, host: dict[str, object]) -> None:
    with np.load(folder / "host" / "learned.npz") as arrays:
        good = dict(arrays)
    rows, path = good["verdicts"], folder / "damaged.npz"
    for verdicts, why in (
        (rows[:, :2], "other verdicts"),
        (rows - 1, "out of range"),
        (rows[::-1], "windows in another order"),
    ):
        np.savez(path, **{**good, "verdicts": verdicts})
        assert why in refused(*auto(folder, "x", "--resume", path))
    np.savez(path, **{k: v for k, v in good.items() if k != "verdicts"})
    assert "is damaged" in refused(*auto(folder, "x", "--resume", path))
