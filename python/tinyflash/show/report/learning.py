"""The learning curve of a run: its figures for the dict of the report, its drawing for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

WIDTH, HEIGHT = 640.0, 150.0  # of a panel, in units of its view box
_MOST = 300  # points of a line
_TICKS = 4
_DISTANCE = 34.0  # between two labels of held-out scores


@dataclass(frozen=True)
class Learning:
    """A training run. Training scores are running means over `window` steps, at every step.

    measure: of held-out samples, "accuracy" in percent or "loss". held_out: steps done and score.
    accuracies: percent; empty if the samples have targets. epoch: steps in one.
    """

    board: str
    measure: str
    window: int
    epoch: int
    losses: Sequence[float]
    accuracies: Sequence[float]
    held_out: Sequence[tuple[int, float]]
    held_out_samples: int


def learning_fields(run: Learning) -> Fields:
    """Returns the curve for the report's dict. Lines have at most 300 points: [step, value]."""
    return {
        "board": run.board,
        "measure": run.measure,
        "window": run.window,
        "epoch": run.epoch,
        "steps": len(run.losses),
        "loss": _thinned(run.losses, run.window),
        "accuracy": _thinned(run.accuracies, run.window) if len(run.accuracies) else None,
        "held_out": [[step, float(f"{score:.6g}")] for step, score in run.held_out],
        "held_out_samples": run.held_out_samples,
    }


def _thinned(values: Sequence[float], window: int) -> list[list[float]]:
    """Returns every n-th value with its step, the last one included. The first are left out: their
    means cover too few steps."""
    first = min(window, len(values)) - 1
    stride = max(1, math.ceil((len(values) - first) / _MOST))
    steps = sorted({*range(len(values) - 1, first - 1, -stride)})
    return [[step + 1, float(f"{values[step]:.6g}")] for step in steps]


# ---- The drawing ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dot:
    """A held-out score. text: empty where labels would overlap."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One diagram over the training steps: a line of training, and dots of held-out samples."""

    title: str
    line: str  # points
    dots: tuple[Dot, ...]
    dotted: str  # points of the line through the dots
    ticks: tuple[tuple[float, str], ...]  # horizontal lines, and their labels
    epochs: tuple[float, ...]  # where each begins, except the first


def draw_learning(training: Fields) -> tuple[Panel, ...]:
    """Returns the panels of a run: accuracy and loss; for targets, held-out loss and training
    loss, whose units may differ."""
    held = training["held_out"]
    if training["measure"] == "accuracy":
        return (
            _panel("accuracy, %", training["accuracy"] or [], held, training, (0.0, 100.0)),
            _panel("training loss", training["loss"], [], training),
        )
    first = (_panel("held-out loss", [], held, training),) if held else ()
    return (*first, _panel("training loss", training["loss"], [], training))


def _panel(
    title: str,
    line: list[list[float]],
    held: list[list[float]],
    training: Fields,
    ends: tuple[float, float] | None = None,
) -> Panel:
    low, high, step = _scale([value for _, value in line + held], ends)
    last = max(1, training["steps"])

    def place(point: list[float]) -> tuple[float, float]:
        share = (min(max(point[1], low), high) - low) / (high - low)
        return WIDTH * point[0] / last, HEIGHT * (1 - share)

    dots = _labelled([(*place(point), _figure(point[1])) for point in held])
    count = round((high - low) / step)
    ticks = [low + i * step for i in range(count + 1)]
    epochs = range(training["epoch"], last, max(1, training["epoch"]))
    return Panel(
        title,
        _points([place(point) for point in line]),
        dots,
        _points([(dot.x, dot.y) for dot in dots]),
        tuple((HEIGHT * (1 - (tick - low) / (high - low)), _figure(tick)) for tick in ticks),
        tuple(WIDTH * epoch / last for epoch in epochs) if len(epochs) <= _MOST // 10 else (),
    )


def _scale(values: list[float], ends: tuple[float, float] | None) -> tuple[float, float, float]:
    """Returns lowest, highest and distance of round ticks. Without `ends`, from 0."""
    low, high = ends or (0.0, max([value for value in values if math.isfinite(value)], default=0))
    if not high > low:
        return low, low + 1.0, 1.0
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= rough * 0.999)
    return low, low + step * math.ceil((high - low) / step - 1e-9), step


def _labelled(places: list[tuple[float, float, str]]) -> tuple[Dot, ...]:
    """Labels the dots: the last one always, the others where there is room."""
    dots: list[Dot] = []
    free = math.inf
    for x, y, text in reversed(places):
        room = free - x >= _DISTANCE
        free = x if room else free
        dots.append(Dot(x, y, text if room else ""))
    return tuple(reversed(dots))


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _figure(value: float) -> str:
    return f"{value:.3g}"
