"""The option --hop, where it can mean something: windows are cut from sets and from streams."""

from __future__ import annotations

from pathlib import Path

from tinyflash.data.dataset import is_dataset
from tinyflash.errors import DataError


def check_hop(hop: int | None, data: Path | None, *others: Path | None) -> None:
    """Raises DataError if all windows have been cut before. data: None: they come from a sensor.
    others: further files and sets of the command."""
    if hop is None or data is None:
        return
    if not any(is_dataset(path) for path in (data, *others) if path is not None):
        raise DataError(
            f"--hop cuts windows from a data set; those of {data} have been cut already, by data "
            "export --hop; leave it out"
        )
