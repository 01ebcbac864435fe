"""The report as one self-contained HTML page, made only from the dict.

This file computes the drawing; page.html, page.css and page.js define the page.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from tinyflash.show.report import learning
from tinyflash.show.report.learning import draw_learning

Fields = dict[str, Any]

# Sizes in the drawings, in units of their view boxes.
WIDTH, HEIGHT = 1200.0, 420.0
CURVE_HEIGHT = 90.0
STREAMED = 3  # width of a streamed run per operation
_LETTER = 5.9  # width of a letter of a buffer's label
_LINE = 12.0

KINDS = {
    "input": "input",
    "activation": "activations",
    "kept": "inputs kept for an update",
    "mask": "clip masks",
    "gradient": "gradients",
    "target": "target",
}


@dataclass(frozen=True)
class Box:
    """A buffer as a rectangle. `index`: of the buffer in its plan."""

    index: int
    kind: str
    x: float
    y: float
    width: float
    height: float
    label: str
    ring: bool


@dataclass(frozen=True)
class Band:
    """A column of the axis: an operation, or a streamed run. `index`: of the column."""

    index: int
    x: float
    width: float
    streamed: bool


@dataclass(frozen=True)
class Drawing:
    """The drawing of one plan: buffers over time, and above them the bytes in use."""

    name: str
    boxes: tuple[Box, ...]
    bands: tuple[Band, ...]
    curve: str  # points of the outline
    peak_x: float
    backward_x: float | None
    levels: tuple[tuple[float, str], ...]  # horizontal lines, and their labels


class _Axis:
    """The positions of calls from left to right. A column's width is its number of operations; a
    streamed run is several times wider, to show more detail."""

    def __init__(self, columns: list[Fields]) -> None:
        self.firsts: list[int] = [c["first"] for c in columns]
        self.lasts: list[int] = [c["last"] for c in columns]
        self.widths = [len(c["nodes"]) * (1 if _whole(c) else STREAMED) for c in columns]
        self.starts = [sum(self.widths[:i]) for i in range(len(columns))]
        self.unit = WIDTH / max(1, sum(self.widths))

    def x(self, call: int) -> float:
        """Returns where a call begins; after the last call, where it ends."""
        if call <= 0:
            return 0.0
        if call > self.lasts[-1]:
            return WIDTH
        column = bisect_right(self.firsts, call) - 1
        done = call - self.firsts[column]
        share = done / (self.lasts[column] + 1 - self.firsts[column])
        return self.unit * (self.starts[column] + self.widths[column] * share)

    def bands(self, columns: list[Fields]) -> tuple[Band, ...]:
        return tuple(
            Band(i, self.unit * start, self.unit * width, not _whole(columns[i]))
            for i, (start, width) in enumerate(zip(self.starts, self.widths, strict=True))
        )


def _whole(column: Fields) -> bool:
    """Whether a column is one operation, not a streamed run."""
    return len(column["nodes"]) == 1


def draw(name: str, plan: Fields) -> Drawing:
    """Draws one plan of the report."""
    axis, top = _Axis(plan["columns"]), max(1, plan["arena_bytes"])
    backward = plan["phases"].get("backward")
    return Drawing(
        name,
        tuple(_box(i, buffer, axis, top) for i, buffer in enumerate(plan["buffers"])),
        axis.bands(plan["columns"]),
        _outline(plan["filled"], axis, top),
        axis.x(plan["peak_call"]),
        None if backward is None else axis.x(backward),
        _levels(top),
    )


def _box(index: int, buffer: Fields, axis: _Axis, top: int) -> Box:
    x, end = axis.x(buffer["first"]), axis.x(buffer["last"] + 1)
    height = HEIGHT * buffer["bytes"] / top
    y = HEIGHT - HEIGHT * buffer["offset"] / top - height
    name = buffer["name"]
    fits = height >= _LINE and len(name) * _LETTER + 6 <= end - x
    ring = buffer["ring_rows"] is not None
    return Box(index, buffer["kind"], x, y, end - x, height, name if fits else "", ring)


def _outline(filled: list[list[int]], axis: _Axis, top: int) -> str:
    """Returns the points of the area under the curve of bytes in use."""
    points, level = [(0.0, CURVE_HEIGHT)], CURVE_HEIGHT
    for call, nbytes in filled:
        x = axis.x(call)
        points.append((x, level))
        level = CURVE_HEIGHT * (1 - nbytes / top)
        points.append((x, level))
    points += [(WIDTH, level), (WIDTH, CURVE_HEIGHT)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _levels(top: int) -> tuple[tuple[float, str], ...]:
    """Returns four to eight round addresses, in KB."""
    step = 1024
    while top / step > 8:
        step *= 2
    marks = range(0, top, step)
    return tuple((HEIGHT - HEIGHT * mark / top, f"{mark / 1024:g} KB") for mark in marks)


# ---- Totals --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A part of a memory."""

    name: str
    nbytes: int
    text: str


