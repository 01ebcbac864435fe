"""Writes the report of a run: that of its compilation, with the learning curve."""

from __future__ import annotations

from pathlib import Path

from tinyflash.show.plots import WINDOW
from tinyflash.show.report import add_training
from tinyflash.show.report.learning import Learning, learning_fields
from tinyflash.training.job import Job, Trained
from tinyflash.training.open import Ready


def write_report(trained: Trained, job: Job, ready: Ready, directory: Path) -> None:
    """Adds the learning curve to the folder's report, or writes the files of the compilation: all
    of a folder is of the model that was trained last."""
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
    add_training(ready.compiled, directory, ready.fit, learning_fields(run))
