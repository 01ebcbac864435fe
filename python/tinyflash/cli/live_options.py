"""The options of train --live, and which of train's others have no meaning with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tinyflash.cli import options
from tinyflash.errors import DataError
from tinyflash.runtime.replay import MOST_REPEATS
from tinyflash.training.live.learner import SURPRISING

F = TypeVar("F", bound=Callable[..., Any])

_NOT_LIVE = ("epochs", "schedule", "warmup", "validation", "health", "save_every")
_LIVE_ONLY = ("auto", "replay", "repeats", "earlier", "surprising", "skips", "live_json")


@dataclass(frozen=True)
class LiveOptions:
    """What the user says of a live run. earlier: samples of before. json_path: for its record."""

    auto: bool
    replay: int
    repeats: int
    earlier: Path | None
    surprising: float
    skips: bool
    json_path: Path | None


_OPTIONS = (
    click.option(
        "--live", is_flag=True,
        help="Learn from windows in the order of time: each is classified, then learned from.",
    ),
    click.option(
        "--auto", is_flag=True,
        help="With --live: replay the labelled windows of --data, without asking anybody.",
    ),
    options.replay,
    click.option(
        "--repeats", type=click.IntRange(1, MOST_REPEATS), default=1, show_default=True,
        help="Training steps on kept samples after each new one.",
    ),
    click.option(
        "--earlier", type=options.PATH, metavar="DATA",
        help="A file or a set like --data with what the network has learned before: its samples "
        "fill the replay buffer, and a guard holds some out.",
    ),
    click.option(
        "--surprising", type=click.FloatRange(0, 1), default=SURPRISING, show_default=True,
        metavar="P",
        help="A label to which the network gives a probability below this surprises.",
    ),
    click.option(
        "--skip-surprising", "skips", is_flag=True,
        help="With --auto: do not learn from windows whose label surprises.",
    ),
    click.option(
        "--json", "live_json", type=options.OUTPUT,
        help="With --live: write the record of the run, window by window, to this file.",
    ),
)  # fmt: skip


def live_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_use(context: click.Context, live: bool) -> None:
    """Raises DataError for an option that says nothing about this kind of run."""
    for name in _NOT_LIVE if live else _LIVE_ONLY:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            how = "has no meaning with --live; leave it out" if live else "needs --live"
            raise DataError(f"{option} {how}")
    if live and not context.params["auto"]:
        raise DataError("--live replays a labelled set in the order of time; pass --auto, too")
