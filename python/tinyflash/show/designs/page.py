"""The page of `design` as one self-contained HTML text, made only from its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyflash.show.report.page import environment, part

Fields = dict[str, Any]

WIDTH, HEIGHT = 380.0, 260.0  # of a drawing, in units of its view box
_LEFT, _BOTTOM, _TOP, _RIGHT = 46.0, 34.0, 12.0, 14.0
_HERE = "tinyflash.show.designs"
_STEPS = (1, 2, 2.5, 5, 10)
_AXES = (
    ("sram", "SRAM with training, KB", 1024.0),
    ("flash", "flash, KB", 1024.0),
    ("step", "instructions of a training step, millions", 1e6),
)


@dataclass(frozen=True)
class Dot:
    """A network in a drawing. kind: "tried", "front" or "best"."""

    x: float
    y: float
    kind: str
    text: str


@dataclass(frozen=True)
class Mark:
    """A line of an axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Drawing:
    """Accuracy against one cost."""

    name: str
    dots: tuple[Dot, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]


class _Axis:
    """Places numbers between two ends. Marks are at round numbers."""

    def __init__(self, values: Sequence[float], ends: tuple[float, float]) -> None:
        low, high = min(values), max(values)
        spare = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        self._low, self._high, self._ends = max(0.0, low - spare), high + spare, ends

    def at(self, value: float) -> float:
        begin, end = self._ends
        return begin + (end - begin) * (value - self._low) / (self._high - self._low)

    def marks(self) -> tuple[Mark, ...]:
        rough = (self._high - self._low) / 4
        power = 10.0
        while power > rough:
            power /= 10
        while power * 10 <= rough:
            power *= 10
        step = next(step * power for step in _STEPS if step * power >= rough)
        first = int(self._low / step) + 1
        found = [n * step for n in range(first, first + 8) if n * step <= self._high]
        return tuple(Mark(self.at(value), f"{value:g}") for value in found)


def drawings(points: Sequence[Fields]) -> tuple[Drawing, ...]:
    """Returns a drawing for each cost that is known."""
    found = []
    for key, name, unit in _AXES:
        known = [point for point in points if point[key] is not None]
        if known:
            found.append(_drawing(known, key, name, unit))
    return tuple(found)


def _drawing(points: Sequence[Fields], key: str, name: str, unit: float) -> Drawing:
    across = _Axis([point[key] / unit for point in points], (_LEFT, WIDTH - _RIGHT))
    up = _Axis([100 * point["accuracy"] for point in points], (HEIGHT - _BOTTOM, _TOP))
    order = {"tried": 0, "front": 1, "best": 2}
    dots = [
        Dot(
            across.at(point[key] / unit),
            up.at(100 * point["accuracy"]),
            point["kind"],
            _text(point),
        )
        for point in sorted(points, key=lambda point: order[point["kind"]])
    ]
    return Drawing(name, tuple(dots), across.marks(), up.marks())


def _text(point: Fields) -> str:
    step = "" if point["step"] is None else f", {point['step']:,} instructions a step"
    return (
        f"{point['space']}: {100 * point['accuracy']:.1f} % after {point['samples']:,} samples; "
        f"{point['sram']:,} bytes of SRAM, {point['flash']:,} of flash{step}"
    )


def as_html(report: Fields) -> str:
    """Returns the whole page."""
    return (
        environment(_HERE)
        .get_template("designs.html")
        .render(
            report=report,
            drawings=drawings(report["tried"]),
            plot=(WIDTH, HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT),
            style=part("page.css") + part("designs.css", _HERE),
        )
    )
