"""tinyflash collect: recordings from the sensor of a board."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.cli import options, replay_option, watch_option
from tinyflash.cli.collecting import Replayed, Report, opened_source, record
from tinyflash.cli.completing import CLASS
from tinyflash.cli.features_option import features as features_option
from tinyflash.cli.keys import pressed
from tinyflash.cli.labelling import NO_LABEL, Labels, Watch, cut_into, names_of
from tinyflash.cli.number_option import Number
from tinyflash.cli.stopping import stopping
from tinyflash.data.collecting.recorder import Plan
from tinyflash.data.intake.files import written
from tinyflash.data.lock import changing
from tinyflash.show.console import tell
from tinyflash.show.watch.observer import FAILED, FINISHED, STOPPED, About
from tinyflash.show.watch.watched import watched
from tinyflash.training.front_end import learned_from
from tinyflash.training.open import Running

_DEFAULT_NAME = "recording"


@click.command(cls=options.Command)
@click.argument("image", type=options.PATH, required=False, metavar="[FOLDER]")
@options.board
@options.running(required=False)
@replay_option.replay
@replay_option.rate
@click.option(
    "--label", type=CLASS, default="", help="The class of the frames, from the beginning on."
)
@click.option(
    "--labels", default="", metavar="NAME,...",
    help="Classes that keys 1 to 9 choose while it runs; 0: no label. A new set has them in this "
    "order.",
)  # fmt: skip
@click.option(
    "--seconds",
    type=Number(0, min_open=True),
    help="How long. Default: until Ctrl-C, or the end of the recording that is replayed.",
)
@click.option("--subject", default="", help="Who wears the sensor.")
@click.option("--session", default="", help="When this is recorded.")
@click.option("--name", help="Name of the recording. Default: the label.")
@click.option("--window", type=click.IntRange(1), help="Count windows of this many frames, too.")
@options.hop
@click.option(
    "--wait",
    type=Number(0),
    default=Plan.wait,
    show_default=True,
    help="Seconds to wait for a link that is lost.",
)
@features_option()
@watch_option.watch
@options.as_json
@options.output_folder("Folder of the set, which may have recordings already.", ("dataset.toml",))
def collect(
    image: Path | None,
    board: str | None,
    running: Running | None,
    replay: str | None,
    rate: float | None,
    label: str,
    labels: str,
    seconds: float | None,
    subject: str,
    session: str,
    name: str | None,
    window: int | None,
    hop: int | None,
    wait: float,
    front_end: str,
    watches: bool,
    watch_port: int | None,
    as_json: bool,
    output: Path,
) -> None:
    """Record the sensor of a board into a data set.

    With --port, from a board whose firmware was built with `tinyflash build --collect`. With
    --board, from an emulated one, whose sensor replays a recording in real time; its firmware is
    that of FOLDER, or one without a network. Each frame is on the disk before the board is told so:
    Ctrl-C, a lost link or a power cut lose nothing of that. Frames that the board had to drop are
    gaps of the recording. A board that restarts begins another recording. With --features, an
    emulated board computes features and sends these.
    """
    if hop and not window:
        raise click.UsageError("--hop needs --window.")
    choices = Labels(written(label.strip()), names_of(labels))
    asked = Replayed(replay, rate, front_end)
    about, windows = (written(subject), written(session)), cut_into(window, hop)
    with (
        changing(output, new=True),
        watched(watch_option.wanted(watches, watch_port)) as page,
        stopping() as stop,
        pressed() as typed,
        opened_source(image, board, running, asked, stop) as (source, title),
    ):
        called = name or choices.now or _DEFAULT_NAME
        learned = None if image is None else learned_from(image)
        plan = Plan(called, seconds, *about, title, wait, choices.choices, learned)
        watch = Watch(choices, stop, typed, windows, page, page.presses)
        page.begin(About("collect", called, title, classes=(*choices.choices, NO_LABEL)))
        recorder, failed = record(output, source, plan, watch)
        page.end(STOPPED if stop() else FINISHED if failed is None else FAILED)
    Report(recorder, window, hop).tell(as_json)
    if failed is not None:
        raise failed
    if stop():
        tell(f"stopped by {stop.reason}; all that was acknowledged is in {output}")
        raise click.exceptions.Exit(stop.exit_code)
