"""tinyflash bench endurance: 20,000 consecutive training steps on a board."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from tinyflash.bench.endurance.plot import draw_endurance
from tinyflash.bench.endurance.run import Listen, Look, Result, Settings, as_record, run
from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.errors import InternalError
from tinyflash.files import write_json
from tinyflash.show.console import counting, output, say, table
from tinyflash.training.open import Running, prepared_files
from tinyflash.zoo.tasks import TASKS, load_task

_WRITTEN = ("endurance.json", "endurance.png", *(f"model/{name}" for name in prepared_files()))


@click.command(cls=options.Command)
@click.option("--task", type=click.Choice(list(TASKS)), default="activity", show_default=True)
@click.option(
    "--board",
    type=options.BOARD,
    default="qemu_stm32f405",
    show_default=True,
    help="Where to train.",
)
@options.running(required=False)
@click.option(
    "--steps", type=click.IntRange(1), default=Settings.steps, show_default=True,
    help="Training steps.",
)  # fmt: skip
@click.option(
    "--phase", type=click.IntRange(1), default=Settings.phase, show_default=True,
    help="Training steps until subject and labels change.",
)  # fmt: skip
@click.option("--rate", type=float, default=Settings.rate, show_default=True)
@click.option(
    "--decay", type=float, default=Settings.decay, show_default=True,
    help="Weight decay, per unit of rate.",
)  # fmt: skip
@options.seed
@options.json_rows
@options.output_folder("Folder for report and picture.", _WRITTEN, Path("build/endurance"))
def endurance(
    task: str,
    board: str,
    running: Running | None,
    steps: int,
    phase: int,
    rate: float,
    decay: float,
    seed: int,
    json_path: Path | None,
    output: Path,
) -> None:
    """Train one network for 20,000 steps while the task changes.

    Shows whether long int8 training loses accuracy. Takes about 20 minutes on one core. Writes
    endurance.json and endurance.png. The host repeats every step; the command fails if the final
    bytes differ.

    Starts the board's emulator. With --port, trains on a board that runs the model of the folder's
    part "model", which this command writes first: build and flash it, then call this again.
    """
    settings = Settings(steps, phase, max(1, phase // 10), rate=rate, decay=decay, seed=seed)
    target, what = load_board(board), load_task(task)
    with ExitStack() as bars:
        result = run(what, target, settings, output / "model", _bars(bars, steps), running)
    for path in filter(None, (output / "endurance.json", json_path)):
        write_json(path, as_record(result))
    title = f"{steps:,} training steps of the {what.network} on {board}"
    draw_endurance(output / "endurance.png", title, result)
    _print(result)
    say(f"wrote {output}/endurance.json and endurance.png")
    if not result.agrees:
        raise InternalError("board and host disagree; this is a bug in tinyflash; report it")


def _bars(stack: ExitStack, steps: int) -> Callable[[str], Listen]:
    """Returns a function that opens a progress bar for each run."""

    def begin(name: str) -> Listen:
        stack.close()
        done = stack.enter_context(counting(name, steps))

        def listen(look: Look) -> None:
            done(look.step)

        return listen

    return begin


def _print(result: Result) -> None:
    rows = table("Accuracy in %", ">phase", ">after the shift", ">settled", ">fresh copy")
    board = result.board
    for number, fresh in enumerate(result.fresh):
        rows.add_row(
            str(number + 1),
            f"{board.start(number):.0f}",
            f"{board.settled(number):.0f}",
            f"{fresh:.0f}",
        )
    same = "bit for bit" if result.agrees else "NOT"
    rows.caption = (
        f"{board.looks[-1].at_limit:,} of {result.anatomy.weights:,} trained weights at ±127; "
        f"board and host agree {same}; {result.minutes:.1f} minutes"
    )
    output().print(rows)
