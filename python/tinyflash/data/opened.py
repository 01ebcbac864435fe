"""Opens a set as commands do: with what is on the disk, and not yet in its list."""

from __future__ import annotations

from pathlib import Path

from tinyflash.data.dataset import Dataset, load
from tinyflash.data.lock import is_held
from tinyflash.data.shards import recover
from tinyflash.errors import note, warn


def opened(folder: Path, *, mine: bool = False) -> Dataset:
    """Returns the set in a folder, with the whole shards that it does not list: a crash came before
    they were listed, or another command has not ended yet. Says which. mine: this command holds the
    set's lock; `text.save` lists the shards."""
    is_growing = not mine and is_held(folder)
    dataset, found = recover(load(folder))
    if is_growing:
        more = f", with {len(found)} shards that it has not listed yet" if found else ""
        note(f"{folder}: another command is changing it; what is on the disk now is read{more}")
    elif found:
        which = found[0] if len(found) == 1 else f"{len(found)} shards, from {found[0]} on"
        warn(f"{folder}: what a crash has left, written and not listed, is taken, too: {which}")
    return dataset
