"""Writes all files of a compilation: the model as C, and the report on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tinyflash import files
from tinyflash.boards import Board
from tinyflash.boards.firmware import FirmwareSize
from tinyflash.boards.fits import Fit
from tinyflash.boards.named import DEFAULT, model_files
from tinyflash.boards.stale import file_hash, name_for, report_of
from tinyflash.compiler import Compiled
from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.write.model import write_model


def compilation(name: str = DEFAULT) -> tuple[str, ...]:
    """Returns the files that `write_compilation` writes."""
    return (*model_files(name), "report.txt", "report.html", "report.json")


def write_compilation(
    compiled: Compiled,
    directory: Path,
    fit: Fit | None = None,
    training: Report | None = None,
    name: str = DEFAULT,
) -> None:
    """Writes the files of `compilation(name)`, each atomically. training: the learning curve of a
    run. name: of the model in C; report.json has it, too."""
    report = _report(compiled, fit, training, name)
    write_model(compiled, directory, name)
    _write(report, directory)


def add_image(
    directory: Path,
    board: Board,
    size: FirmwareSize,
    name: str = DEFAULT,
    used: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Adds what a linked image takes to the report of its folder, if that is of this model and for
    this board. used: bytes of each region, by name."""
    report = report_of(directory, name)
    if report.get("board") == board.name:
        keys = ("flash_bytes", "sram_bytes", "replay_bytes")
        image = {key: getattr(size, key) for key in keys}
        regions = [_linked(region, board, used) for region in report.get("regions") or ()]
        _add(directory, {"linked": image, "place": vars(board.place), "regions": regions})


def _linked(region: Report, board: Board, used: Mapping[str, int]) -> Report:
    """Returns a region of a report with what an image takes of it, where that is known."""
    name = region["name"]
    parts = list(board.place.parts_in(name))
    return {**region, "used": used.get(name, region["used"]), "parts": parts}


def add_training(compiled: Compiled, directory: Path, fit: Fit | None, training: Report) -> None:
    """Adds the learning curve of a run to the report of the same model, which may know a board and
    an image. Where there is no such report, writes one; where there is no such model, writes the
    whole compilation."""
    mine = f"{compiled.program.hash:08x}"
    name = name_for(directory, mine)
    if any(file_hash(directory / file) != mine for file in model_files(name)):
        write_compilation(compiled, directory, fit, training, name)
    elif mine != report_of(directory, name).get("hash") or not _add(
        directory, {"training": training}
    ):
        _write(_report(compiled, fit, training, name), directory)


def _report(compiled: Compiled, fit: Fit | None, training: Report | None, name: str) -> Report:
    return {"name": name, **make_report(compiled, fit, training)}


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
