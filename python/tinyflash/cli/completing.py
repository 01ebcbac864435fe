"""What a shell completes of a data set that the command line names already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from tinyflash.data.dataset import DESCRIPTION, Dataset, load
from tinyflash.errors import TinyflashError


class OfSet(click.ParamType[str]):
    """A name in a set: `names` finds them. The set is the first folder among the arguments."""

    name = "text"

    def __init__(self, names: Callable[[Dataset], Iterable[str]]) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = self._names(dataset) if (dataset := _named(ctx)) else ()
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _named(ctx: click.Context) -> Dataset | None:
    """Returns the set; None without one that can be read: completion says nothing of errors."""
    # an option without its value, which is the one to complete, leaves arguments unparsed
    for value in (*ctx.params.values(), *map(Path, ctx.args)):
        if isinstance(value, Path) and (value / DESCRIPTION).is_file():
            try:
                return load(value)
            except TinyflashError:
                return None
    return None


CLASS = OfSet(lambda dataset: dataset.classes)
PART = OfSet(lambda dataset: dataset.splits)
TARGET = OfSet(
    lambda dataset: (*dataset.frames.channels, "class", *(f"event:{c}" for c in dataset.classes))
)
