"""Writes the report of a run: that of its compilation, with the learning curve."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.boards.stale import report_of
from tinyflash.show.plots import WINDOW
from tinyflash.show.report import as_html, write_compilation
from tinyflash.show.report.learning import Learning, learning_fields
from tinyflash.show.report.summary import Report
from tinyflash.training.job import Job, Trained
from tinyflash.training.open import Ready


def write_report(trained: Trained, job: Job, ready: Ready, directory: Path) -> None:
    """Adds the learning curve to the report of the folder, if it is of this model: a session on the
    host leaves the compilation for a board. Else writes all files of the compilation."""
    training = _learning(trained, job, ready)
    report = report_of(directory)
    mine = report.get("hash") == f"{ready.compiled.program.hash:08x}"
    page = _page({**report, "training": training}) if mine and ready.fit is None else None
    if page is None:
        write_compilation(ready.compiled, directory, ready.fit, training)
        return
    files.write_bytes(directory / "report.html", page)
    files.write_json(directory / "report.json", {**report, "training": training})


def _page(report: Report) -> bytes | None:
    """Returns the page of a report from a file; None if another version wrote it, or it is
    damaged."""
    try:
        return as_html(report).encode()
    except Exception:  # whatever a template raises for other contents
        return None


def _learning(trained: Trained, job: Job, ready: Ready) -> Report:
    losses, accuracies = trained.history.running(WINDOW)
    run = Learning(
        board="host" if ready.fit is None else ready.fit.board.name,
        measure=job.measure,
        window=WINDOW,
        epoch=len(job.train),
        losses=losses,
        accuracies=() if job.objective else accuracies,
        held_out=trained.course,
        held_out_samples=len(job.held_out),
    )
    return learning_fields(run)
