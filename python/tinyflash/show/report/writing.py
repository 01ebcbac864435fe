"""Writes all files of a compilation: the model as C, and the report on it."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.boards import Board
from tinyflash.boards.firmware import FirmwareSize
from tinyflash.boards.fits import Fit
from tinyflash.boards.stale import report_of
from tinyflash.compiler import Compiled
from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.write.model import write_model

COMPILATION = ("model.c", "model.h", "report.txt", "report.html", "report.json")


def write_compilation(compiled: Compiled, directory: Path, fit: Fit | None = None) -> None:
    """Writes the files of COMPILATION, each atomically."""
    report = make_report(compiled, fit)
    write_model(compiled, directory)
    _write(report, directory)


def add_image(directory: Path, board: Board, size: FirmwareSize) -> None:
    """Adds what a linked image takes to the report of its folder. A report that is missing, of
    another board or not what this version writes stays as it is."""
    report = report_of(directory)
    if report.get("board") != board.name:
        return
    image = {"flash_bytes": size.flash_bytes, "sram_bytes": size.sram_bytes}
    report = {**report, "linked": image}
    try:
        as_text(report), as_html(report)
    except Exception:  # a report of another version can provoke any of a dozen exceptions
        return
    _write(report, directory)


def _write(report: Report, directory: Path) -> None:
    files.write_bytes(directory / "report.txt", as_text(report).encode())
    files.write_bytes(directory / "report.html", as_html(report).encode())
    files.write_json(directory / "report.json", report)
