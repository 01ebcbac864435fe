r"""Collecting from an emulated board: what its sensor gave is in the set, and what is not is a gap.

    ./run test tests/firmware/test_collecting.py --collect-seconds 600 --collect-rate 100 \
        --collect-cuts 20 --collect-kills 50 -s

collects for ten minutes in real time, cuts the link 20 times, and kills the host 50 times.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.cutting import CutLine
from tests.support.firmware import MODEL

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.replay import Replay, write_replay
from tinyflash.data.collecting.recorder import Controls, Plan, Progress, Recorder
from tinyflash.data.collecting.source import Source
from tinyflash.data.dataset import Dataset, load
from tinyflash.data.opened import opened
from tinyflash.data.shards import damaged, read
from tinyflash.errors import TinyflashWarning
from tinyflash.runtime.device import DeviceSession

BOARD = load_board("qemu_stm32f405")
CHANNELS = 6
RING = 4096  # bytes
ROOM = RING // (2 * CHANNELS)  # frames
KEY = bytes(range(16))


@pytest.fixture(scope="module")
def seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--collect-seconds"))


@pytest.fixture(scope="module")
def rate(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--collect-rate"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(MODEL, BOARD, tmp_path_factory.mktemp("image"), collect=RING)


def values(numbers: np.ndarray) -> np.ndarray:
    """Every frame of the sensor is another one."""
    return (numbers[:, np.newaxis] * np.array([1, 3, 5, 7, 11, 13]) + 77).astype(np.int16)


@pytest.fixture
def emulator(image: Path, seconds: float, rate: float, tmp_path: Path) -> Iterator[Emulator]:
    """A board whose sensor ends long after the test."""
    frames = values(np.arange(int(4 * rate * (seconds + 60))))
    replay = Replay("counter", frames, rate, 0.5, [f"c{n}" for n in range(6)], ["g"] * 6)
    write_replay(tmp_path / "board", replay)
    with Emulator(BOARD, image, sensor=tmp_path / "board") as running:
        yield running


def check(dataset: Dataset, gaps: list[tuple[int, int]] | None = None) -> int:
    """Each frame of each recording is the sensor's of this number, once. Returns how many.
    gaps: what the one recording has."""
    assert damaged(dataset) == []
    total = 0
    for recording in dataset.recordings:
        track = read(dataset, recording)
        assert (np.diff(track.numbers) > 0).all()
        assert np.array_equal(track.frames, values(track.numbers))
        total += len(track.numbers)
        if gaps is not None:
            jumps = np.flatnonzero(np.diff(track.numbers) != 1)
            found = [(int(track.numbers[j]) + 1, int(track.numbers[j + 1])) for j in jumps]
            assert ([(0, int(track.numbers[0]))] if track.numbers[0] else []) + found == gaps
    return total


def test_no_frame_is_lost_or_doubled_in_real_time(
    emulator: Emulator, seconds: float, rate: float, tmp_path: Path
) -> None:
    frames = round(seconds * rate)
    told: list[tuple[float, int, float]] = []

    def listen(now: Progress) -> None:
        told.append((time.monotonic(), now.next, now.seconds))

    with Source(emulator.url, gone=emulator.why_dead) as source:
        controls = Controls(label=lambda: "walking", listen=listen)
        now = Recorder(tmp_path / "set", source, Plan("walk", frames / rate), controls).run()
    assert (now.kept, now.safe, now.lost, now.cuts, now.gaps) == (frames, frames, 0, 0, [])
    assert check(load(tmp_path / "set"), []) == frames
    (recording,) = load(tmp_path / "set").recordings
    assert recording.end == frames
    host = (told[-1][1] - told[0][1]) / (told[-1][0] - told[0][0])
    board = (told[-1][1] - told[0][1]) / (told[-1][2] - told[0][2])
    print(f"{frames} frames; {host:.4g} per second of the host, {board:.6g} of the board's clock")
    late = 0.2 / (told[-1][0] - told[0][0])  # of the first or the last packet
    assert host == pytest.approx(rate, rel=0.01 + late)
    assert board == pytest.approx(rate, rel=0.01 + late)


class Cutter(threading.Thread):
    """Cuts and restores a line, each time some frames after it was restored; in turns for a moment
    and for longer than the board's ring lasts."""

    def __init__(self, line: CutLine, cuts: int, seconds: float, rate: float) -> None:
        super().__init__(daemon=True)
        self._line, self._cuts, self._random = line, cuts, Random(0)
        self._apart, self._lasts = seconds * rate / cuts, ROOM / rate
        self.now: Progress | None = None

    def run(self) -> None:
        for number in range(self._cuts):
            self._await(self._random.uniform(0.5, 1.0) * self._apart)
            self._line.cut()
            time.sleep(self._lasts * (self._random.uniform(1.2, 2.5) if number % 2 else 0.2))
            self._line.restore()
        self._await(self._apart)

    def _await(self, frames: float) -> None:
        while self.now is None or not self.now.is_connected:
            time.sleep(0.01)
        end = self.now.kept + frames
        while self.now.kept < end:
            time.sleep(0.01)

    def listen(self, now: Progress) -> None:
        self.now = now


def test_every_gap_is_reported_exactly(
    emulator: Emulator, seconds: float, rate: float, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cuts = request.config.getoption("--collect-cuts")
    with CutLine(emulator.url) as line, Source(line.url, gone=emulator.why_dead) as source:
        cutter = Cutter(line, cuts, seconds, rate)
        controls = Controls(lambda: not cutter.is_alive(), listen=cutter.listen)
        recorder = Recorder(tmp_path / "set", source, Plan("walk"), controls)
        cutter.start()
        now = recorder.run()
    assert now.cuts >= cuts
    assert len(now.gaps) >= cuts // 2
    assert now.lost == now.lost_by_board == sum(end - first for first, end in now.gaps)
    assert check(load(tmp_path / "set"), now.gaps) == now.kept == now.safe
    (recording,) = load(tmp_path / "set").recordings
    assert recording.missing == now.lost
    print(f"{now.cuts} cuts, {len(now.gaps)} gaps, {now.lost} lost of {now.kept + now.lost}")


COLLECT = """
import sys
from pathlib import Path
from tinyflash.data.collecting.recorder import Controls, Plan, Recorder
from tinyflash.data.collecting.source import Source
with Source(sys.argv[1]) as source:
    controls = Controls(label=lambda: "x")
    recorder = Recorder(Path(sys.argv[2]), source, Plan("walk"), controls)
    print("ready", flush=True)
    recorder.run()
"""


def test_the_set_can_be_read_after_kill_9_at_any_moment(
    emulator: Emulator, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills, random = request.config.getoption("--collect-kills"), Random(5)
    folder = tmp_path / "set"
    for _ in range(kills):
        command = [sys.executable, "-c", COLLECT, emulator.url, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0, 1.0))
            assert process.poll() is None
            os.kill(process.pid, signal.SIGKILL)
        with DeviceSession(emulator.url) as device:
            acknowledged = device.sensor().info.acknowledged
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TinyflashWarning)  # shards that are not listed
            dataset = opened(folder)
        check(dataset)
        newest = dataset.recordings[-1] if dataset.recordings else None
        assert acknowledged == 0 or (newest is not None and newest.end >= acknowledged)
    assert math.isclose(len(dataset.recordings), kills, abs_tol=kills // 2)
