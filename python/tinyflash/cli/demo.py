"""tinyflash demo: the main job, the whole way through."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.demo import Settings, run


@click.command()
@click.option("--board", default=Settings.board, show_default=True)
@options.seed
@options.output_folder("Where report and pictures go.", Settings.output)
def demo(board: str, seed: int, output: Path) -> None:
    """A pretrained int8 network learns a new task on an emulated microcontroller.

    A person detector learns to tell faces from other pictures, from 100 labelled samples sent over
    a serial line, in 128 KB of SRAM. The host then repeats the training and compares bit for bit.
    """
    run(Settings(board, seed, output))
