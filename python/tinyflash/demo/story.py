"""Runs the demo from start to end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tinyflash.boards import load_board
from tinyflash.compiler import prepare
from tinyflash.demo.board import run_on_board
from tinyflash.demo.overview import draw_overview
from tinyflash.demo.report import Report, as_table, make_report
from tinyflash.demo.runs import head_only_accuracy, run_on_host
from tinyflash.demo.task import load_task
from tinyflash.demo.terminal import draw_terminal
from tinyflash.errors import InternalError
from tinyflash.files import write_json
from tinyflash.scheme import scheme
from tinyflash.show.console import Clock, output, say
from tinyflash.show.plots import WINDOW, Curve, draw_learning_curve
from tinyflash.training import job as jobs
from tinyflash.training.job import make_ready, save
from tinyflash.training.open import prepared_files

_PICTURES = ("learning_curve.png", "overview.png", "terminal.svg")
_BUILT = tuple(f"model/{name}" for name in prepared_files())
WRITTEN = ("report.json", *jobs.WRITTEN, *_PICTURES, *_BUILT)


@dataclass(frozen=True)
class Settings:
    """The user's settings. `seed`: of the split, the order of samples and the rounding."""

    board: str = "qemu_stm32f405"
    seed: int = 0
    output: Path = Path("build/demo")


def run(settings: Settings, prints_table: bool = True) -> Report:
    """Trains on the board, repeats the run on the host, compares both, and writes the results."""
    board, seed, clock = load_board(settings.board), settings.seed, Clock()
    clock.say("fetching network and pictures (the first time: up to a minute)")
    graph, job = load_task(seed)
    clock.say(f"compiling for {board.name}, building its firmware, training on it (1 to 4 minutes)")
    ready = make_ready(prepare(graph, scheme("person_faces")), job, board, seed)
    measured = run_on_board(ready, board, job, settings.output / "model", clock)
    clock.say("repeating the same run on this computer, to compare every bit")
    exact = run_on_host(ready, job).agrees(measured.trained)
    clock.say("training the classifier alone, to compare the accuracy")
    head_only = head_only_accuracy(graph, job, seed)
    clock.say("drawing")

    report = make_report(board, seed, ready.compiled, measured, head_only, exact)
    save(measured.trained, job, ready, settings.output)
    losses, accuracies = measured.trained.history.running(WINDOW)
    curve = _curve(report, len(job.train))
    draw_learning_curve(settings.output / "learning_curve.png", losses, accuracies, curve)
    draw_overview(settings.output / "overview.png", report, accuracies, board)
    write_json(settings.output / "report.json", asdict(report))
    table = as_table(report, board)
    if prints_table:
        output().print(table)
    draw_terminal(settings.output / "terminal.svg", "./run demo", table)
    say(
        f"wrote {settings.output}/report.json, learned.npz, training.json, model/report.html, "
        "and pictures: learning_curve.png, overview.png, terminal.svg; "
        f"it took {clock.elapsed()} minutes"
    )
    if not exact:
        raise InternalError("board and host disagree; this is a bug in tinyflash; report it")
    return report


def _curve(report: Report, samples: int) -> Curve:
    """Returns the labels and levels of the learning curve. samples: in an epoch."""
    return Curve(
        f"A person detector learns faces on {report.board}",
        samples,
        report.accuracy_before,
        report.accuracy_after,
        report.accuracy_head_only,
    )
