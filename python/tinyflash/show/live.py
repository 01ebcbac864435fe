"""A sensor in the terminal, live: a sparkline per channel, rate, gaps, the label."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tinyflash.data.collecting.recorder import Progress
from tinyflash.show.console import QUIET, output, table

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 60  # of a sparkline
_BESIDE = 62  # columns of all others
_SPAN_S = 4.0  # that it shows
_CHANNELS = 12
_PER_SECOND = 8  # updates


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """Returns a bar for each value, from the lowest to the highest of `low` to `high`."""
    span = (high - low) or 1.0
    levels = (round((value - low) / span * (len(_BARS) - 1)) for value in values)
    return "".join(_BARS[min(max(level, 0), len(_BARS) - 1)] for level in levels)


class LiveView:
    """Shows progress until its end, if standard error is a terminal and may be used. hint: what
    keys do."""

    def __init__(self, title: str, hint: str = "") -> None:
        self._title, self._hint = title, hint
        self._console = output(stderr=True, markup=False)
        self._recent = np.zeros((0, 1))
        self._points = min(max(self._console.width - _BESIDE, 8), _POINTS)
        self._live: Live | None = None
        self._shown = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal and not QUIET.get():
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def update(self, now: Progress, note: str = "") -> None:
        """Takes the newest frames, and shows them a few times per second. note: one more line."""
        if self._live is None:
            return
        self._keep(now)
        moment = time.monotonic()
        if moment - self._shown >= 1 / _PER_SECOND or not now.is_connected:
            self._shown = moment
            self._live.update(self.picture(now, note), refresh=True)

    def _keep(self, now: Progress) -> None:
        """Keeps what the sparklines show: every so many frames one, the first numbers of it."""
        count, each = len(now.newest), math.prod(now.newest.shape[1:])  # there may be none
        frames = now.newest.reshape(count, each)[:, :_CHANNELS]
        step = max(1, round(now.info.rate * _SPAN_S / self._points))
        kept = frames[-(-now.first // step) * step - now.first :: step] if len(frames) else frames
        if self._recent.shape[1] != frames.shape[1]:
            self._recent = np.zeros((0, frames.shape[1]))
        self._recent = np.concatenate([self._recent, kept * now.info.scale])[-self._points :]

    def picture(self, now: Progress, note: str) -> Group:
        """Returns what is shown."""
        shown = min(self._recent.shape[1], _CHANNELS)
        rows = table(self._title, "channel", "", ">now", ">lowest", ">highest", "unit")
        for channel in range(shown if len(self._recent) else 0):
            self._add(rows, now, channel)
        lines = [self._state(now), *([note] if note else []), *([self._hint] if self._hint else [])]
        return Group(rows, *(Text(line) for line in lines))

    def _add(self, rows: Table, now: Progress, channel: int) -> None:
        values = self._recent[:, channel]
        low, high = float(values.min()), float(values.max())
        name = now.info.names[channel] if now.info.names else str(channel)
        unit = now.info.units[channel] if now.info.units else ""
        numbers = (f"{float(values[-1]):.4g}", f"{low:.4g}", f"{high:.4g}")
        rows.add_row(Text(name), sparkline(values.tolist(), low, high), *numbers, Text(unit))

    def _state(self, now: Progress) -> str:
        if not now.is_connected:
            return f"the link is lost; waiting for the board ({now.kept:,} frames are safe)"
        rate = now.next / now.seconds if now.seconds else 0.0
        label = now.label or "no label"
        lost = f", {now.lost:,} lost in {len(now.gaps)} gaps" if now.lost else ", none lost"
        return f"{now.recording}: {label}; {now.kept:,} frames, {rate:.1f} per second{lost}"
