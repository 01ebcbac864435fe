"""tinyflash data: sets of recordings, from files of others to samples of a network."""

from __future__ import annotations

import click

from tinyflash.cli.data.check import check
from tinyflash.cli.data.export import export
from tinyflash.cli.data.features import features
from tinyflash.cli.data.horizon import horizon
from tinyflash.cli.data.importing import import_
from tinyflash.cli.data.show import show
from tinyflash.cli.data.split import split


@click.group()
def data() -> None:
    """Import, look at, check, split and export data sets; map what they foresee."""


data.add_command(import_, "import")
data.add_command(show)
data.add_command(split)
data.add_command(export)
data.add_command(features)
data.add_command(check)
data.add_command(horizon)
