"""Writes all files of a compilation: the model as C, and the report on it."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.boards.fits import Fit
from tinyflash.compiler import Compiled
from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.write.c import DEFAULT
from tinyflash.write.model import write_model


def write_compilation(
    compiled: Compiled,
    directory: Path,
    fit: Fit | None = None,
    training: Report | None = None,
    name: str = DEFAULT,
) -> None:
    """Writes NAME.c, NAME.h, report.json, .txt and .html, each atomically. training: the learning
    curve of a run."""
    report = make_report(compiled, fit, training)
    write_model(compiled, directory, name)
    files.write_bytes(directory / "report.txt", as_text(report).encode())
    files.write_bytes(directory / "report.html", as_html(report).encode())
    files.write_json(directory / "report.json", report)
