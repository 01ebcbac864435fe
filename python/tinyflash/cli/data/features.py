"""tinyflash data features: a set of features from a set of samples."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.cli.features_option import features as features_option
from tinyflash.data.features import make_features, settings_for
from tinyflash.data.lock import changing
from tinyflash.data.opened import opened
from tinyflash.show.console import counting, say
from tinyflash.show.words import counted
from tinyflash.spectrogram import NAME


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@features_option(NAME)
@options.as_json
@options.output_folder("Folder of the new set.", ("dataset.toml",))
def features(folder: Path, front_end: str, as_json: bool, output: Path) -> None:
    """Turn the samples of a data set into features, in a new set.

    The same numbers as on a board that was built with the same --features. The new set has the
    same recordings, labels and split.
    """
    dataset = opened(folder)
    settings = settings_for(dataset, front_end)
    with (
        changing(output, new=True),
        counting("features", len(dataset.recordings)) as listen,
    ):
        made = make_features(dataset, settings, output, listen)
    count = sum(one.count for one in made.recordings)
    if as_json:
        about = {"folder": str(output), "front_end": settings.text, "rate": made.frames.rate}
        click.echo(json.dumps({**about, "frames": count}, indent=2))
    say(f"{output}: {counted(count, 'frame')} of {settings.text}")
