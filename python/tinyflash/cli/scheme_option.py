"""The option --budget: chooses the largest scheme that fits."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tinyflash.boards import Board
from tinyflash.compiler import Prepared
from tinyflash.errors import SchemeError
from tinyflash.files import keep_old, read_bytes, write_bytes
from tinyflash.scheme.text import scheme_text
from tinyflash.search.budget import Choice, choose_scheme, in_words
from tinyflash.show.console import say, tell

_LARGEST = (1 << 32) - 1  # bytes that an address of 32 bits reaches
_UNITS = {"": 1, "B": 1, "K": 1024, "KB": 1024, "M": 1024**2, "MB": 1024**2}


class Size(click.ParamType[int]):
    """Bytes: 131072, 128KB (of 1,024 bytes), 0.5MB."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", str(value).strip().upper())
        if parts is None or parts[2] not in _UNITS:
            self.fail(f"{value!r} is not a size; write 131072 or 128KB", param, ctx)
        size = float(parts[1]) * _UNITS[parts[2]]
        if size > _LARGEST:
            self.fail(f"{value!r} is more than 32-bit addresses reach, 4 GB", param, ctx)
        return int(size)


budget = click.option(
    "--budget",
    type=Size(),
    metavar="SIZE",
    help="Total SRAM, such as 128KB: chooses the largest scheme that fits. Needs --board.",
)


def chosen(
    prepared: Prepared, budget: int | None, board: Board | None, output: Path, rows: bool = False
) -> Prepared:
    """Returns the network with the scheme that the budget allows; unchanged without a budget.

    prepared: its scheme must have no rules; the choice adds them. Prints the choice and writes it
    to output/scheme.toml. Keeps another scheme that is there under another name.
    """
    if budget is None:
        return prepared
    if board is None:
        raise SchemeError("--budget includes a board's firmware; name the board with --board")
    choice = choose_scheme(prepared, board, budget, rows, lambda rung: say(f"trying: {rung}"))
    text = described(choice, budget, board)
    target, content = output / "scheme.toml", scheme_text(choice.scheme, text).encode()
    kept = _kept(target, content)
    write_bytes(target, content)
    tell(f"{text}\nwrote {target}{kept}")
    return prepared.under(choice.scheme)


def _kept(path: Path, content: bytes) -> str:
    """Renames the file at `path` if it is not `content`: the user may have edited it. Returns what
    to say of that."""
    if not path.is_file() or read_bytes(path, len(content) + 1, cut=True) == content:
        return ""
    return f"; the {path.name} that was there is now {keep_old(path)}"


def described(choice: Choice, budget: int, board: Board) -> str:
    """Returns what was chosen, in words."""
    what = in_words(choice.last, choice.fraction)
    return (
        f"Chosen for {budget:,} bytes of SRAM on {board.name}: {what}.\n"
        f"{choice.trained_bytes:,} bytes trained; {choice.sram_bytes:,} bytes of SRAM in total."
    )
