"""Opens a set as commands do: with what a crash has left unlisted."""

from __future__ import annotations

from pathlib import Path

from tinyflash.data.dataset import Dataset, load
from tinyflash.data.shards import recover
from tinyflash.errors import warn


def opened(folder: Path) -> Dataset:
    """Returns the set in a folder, with the whole shards that it does not list: a crash came before
    they were listed. Warns about them; `text.save` lists them."""
    dataset, found = recover(load(folder))
    if found:
        warn(
            f"{folder}: {len(found)} shards, from {found[0]} on, were written and not listed, as a "
            "crash leaves them; they are taken, too"
        )
    return dataset
