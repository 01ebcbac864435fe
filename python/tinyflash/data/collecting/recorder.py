"""Collects frames of a sensor into a set: each is on the disk before the board is told so.

A run of the sensor is a recording. When the link is lost, it is opened again; frames that the board
had to drop meanwhile are a gap of the recording. A board that has restarted begins another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyflash.data import shards, text
from tinyflash.data.collecting.source import Source
from tinyflash.data.dataset import DESCRIPTION, Dataset, Frames
from tinyflash.data.intake.files import fitting
from tinyflash.data.intake.recorded import Recorded, recording_name
from tinyflash.data.journal import SUFFIX, Journal
from tinyflash.data.opened import opened
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device.link import RefusedError
from tinyflash.runtime.device.sensor import Numbers, Packet, RemoteSensor, SensorInfo

_POLL_S = 0.03  # between two requests, when there is nothing more
_SYNC_S = 0.25  # between two waits for the disk
_RETRY_S = 0.2  # between two attempts to open a link
_MOST_FAILURES = 20  # in a row, of a link that opens: the board answers nonsense
_NOT_COLLECTING = 24  # the status


@dataclass(frozen=True)
class Plan:
    """What to collect. seconds: of frames; None: until stopped. name: of the recordings, which a
    number makes unique. wait: seconds for a lost link to come back. classes:
    the set has them first, in this order, whether or not there are frames of them. front_end: what
    the network on the board has learned from; None: it is not known."""

    name: str
    seconds: float | None = None
    subject: str = ""
    session: str = ""
    source: str = ""
    wait: float = 60.0
    classes: tuple[str, ...] = ()
    front_end: str | None = None


@dataclass
class Progress:
    """How far it is. gaps: first frame that is lost, first that is not, in the recording so far.

    kept: frames on the disk or on their way, of all recordings. newest: the last frames that came.
    seconds: by the board's clock, since this recording's start. next: the board's next frame.
    """

    info: SensorInfo
    label: str
    recording: str = ""
    kept: int = 0
    safe: int = 0  # frames that the board was told to be on the disk, of all recordings
    gaps: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0  # in the gaps of all recordings
    lost_by_board: int = 0  # as the board counts them, of all its runs
    newest: Numbers = field(default_factory=lambda: np.zeros((0, 1), np.int16))
    first: int = 0  # the number of the first of `newest`
    seconds: float = 0.0
    next: int = 0
    cuts: int = 0  # of the link
    is_connected: bool = True
    recordings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Controls:
    """What the user does meanwhile. stopped: whether to end. label: the label from now on. listen:
    is called with the progress, several times per second; after a packet, `newest` is of it."""

    stopped: Callable[[], bool] = lambda: False
    label: Callable[[], str] = lambda: ""
    listen: Callable[[Progress], None] = lambda _progress: None


def frames_of(info: SensorInfo) -> Frames:
    """Returns what a set says of a sensor's frames."""
    return Frames(info.shape, info.rate, info.names, info.units, info.scale, info.front_end)


def prepared(folder: Path, info: SensorInfo, classes: tuple[str, ...] = ()) -> Dataset:
    """Returns the set in a folder, saved, which is made if it is new. Raises DataError if its
    frames are of another kind."""
    there = (folder / DESCRIPTION).exists()
    dataset = opened(folder, mine=True) if there else Dataset(folder, frames_of(info))
    nothing = np.zeros((0, *info.shape), np.int16)
    about = Recorded(Path(info.name), frames_of(info), nothing, np.zeros(0, np.int64), classes)
    dataset = fitting(dataset, about)
    text.save(dataset)
    return dataset


