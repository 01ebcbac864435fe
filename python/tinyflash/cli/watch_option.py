"""The options --watch and --watch-port of commands that can be watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tinyflash.show.watch.watched import Wanted

F = TypeVar("F", bound=Callable[..., Any])

port = click.option(
    "--watch-port", type=click.IntRange(1, 65535), metavar="PORT",
    help="The port of the page, on 127.0.0.1. Default: any that is free.",
)  # fmt: skip


def watch(command: F) -> F:
    """Adds --watch and --watch-port, of which `wanted` makes one."""
    shows = click.option(
        "--watch", "watches", is_flag=True,
        help="Serve a page that shows the run while it runs, to browsers on this computer only.",
    )  # fmt: skip
    return shows(port(command))


def wanted(watches: bool, watch_port: int | None) -> Wanted:
    """Returns what the options say; a port wants a page."""
    return Wanted(watches or watch_port is not None, watch_port or 0)
