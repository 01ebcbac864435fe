"""The loop of what is normal: windows of a sensor or of a set, verdicts, files, the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from tinyflash.cli.lesson import END, Eyes
from tinyflash.cli.stopping import Stop
from tinyflash.errors import LinkError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.session import Int8Array
from tinyflash.show.console import say
from tinyflash.show.live import LiveView
from tinyflash.training.live.judged import Windows, keep
from tinyflash.training.live.normal import Verdict, Watchman
from tinyflash.training.live.telling_normal import NormalTeller

_KEEP_S = 2.0  # between two files, so that kill -9 loses no more
_KEEP_SHARE = 0.02  # of the time, at most: what is written grows for as long as it watches
_POLL_S = 0.03
Show = Callable[[int, str], None]


@dataclass
class Vigil:
    """Watches a stream. judge: windows to judge, then it ends; 0: all. saves: whether the board
    saves its threshold. path: learned.npz; None: nothing new is learned."""

    man: Watchman
    windows: Windows | None
    tell: NormalTeller
    stop: Stop
    judge: int = 0
    saves: bool = False
    path: Path | None = None

    def __post_init__(self) -> None:
        self._due, self._was_abnormal, self._judged = time.monotonic() + _KEEP_S, False, 0

    @property
    def is_done(self) -> bool:
        return 0 < self.judge <= self._judged

    def hold(self, source: Iterator[Int8Array], show: Show) -> LinkError | None:
        """Goes on until the stream or the user ends it. Returns why the board does not answer."""
        try:
            self._save_threshold()  # of a run that ended between threshold and saving
            while not (self.stop() or self.is_done) and (x := next(source, None)) is not None:
                self._see(x, show)
        except LinkError as error:
            return error
        return None

    def _see(self, x: Int8Array, show: Show) -> None:
        verdict, man = self.man.see(x), self.man
        self.tell(x, verdict)
        show(len(man.seen), self.note)
        self._judged += verdict.abnormal is not None
        self._say_change(verdict)
        is_set = len(man.seen) == man.course.windows
        if is_set:
            rank, held = man.course.rank, man.course.hold
            say(f"the threshold is {man.threshold:,}, score {rank} of {held:,} windows")
        if is_set or time.monotonic() > self._due:
            self.keep()
        if is_set:
            self._save_threshold()

    def keep(self) -> None:
        """Writes what has been learned so far, from this computer: no board is asked."""
        began = time.monotonic()
        if self.path is not None and self.man.seen:
            keep(self.man, self.windows, self.path)
        now = time.monotonic()
        self._due = now + max(_KEEP_S, (now - began) / _KEEP_SHARE)

    def _say_change(self, verdict: Verdict) -> None:
        if verdict.abnormal is None or verdict.abnormal == self._was_abnormal:
            return
        self._was_abnormal = verdict.abnormal
        word = "abnormal" if verdict.abnormal else "normal again"
        number, threshold = len(self.man.seen), self.man.threshold
        click.echo(f"window {number:,}: {word}, score {verdict.score:,}, threshold {threshold:,}")

    def _save_threshold(self) -> None:
        man, is_set = self.man, len(self.man.seen) >= self.man.course.windows > 0
        if self.saves and is_set and isinstance(man.session, DeviceSession):
            saved = man.session.save()
            say(f"the board has saved what it has learned, as record {saved.number}")

    @property
    def note(self) -> str:
        """What it does, for the line below the bar or the signal."""
        man, done = self.man, len(self.man.seen)
        if not done:
            return f"{man.phase}; no window yet"
        newest, of = man.seen[-1], man.course.windows
        if newest.abnormal is None:
            return f"{newest.phase}: {done:,} of {of:,} windows, score {newest.score:,}"
        word = "abnormal" if newest.abnormal else "normal"
        return f"{word}: score {newest.score:,}, threshold {man.threshold:,}"


def windows_of(vigil: Vigil, eyes: Eyes, typed: Callable[[], str]) -> Iterator[Int8Array]:
    """Yields the windows of a sensor in the order of time, until q, a signal, or its end."""
    info = eyes.feed.progress.info
    say(f"{info.name}: {info.rate:g} frames of {list(info.shape)} per second")
    with LiveView(info.name, f"{END} ends") as view:
        while not (vigil.stop() or eyes.feed.is_over):
            found = eyes.all()
            for x in found:
                yield x
                view.update(eyes.feed.progress, vigil.note)
            if END in typed():
                break
            view.update(eyes.feed.progress, vigil.note)
            if not found:
                time.sleep(_POLL_S)
    with suppress(LinkError):
        eyes.feed.stop()
