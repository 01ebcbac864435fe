"""tinyflash demo: the main job from start to end."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.demo import WRITTEN, Settings, run


@click.command(cls=options.Command)
@click.option("--board", type=options.BOARD, default=Settings.board, show_default=True)
@options.seed
@options.as_json
@options.output_folder("Folder for report and pictures.", WRITTEN, Settings.output)
def demo(board: str, seed: int, as_json: bool, output: Path) -> None:
    """Teach a pretrained network a new task on an emulated board.

    An int8 person detector learns to tell faces from other pictures, with 100 labelled samples sent
    over a serial line, in 128 KB of SRAM. The host then repeats the training and compares it bit
    for bit.

    The board must be emulated, since the emulator counts its instructions. A board of your own
    learns by "train --port".
    """
    report = run(Settings(board, seed, output), prints_table=not as_json)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
