"""The report as one self-contained HTML page, made only from the dict.

This file computes the drawing; page.html, page.css and page.js define the page.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tinyflash.show.report import learning
from tinyflash.show.report.learning import draw_learning
from tinyflash.show.report.memory import memories
from tinyflash.show.words import counted

if TYPE_CHECKING:
    from jinja2 import Environment  # slow: imported only for a page

Fields = dict[str, Any]

# Sizes in the drawings, in units of their view boxes.
WIDTH, HEIGHT = 1200.0, 420.0
CURVE_HEIGHT = 90.0
STREAMED = 3  # width of a streamed run per operation
_LETTER = 8.3  # width of a letter of a buffer's label, of 14 units (page.css)
_LINE = 17.0

KINDS = {
    "input": "input",
    "activation": "activations",
    "kept": "inputs kept for an update",
    "mask": "clip masks",
    "gradient": "gradients",
    "target": "target",
    "scratch": "scratch of kernels",
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


# ---- The page ------------------------------------------------------------------------------------


def as_html(report: Fields) -> str:
    """Returns the whole page."""
    plans = report["plans"]
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            panels=draw_learning(report["training"]) if report["training"] else (),
            panel_width=learning.WIDTH,
            panel_height=learning.HEIGHT,
            drawings=[draw(name, plan) for name, plan in plans.items()],
            memories=memories(report),
            macs={name: sum(o["macs"] for o in p["operations"]) for name, p in plans.items()},
            main_plan=next(iter(plans)),
            kinds=KINDS,
            found_kinds=kinds_in(plans),
            style=part("page.css"),
            script=part("tips.js") + part("page.js"),
        )
    )


def environment(package: str = "tinyflash.show.report") -> Environment:
    """Returns an environment for the templates of a package, which may use those of the report."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    packages = dict.fromkeys((package, "tinyflash.show.report"))
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name, "page") for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        bytes=lambda n: f"{n:,}",
        shape=_shape,
        r=lambda x: f"{x:.6g}",
        millions=_millions,
        counted=counted,
        alive_sum=_alive_sum,
    )
    made.globals.update(width=WIDTH, height=HEIGHT, curve_height=CURVE_HEIGHT)
    return made


def part(name: str, package: str = "tinyflash.show.report") -> str:
    """Returns a part of a page, a style or a script."""
    return (files(package) / "page" / name).read_text(encoding="utf-8")


def kinds_in(plans: Fields) -> set[str]:
    """Returns the kinds of buffers that plans have."""
    return {buffer["kind"] for plan in plans.values() for buffer in plan["buffers"]}


def _alive_sum(plan: Fields) -> str:
    """Returns how the buffers at the peak add up to the bytes in use there (page.js does the same
    for other moments)."""
    call, in_use = plan["peak_call"], plan["in_use_bytes"]
    sizes = [b["bytes"] for b in plan["buffers"] if b["first"] <= call <= b["last"]]
    shared = sum(sizes) - in_use
    text = (
        f"{counted(len(sizes), 'buffer')}: {in_use:,} bytes in use of {plan['arena_bytes']:,} "
        "reserved"
    )
    return text + (f"; {shared:,} bytes are shared by two buffers." if shared else ".")


def _shape(dims: list[int]) -> str:
    """Returns the shape without the batch."""
    return " x ".join(map(str, dims[1:] if dims[:1] == [1] else dims))


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count:,}"
