"""The page of `data check`: three lists, and suspicious spans drawn over their recordings.

Imports jinja2 and matplotlib only when it writes: these imports are slower than all others.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from tinyflash.data.check.findings import Findings, Span
from tinyflash.data.dataset import Dataset
from tinyflash.data.shards import read, runs
from tinyflash.show.plots import INK, ORANGE, SOFT, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12  # recordings that are drawn
_ROWS = 100  # of a table
_SAID = 8  # spans in the text of a drawing
_WHAT = {
    "windows": "Single windows that the network does not believe.",
    "segments": "A few windows in a row: the label begins too early, or ends too late.",
    "recordings": "Most windows of a recording: it has the wrong label as a whole.",
}


def as_html(dataset: Dataset, found: Findings) -> str:
    """Returns a self-contained page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("tinyflash.show", "labels")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        title=f"Labels of {dataset.folder.name}",
        windows=len(found.scores),
        flagged=int(found.flagged.sum()),
        lists=[_list(name, getattr(found, name)) for name in _WHAT],
        drawings=_drawings(dataset, found.windows),
    )


def _list(name: str, spans: Sequence[Span]) -> dict[str, object]:
    return {"name": name, "what": _WHAT[name], "count": len(spans), "spans": spans[:_ROWS]}


def _drawings(dataset: Dataset, spans: Sequence[Span]) -> list[dict[str, str]]:
    """Draws the recordings with the most suspicious windows; pictures are not drawn."""
    if len(dataset.frames.shape) != 1:
        return []
    names = list(dict.fromkeys(span.recording for span in spans))[:_MOST]
    return [_drawing(dataset, name, [s for s in spans if s.recording == name]) for name in names]


def _drawing(dataset: Dataset, name: str, spans: Sequence[Span]) -> dict[str, str]:
    parts = (
        f"{one.first} to {one.last}: {one.given}, likely {one.likely}" for one in spans[:_SAID]
    )
    png = base64.b64encode(_drawn(dataset, name, spans)).decode()
    return {"name": name, "said": "; ".join(parts), "png": png}


def _drawn(dataset: Dataset, name: str, spans: Sequence[Span]) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    track, rate = read(dataset, dataset.recording(name)), dataset.frames.rate or 1.0
    content = BytesIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.2), layout="constrained")
        axis = figure.subplots()
        for begin, end in runs(track.numbers):
            values = dataset.frames.real(track.frames[begin:end])
            axis.plot(track.numbers[begin:end] / rate, values, color=INK, linewidth=0.5, alpha=0.6)
        for one in spans:
            _mark(axis, one, rate)
        axis.set_xlabel("seconds" if dataset.frames.rate else "frames", color=SOFT)
        figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _mark(axis: Axes, one: Span, rate: float) -> None:
    left, right = one.first / rate, (one.last + 1) / rate
    axis.axvspan(left, right, color=ORANGE, alpha=0.25, linewidth=0)
    text, above = f" {one.given}, likely {one.likely}", axis.get_xaxis_transform()
    axis.text(left, 1.0, text, color=ORANGE, fontsize=8, transform=above, va="top")
