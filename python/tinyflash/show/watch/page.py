"""The page of a watched command: one HTML text that needs nothing else. Its drawings of memory are
those of report.html; news come later, and watch.js draws them."""

from __future__ import annotations

from typing import Any

from tinyflash.show.plots import WINDOW
from tinyflash.show.report.memory import memories
from tinyflash.show.report.page import KINDS, draw, environment, kinds_in, part

Fields = dict[str, Any]

_HERE = "tinyflash.show.watch"


def as_html(report: Fields | None, version: int = 0) -> str:
    """Returns the page. report: of the compilation, for its memory; None: not known yet. version:
    of this page, as the news have it."""
    fuller = report["fuller"] if report else ""
    plans = {fuller: report["plans"][fuller]} if report else {}
    return (
        environment(_HERE)
        .get_template("watch.html")
        .render(
            report=report,
            plans=plans,
            version=version,
            window=WINDOW,
            memories=memories(report) if report else (),
            map=draw(fuller, plans[fuller]) if report else None,
            kinds=KINDS,
            found_kinds=kinds_in(plans),
            style=part("page.css") + part("watch.css", _HERE),
            script=part("tips.js") + part("watch.js", _HERE),
        )
    )
