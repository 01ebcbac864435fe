"""tinyflash watch: shows a run in a browser, from the file that it writes."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from tinyflash.cli import options, watch_option
from tinyflash.cli.stopping import stopping
from tinyflash.show.console import say
from tinyflash.show.watch.recorded import Recorded
from tinyflash.show.watch.watched import watched

_LOOK_S = 0.25  # between two looks at the files


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@watch_option.port
def watch(folder: Path, watch_port: int | None) -> None:
    """Show the run in FOLDER in a browser, while another command writes it or afterwards.

    Prints a URL with a secret token, which only this computer can open, and serves until Ctrl-C.
    The page shows the signal and the probabilities, the learning curve, the confusion matrix, the
    change of each layer, counters and memory. It loads nothing from elsewhere. A running command
    writes its news once a second; its own option --watch shows up to 60 a second.
    """
    run = Recorded(folder)
    with stopping() as stop, watched(watch_option.wanted(True, watch_port)) as live:
        say("Ctrl-C ends it")
        pause = threading.Event()
        while not stop():
            run.show(live)
            pause.wait(_LOOK_S)
        live.leave()