@dataclass(frozen=True)
class Memory:
    """A memory of the board, and its parts. `limit`: None without a board."""

    name: str
    parts: tuple[Part, ...]
    limit: int | None

    @property
    def used(self) -> int:
        return sum(part.nbytes for part in self.parts)

    @property
    def whole(self) -> int:
        """The bytes of the whole bar."""
        return max(self.used, self.limit or 0, 1)


def memories(report: Fields) -> tuple[Memory, Memory]:
    """Returns SRAM and flash with their parts."""
    limits = report["limits"] or {}
    trained = Part("trained", report["trainable_bytes"], "trained weights and biases")
    state = Part("state", report["state_bytes"], "exponents, counters, random numbers")
    model = (Part("arena", report["arena_bytes"], "activations, gradients, masks"), trained, state)
    flash = (
        Part("frozen", report["frozen_bytes"], "frozen weights and biases, tables"),
        Part("start", trained.nbytes + state.nbytes, "initial trained weights and state"),
    )
    return (
        Memory("SRAM", (*model, *_firmware(report, model)), limits.get("sram_bytes")),
        Memory("Flash", flash, limits.get("flash_bytes")),
    )


def _firmware(report: Fields, model: tuple[Part, ...]) -> tuple[Part, ...]:
    """Returns the memory that a board needs in addition to the model; unknown without a board."""
    if report["limits"] is None:
        return ()
    stack = report["limits"]["stack_bytes"]
    rest = report["sram_bytes"] - stack - sum(part.nbytes for part in model)
    return (
        Part("firmware", rest, "library, link, buffers"),
        Part("stack", stack, "reserved" + _deepest(report)),
    )


def _deepest(report: Fields) -> str:
    deepest = report["firmware_stack_bytes"]
    return "" if deepest is None else f"; {deepest:,} at worst"


# ---- The page ------------------------------------------------------------------------------------


def as_html(report: Fields) -> str:
    """Returns the whole page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # slow: import only for a page

    environment = Environment(
        loader=PackageLoader("tinyflash.show.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        bytes=lambda n: f"{n:,}", shape=_shape, r=lambda x: f"{x:.6g}", millions=_millions
    )
    environment.globals.update(width=WIDTH, height=HEIGHT, curve_height=CURVE_HEIGHT)
    plans, folder = report["plans"], files("tinyflash.show.report") / "page"
    return environment.get_template("page.html").render(
        report=report,
        panels=draw_learning(report["training"]) if report["training"] else (),
        panel_width=learning.WIDTH,
        panel_height=learning.HEIGHT,
        drawings=[draw(name, plan) for name, plan in plans.items()],
        memories=memories(report),
        macs={name: sum(o["macs"] for o in p["operations"]) for name, p in plans.items()},
        main_plan=next(iter(plans)),
        kinds=KINDS,
        found_kinds={buffer["kind"] for plan in plans.values() for buffer in plan["buffers"]},
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script=(folder / "page.js").read_text(encoding="utf-8"),
    )


def _shape(dims: list[int]) -> str:
    """Returns the shape without the batch."""
    return " x ".join(map(str, dims[1:] if dims[:1] == [1] else dims))


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count:,}"
