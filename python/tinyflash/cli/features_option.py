"""The option --features: what a front end makes of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tinyflash.spectrogram import NAME, RAW

F = TypeVar("F", bound=Callable[..., Any])


class Features(click.ParamType[str]):
    """A front end: a shell completes its name."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in (RAW, NAME) if name.startswith(incomplete)]


def features(default: str = RAW) -> Callable[[F], F]:
    """The command gets it as `front_end`."""
    return click.option(
        "--features", "front_end", type=Features(), default=default, show_default=True,
        help=f"{RAW}, or {NAME}[:SETTING=NUMBER,...] of sound or vibration, with window and hop "
        "in samples, bands, low and high in Hz; of a board of your own, rate, too.",
    )  # fmt: skip
