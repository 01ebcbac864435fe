"""Writes all files of a compilation: the model as C, and the report on it."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.boards import Board
from tinyflash.boards.firmware import FirmwareSize
from tinyflash.boards.fits import Fit
from tinyflash.boards.stale import model_hash, report_of
from tinyflash.compiler import Compiled
from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.write.model import write_model

COMPILATION = ("model.c", "model.h", "report.txt", "report.html", "report.json")


def write_compilation(
    compiled: Compiled, directory: Path, fit: Fit | None = None, training: Report | None = None
) -> None:
    """Writes the files of COMPILATION, each atomically. training: the learning curve of a run."""
    report = make_report(compiled, fit, training)
    write_model(compiled, directory)
    _write(report, directory)


def add_image(directory: Path, board: Board, size: FirmwareSize) -> None:
    """Adds what a linked image takes to the report of its folder, if that is for this board."""
    if report_of(directory).get("board") == board.name:
        image = {"flash_bytes": size.flash_bytes, "sram_bytes": size.sram_bytes}
        _add(directory, {"linked": image})


def add_training(compiled: Compiled, directory: Path, fit: Fit | None, training: Report) -> None:
    """Adds the learning curve of a run to the report of the same model, which may know a board and
    an image; writes the whole compilation where there is no such report."""
    mine = f"{compiled.program.hash:08x}"
    is_mine = mine == report_of(directory).get("hash") == model_hash(directory)
    if not (is_mine and _add(directory, {"training": training})):
        write_compilation(compiled, directory, fit, training)


def _add(directory: Path, fields: Report) -> bool:
    """Adds fields to the report of a folder. Returns False, and changes nothing, if that is missing
    or not what this version writes."""
    report = {**report_of(directory), **fields}
    try:
        as_text(report), as_html(report)
    except Exception:  # a report of another version can provoke any of a dozen exceptions
        return False
    _write(report, directory)
    return True


def _write(report: Report, directory: Path) -> None:
    files.write_bytes(directory / "report.txt", as_text(report).encode())
    files.write_bytes(directory / "report.html", as_html(report).encode())
    files.write_json(directory / "report.json", report)
