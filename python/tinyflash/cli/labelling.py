"""Labels while `tinyflash collect` runs: keys and buttons, the live view, the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from tinyflash.cli.stopping import Stop
from tinyflash.data.collecting.recorder import Controls, Progress
from tinyflash.data.collecting.stream import WindowStream
from tinyflash.data.intake.files import written
from tinyflash.show.live import LiveView
from tinyflash.show.watch.observer import NOBODY, Observer, Signal, Teaching
from tinyflash.show.watch.presses import Press, Presses
from tinyflash.show.words import counted

NO_LABEL = "no label"
_END = "q"  # the key
_WHAT = "A button labels the frames from now on; the number is that of its frames so far."


class Labels:
    """The label of the moment. choices: what keys 1 to 9 choose, and buttons of the page; 0, and
    the button after them, choose none."""

    def __init__(self, first: str, choices: Sequence[str]) -> None:
        if len(choices) > 9:
            raise click.BadParameter(f"{len(choices)} classes for 9 keys.", param_hint="--labels")
        self.now, self.choices = first, tuple(choices)

    def press(self, key: str) -> None:
        if key == "0":
            self.now = ""
        elif key.isdecimal() and 0 < int(key) <= len(self.choices):
            self.now = self.choices[int(key) - 1]

    def take(self, press: Press) -> None:
        """Takes a button of the page."""
        if press.label is not None:
            self.now = self.choices[press.label] if press.label < len(self.choices) else ""

    @property
    def hint(self) -> str:
        named = [f"{number} {name}" for number, name in enumerate(self.choices, 1)]
        return ", ".join([*named, *(["0 no label"] if named else []), f"{_END} ends"])


def names_of(labels: str) -> tuple[str, ...]:
    """Returns the classes that an option like `walking, sitting` names."""
    return tuple(written(name.strip()) for name in labels.split(",") if name.strip())


class Watch:
    """What happens while frames come: keys, the live view, windows, the page."""

    def __init__(
        self,
        labels: Labels,
        stop: Stop,
        typed: Callable[[], str],
        windows: WindowStream | None,
        observer: Observer = NOBODY,
        presses: Presses | None = None,
    ) -> None:
        self._observer, self._presses = observer, presses or Presses()
        self._counts = [0] * (len(labels.choices) + 1)
        self.labels, self.stop, self._typed, self._windows = labels, stop, typed, windows
        self._is_over = False
        self.view = LiveView("", labels.hint)

    def controls(self) -> Controls:
        return Controls(lambda: self._is_over or self.stop(), lambda: self.labels.now, self.listen)

    def listen(self, now: Progress) -> None:
        for key in self._typed():
            self.labels.press(key)
            self._is_over = self._is_over or key == _END
        for press in self._presses.take():
            self.labels.take(press)
        note = ""
        if self._windows is not None:
            if len(now.newest):
                self._windows.push(now.first, now.newest)
            note = counted(self._windows.count, "window")
        self.view.update(now, note)
        self._tell(now)
        self._tell_labels(now)

    def _tell(self, now: Progress) -> None:
        """Tells the page. Frames of several axes, pictures, are not drawn."""
        info, frames = now.info, now.newest
        text = f"{info.name}; label: {now.label or 'none'}"
        unit = info.units[0] if len(set(info.units)) == 1 else ""
        if len(frames) and len(info.shape) == 1:
            self._observer.frames(
                Signal(frames, info.names, info.rate, info.scale, 0.0, unit, text)
            )
        self._observer.counters(
            {
                "frames kept": now.kept,
                "frames on the disk": now.safe,
                "frames lost": now.lost,
                "gaps of this recording": len(now.gaps),
                "link cuts": now.cuts,
                "link": "connected" if now.is_connected else "lost; trying again",
                "recording": now.recording,
                "label": now.label or "none",
            }
        )

    def _tell_labels(self, now: Progress) -> None:
        """Tells the page what may be chosen, and how many frames have each label."""
        choices = self.labels.choices
        if not choices:
            return
        if now.label in choices or not now.label:
            place = choices.index(now.label) if now.label else len(choices)
            self._counts[place] += len(now.newest)
        note = f"label: {self.labels.now or NO_LABEL}"
        self._observer.teaching(Teaching(tuple(self._counts), _WHAT, note))


def cut_into(window: int | None, hop: int | None) -> WindowStream | None:
    """Raises UsageError if there is a hop without a window."""
    if window is None:
        if hop is not None:
            raise click.UsageError("--hop needs --window.")
        return None
    return WindowStream(window, hop or max(1, window // 2))