class Recorder:
    """Fills a set from a source. folder: of the set, whose lock the caller holds."""

    def __init__(self, folder: Path, source: Source, plan: Plan, controls: Controls) -> None:
        self._source, self._plan, self._controls = source, plan, controls
        self._sensor: RemoteSensor = source.connect()
        if plan.front_end not in (None, found := self._sensor.info.front_end):
            raise DataError(
                f"the sensor has the front end {found!r}, and the network on its board has learned "
                f"from {plan.front_end!r}; build firmware with --features {plan.front_end}"
            )
        self.progress = Progress(self._sensor.info, controls.label())
        first = controls.label()
        classes = (*plan.classes, *([first] if first else []))
        self.dataset = prepared(folder, self._sensor.info, classes)
        self._board_lost = 0  # in earlier runs
        rate, seconds = self._sensor.info.rate, plan.seconds
        self._frames = None if seconds is None else max(1, round(seconds * rate))

    def run(self) -> Progress:
        """Collects until all frames are there, the sensor has ended, or the user stops. Raises
        LinkError if the board does not come back, DataError if the disk is full: what was
        acknowledged is in the set then."""
        while not self._is_done() and not self._controls.stopped():
            if not self._record():
                break
        return self.progress

    def _is_done(self) -> bool:
        return self._frames is not None and self.progress.kept >= self._frames

    def _record(self) -> bool:
        """Records one run of the sensor. Returns whether another one may follow."""
        now, plan = self.progress, self._plan
        now.info = self._sensor.start()
        now.recording = recording_name(Path(f"{plan.name}.x"), self._taken())
        now.gaps, now.next, now.seconds = [], 0, 0.0
        self._board_lost = now.lost_by_board
        path = self.dataset.folder / shards.FOLDER / f"{now.recording}.000000{SUFFIX}"
        about = (now.recording, plan.subject, plan.session, plan.source)
        try:
            with Journal(path, now.info.shape, about, now.info.run) as journal:
                has_restarted = _Run(self, journal).fill()
        finally:
            self._list(path)
        return has_restarted

    def _taken(self) -> set[str]:
        """Returns the names of recordings, and of files that a process has left when it was killed
        before the first frame."""
        left = (self.dataset.folder / shards.FOLDER).glob(f"*.000000{SUFFIX}")
        files = {path.name.removesuffix(f".000000{SUFFIX}") for path in left}
        return files | {one.name for one in self.dataset.recordings}

    def _list(self, path: Path) -> None:
        """Lists the journal, unless it has no frame. A full disk leaves it to the next command."""
        try:
            grown = shards.adopted(self.dataset, path.name)
        except (DataError, ValueError, KeyError):
            path.unlink(missing_ok=True)
            return
        self.dataset = grown
        self.progress.recordings.append(self.progress.recording)
        with suppress(DataError):
            text.save(grown)


class _Run:
    """One run of the sensor."""

    def __init__(self, recorder: Recorder, journal: Journal) -> None:
        self._of, self._journal = recorder, journal
        self._now, self._controls = recorder.progress, recorder._controls
        self._wanted = self._safe = 0  # numbers of frames
        self._before = recorder.progress.kept
        self._count = 0
        self._synced = time.monotonic()

    def fill(self) -> bool:
        """Returns whether the board has restarted, which ends its run."""
        self._now.label = self._controls.label()
        self._journal.label(0, self._now.label)
        failures = 0
        while not self._is_complete() and not self._controls.stopped():
            self._take_label()
            try:
                packet = self._of._sensor.stream(self._wanted, self._safe)
            except LinkError as error:
                failures += 1
                if failures > _MOST_FAILURES or self._is_refusal(error):
                    raise
                if not self._reconnect(error):
                    self._sync()
                    return not self._controls.stopped()
                continue
            failures = 0
            self._take(packet)
            self._controls.listen(self._now)
            if self._wanted == packet.next:
                time.sleep(_POLL_S)
        self._sync()
        with suppress(LinkError):
            self._of._sensor.stream(self._wanted, self._safe)
            self._of._sensor.stop()
        return False

    def _is_complete(self) -> bool:
        length = self._now.info.length
        return self._of._is_done() or bool(length and self._wanted >= length)

    @staticmethod
    def _is_refusal(error: LinkError) -> bool:
        return isinstance(error, RefusedError) and error.status != _NOT_COLLECTING

    def _take_label(self) -> None:
        label = self._controls.label()
        if label != self._now.label:
            self._now.label = label
            self._journal.label(self._now.next, label)

    def _take(self, packet: Packet) -> None:
        now, frames = self._now, packet.frames
        if packet.first > self._wanted:
            now.gaps.append((self._wanted, packet.first))
            now.lost += packet.first - self._wanted
            self._wanted = packet.first
        if self._of._frames is not None:
            frames = frames[: self._of._frames - now.kept]
        if len(frames):
            self._journal.frames(packet.first, frames, packet.seconds)
        self._wanted += len(frames)
        self._count += len(frames)
        now.kept = self._before + self._count
        now.newest, now.first, now.next = frames, packet.first, packet.next
        now.seconds = packet.seconds
        now.lost_by_board = self._of._board_lost + packet.lost
        if time.monotonic() - self._synced > _SYNC_S:
            self._sync()

    def _sync(self) -> None:
        self._journal.sync()
        self._safe, self._synced = self._wanted, time.monotonic()
        self._now.safe = self._before + self._count

    def _reconnect(self, error: LinkError) -> bool:
        """Opens the link again. Returns whether the run goes on: the board has not restarted."""
        now, source = self._now, self._of._source
        now.cuts, now.is_connected, now.newest = now.cuts + 1, False, now.newest[:0]
        self._sync()
        end = time.monotonic() + self._of._plan.wait
        while not self._controls.stopped():
            self._controls.listen(now)
            if (reason := source.gone()) is not None:
                raise LinkError(reason)
            try:
                self._of._sensor = source.connect()
                now.is_connected = True
                info = self._of._sensor.info
                return info.running and info.run == now.info.run
            except LinkError:
                if time.monotonic() > end:
                    raise error from None
                time.sleep(_RETRY_S)
        return False
