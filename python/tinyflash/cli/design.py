"""tinyflash design: finds a network for samples and a board, with training in the budget."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from tinyflash.boards import Board, load_board
from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.cli.scheme_option import Size
from tinyflash.errors import BoardError, warn
from tinyflash.files import write_bytes, write_json
from tinyflash.scheme.text import scheme_text
from tinyflash.search.designs.cost import Limits
from tinyflash.search.designs.design import FAMILIES
from tinyflash.search.designs.layers import Family
from tinyflash.search.designs.mcus import real_boards
from tinyflash.search.designs.report import report_of
from tinyflash.search.designs.searching import (
    NETWORK,
    Found,
    Progress,
    Request,
    scheme_file,
    search,
)
from tinyflash.search.designs.stage2 import Source
from tinyflash.search.designs.trial import check_torch
from tinyflash.show.console import counting, output, say, table
from tinyflash.show.designs.page import as_html


@click.command(cls=options.Command)
@click.argument("data", type=options.PATH)
@click.option("--board", type=options.BOARD, required=True, help=f"{options.BOARDS}.")
@click.option(
    "--train-budget", type=Size(), metavar="SIZE",
    help="Total SRAM, such as 64KB, with what training takes. Default: all of the board's.",
)  # fmt: skip
@click.option(
    "--flash", type=Size(), metavar="SIZE",
    help="Flash of the whole image. Default: all of the board's.",
)  # fmt: skip
@click.option(
    "--instructions", type=click.IntRange(1), metavar="COUNT",
    help="Instructions of a training step, at most. Default: any number.",
)  # fmt: skip
@click.option(
    "--minutes", type=Number(0.1, 10_000), default=30, show_default=True,
    help="How long to search, on two cores. Decides the work, not the end: a faster computer is "
    "done sooner, with the same network.",
)  # fmt: skip
@click.option("--family", type=click.Choice(FAMILIES), help="Default: as the samples suggest.")
@click.option(
    "--window", type=click.IntRange(2), metavar="FRAMES",
    help="Of a data set of signals: frames in a sample.",
)  # fmt: skip
@options.seed
@click.option(
    "--processes", type=click.IntRange(1, 256), default=os.cpu_count() or 1,
    show_default="one per core", help="Workers; the result does not depend on them.",
)  # fmt: skip
@options.output_file("The network (.tflite).", options.Network())
@options.as_json
def design(
    data: Path,
    board: str,
    train_budget: int | None,
    flash: int | None,
    instructions: int | None,
    minutes: float,
    family: Family | None,
    window: int | None,
    seed: int,
    processes: int,
    output: Path,
    as_json: bool,
) -> None:
    """Find a network for DATA that learns on a board, within its memory.

    DATA is the folder of a data set, or an .npz file with x (samples in real units) and y (labels).
    Networks are planned with their training, trained in float with torch, and the best one is
    quantized; what it trains on the board is chosen as `choose` does. The result is linked for the
    board. Beside OUT are OUT.scheme.toml, what it trains, and a folder OUT.design with the page
    design.html and all finished results: the same command goes on from them.
    """
    check_torch()
    target = load_board(board)
    limits = _limits(target, train_budget, flash, instructions)
    folder = output.with_suffix(".design")
    source = Source(data, family, window, seed)
    request = Request(source, target, limits, minutes, seed, processes, folder)
    with _shown() as progress:
        found = search(request, progress)
        progress.stage("plans for other boards", len(real_boards()))
        report = report_of(found, request, lambda: progress.done(""))
    for path in (folder / "scheme.toml", scheme_file(folder)):
        write_bytes(path, _scheme(found, target))
    write_json(folder / "design.json", report)
    write_bytes(folder / "design.html", as_html(report).encode())
    write_bytes(output, (folder / NETWORK).read_bytes())
    if found.late:
        warn(
            "the computer was slower than the plan of the search, so some networks were not tried; "
            "the same seed may find another network elsewhere; raise --minutes"
        )
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(found, target)
    say(f"wrote {output}, {scheme_file(folder)}, and design.html and design.json to {folder}")


def _limits(
    board: Board, budget: int | None, flash: int | None, instructions: int | None
) -> Limits:
    for option, given, there in (
        ("--train-budget", budget, board.sram_bytes),
        ("--flash", flash, board.flash_bytes),
    ):
        if given is not None and given > there:
            raise BoardError(
                f"{option} is {given:,} bytes, but board {board.name} has {there:,}; lower it, or "
                "take a larger board"
            )
    return Limits(budget or board.sram_bytes, flash or board.flash_bytes, instructions)


def _scheme(found: Found, board: Board) -> bytes:
    one = found.trainable
    about = f"Chosen by design for {found.limits.sram:,} bytes of SRAM on {board.name}, as"
    about += f"\nproposed by {one.method}."
    if one.judged is not None:
        about += f" Held-out loss {one.judged.loss:.4f} at --rate {one.judged.rate:g}."
    return scheme_text(one.scheme, about).encode()


@contextmanager
def _shown() -> Iterator[Progress]:
    """Shows a bar for each stage, with the time left."""
    with ExitStack() as stack:
        count = 0
        listen: Callable[[int], None] = lambda _: None  # noqa: E731

        def stage(text: str, total: int) -> None:
            nonlocal count, listen
            stack.close()
            count, listen = 0, stack.enter_context(counting(text, total))

        def done(_key: str) -> None:
            nonlocal count
            count += 1
            listen(count)

        def tell(text: str) -> None:
            stack.close()
            say(text)

        yield Progress(stage, done, tell)


def _show(found: Found, board: Board) -> None:
    best, trainable, limits = found.best, found.trainable, found.limits
    rows = table(f"A network for {board.name}", "what", ">it takes", ">limit")
    image, cost = trainable.image, trainable.cost
    linked = "linked" if image else "planned; the board's compiler is missing"
    sram, flash = (image.sram, image.flash) if image else (cost.sram, cost.rom)
    rows.add_row("SRAM, with training", f"{sram:,}", f"{limits.sram:,}")
    rows.add_row("flash", f"{flash:,}", f"{limits.flash:,}")
    steps = "not counted" if cost.step is None else f"{cost.step:,}"
    most = "any" if limits.step is None else f"{limits.step:,}"
    rows.add_row("instructions of a training step, at most", steps, most)
    if cost.instructions is not None:
        rows.add_row("instructions of an inference, at most", f"{cost.instructions:,}", "any")
    rows.add_row("multiply-adds of an inference", f"{best.design.macs:,}", "any")
    rows.add_row("bytes that are trained", f"{trainable.trained_bytes:,}", "any")
    rows.caption = (
        f"{found.best.design.space}; {len(found.tried)} trainings; "
        f"trained: as {trainable.method} proposed\n"
        f"bytes: {linked}\n"
        f"validation: {100 * found.final.accuracy:.1f} % in float; "
        f"test: {found.test:.1f} % of {len(found.task.test)} samples in int8"
    )
    output().print(rows)
