"""The options of train --live, and which of train's others have no meaning with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.errors import DataError
from tinyflash.runtime.normal import MOST_RANKS
from tinyflash.runtime.replay import MOST_REPEATS
from tinyflash.training.live.learner import SURPRISING

F = TypeVar("F", bound=Callable[..., Any])

_NOT_LIVE = ("epochs", "schedule", "warmup", "validation", "health", "save_every")
_TAUGHT = ("sensor", "labels")  # of --live without --auto
_AUTO = ("skips", "data")  # of --live with --auto
_NORMAL = ("hold", "rank", "judge", "saves")  # of --normal
_LABELLED = ("replay", "repeats", "earlier", "surprising", "skips", "labels")
_NOT_NORMAL = (*_LABELLED, "test", "guard", "guard_every", "guard_tolerance")
_LIVE_ONLY = ("auto", "sensor", "normal", *_LABELLED, *_NORMAL)


@dataclass(frozen=True)
class LiveOptions:
    """What the user says of a live run. earlier: samples of before.
    sensor: the recording that an emulated board's sensor gives. labels: names of the classes.
    normal: windows to learn from without labels; None: with labels. hold, rank: what sets the
    threshold. judge: windows to judge; 0: all. saves: whether the board saves."""

    auto: bool
    replay: int
    repeats: int
    earlier: Path | None
    surprising: float
    skips: bool
    sensor: str | None
    labels: str
    normal: int | None
    hold: int
    rank: int
    judge: int
    saves: bool


_OPTIONS = (
    click.option(
        "--live", is_flag=True,
        help="Learn from windows in the order of time, each of which is classified before. Keys 1 "
        "to 9 label the newest window of the board's sensor; with --auto, --data has the labels.",
    ),
    click.option(
        "--auto", is_flag=True,
        help="With --live: replay the labelled windows of --data, without asking anybody.",
    ),
    click.option(
        "--sensor", metavar="RECORDING",
        help="With --live, what the sensor of an emulated board gives, as --replay of collect.",
    ),
    click.option(
        "--labels", default="", metavar="NAME,...",
        help="With --live, names of the network's classes, in their order, for keys 1 to 9.",
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
        "--surprising", type=Number(0, 1), default=SURPRISING, show_default=True,
        metavar="P",
        help="A label to which the network gives a probability below this surprises.",
    ),
    click.option(
        "--skip-surprising", "skips", is_flag=True,
        help="With --auto: do not learn from windows whose label surprises.",
    ),
    click.option(
        "--normal", type=click.IntRange(0), metavar="WINDOWS",
        help="With --live: without labels, an autoencoder learns from the first windows what is "
        "normal; then the board sets its threshold and says what is not. 0: the board, or "
        "--resume, has a threshold already.",
    ),
    click.option(
        "--hold", type=click.IntRange(1), default=50, show_default=True, metavar="WINDOWS",
        help="Windows after those of --normal, which are not learned from, that set the threshold.",
    ),
    click.option(
        "--rank", type=click.IntRange(1, MOST_RANKS), default=1, show_default=True,
        help="The threshold is this one of their scores, in descending order.",
    ),
    click.option(
        "--judge", type=click.IntRange(1), metavar="WINDOWS",
        help="With --normal: end after so many windows that were judged.",
    ),
    click.option(
        "--save", "saves", is_flag=True,
        help="With --normal: the board keeps what it has learned, and its threshold, in its flash.",
    ),
)  # fmt: skip


def live_options(command: F) -> Callable[..., Any]:
    """Adds the options; the command takes them as one, `given`, besides --live."""
    names = [field.name for field in fields(LiveOptions)]

    @wraps(command)
    def taking(**words: Any) -> Any:
        values = {name: words.pop(name) for name in names}
        return command(**words, given=LiveOptions(**{**values, "judge": values["judge"] or 0}))

    taken: Callable[..., Any] = taking
    for option in reversed(_OPTIONS):
        taken = option(taken)
    return taken


def check_use(context: click.Context, live: bool) -> None:
    """Raises DataError for an option that says nothing about this kind of run."""
    if not live and context.params["data"] is None:
        raise click.MissingParameter(ctx=context, param=_parameter(context, "data"))
    for name in _NOT_LIVE if live else _LIVE_ONLY:
        if _is_given(context, name):
            how = "has no meaning with --live; leave it out" if live else "needs --live"
            raise DataError(f"{_parameter(context, name).opts[0]} {how}")
    if live:
        _check_kind(context, bool(context.params["auto"]))


def _check_kind(context: click.Context, auto: bool) -> None:
    """Raises DataError for options of the other kind of --live."""
    is_normal = context.params["normal"] is not None
    for name in _NOT_NORMAL if is_normal else _NORMAL:
        if _is_given(context, name):
            option = _parameter(context, name).opts[0]
            how = "has no meaning with --normal; leave it out" if is_normal else "needs --normal"
            raise DataError(f"{option} {how}")
    for name in _TAUGHT if auto else _AUTO:
        if _is_given(context, name):
            option = _parameter(context, name).opts[0]
            how = "has no meaning with --auto; leave it out" if auto else "needs --auto"
            raise DataError(f"{option} {how}")
    if auto and context.params["data"] is None:
        raise DataError("--auto replays windows; name them with --data")


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _parameter(context: click.Context, name: str) -> click.Parameter:
    return next(p for p in context.command.params if p.name == name)
