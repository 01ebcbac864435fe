"""The option --replay: what the sensor of an emulated board gives."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import click

from tinyflash.boards.replay import Replay
from tinyflash.cli.number_option import Number
from tinyflash.data.collecting.replays import replay_of
from tinyflash.zoo.wearers import worn

replay = click.option(
    "--replay", metavar="RECORDING",
    help="What the sensor of an emulated board gives, in real time: a CSV or sound file, a folder "
    "of pictures, SET or SET/NAME of a data set, or "
    "activity:PERSON[:ACTIVITY][:RECORDING][:turned], people of a public data set who move.",
)  # fmt: skip
rate = click.option(
    "--rate",
    type=Number(0, min_open=True),
    help="Frames per second of the replayed recording. Default: its own.",
)
_WORN = re.compile(r"activity:(\d{1,9})(?::([a-z]+))??(?::(\d{1,9}))?(:turned)?")


def chosen(recording: str, rate: float | None) -> Replay:
    """Returns the recording that the option names. Raises DataError."""
    found = _WORN.fullmatch(recording)
    if found is None:
        return replay_of(Path(recording), rate)
    which = None if found[3] is None else int(found[3])
    given = worn(int(found[1]), found[2], which, turn=found[4] is not None)
    return given if rate is None else replace(given, rate=rate)
