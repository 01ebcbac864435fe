"""tinyflash choose: finds what to train, by measurement, for your data and your board's memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.cli.hop_option import check_hop
from tinyflash.cli.number_option import Number
from tinyflash.cli.scheme_option import Size
from tinyflash.compiler import prepare
from tinyflash.errors import DataError, SchemeError
from tinyflash.files import to_write, write_bytes
from tinyflash.read import read
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.scheme.text import scheme_text
from tinyflash.search.choose import METHODS, Chooser, Finalist, Limits, judged
from tinyflash.search.engine import Context, Engine, engine_on
from tinyflash.search.engine.engine import Told
from tinyflash.search.probes import Judge, probe
from tinyflash.search.space import Space
from tinyflash.show import console
from tinyflash.show.console import counting, say, table, tell
from tinyflash.training.job import Watch, load_job
from tinyflash.training.loop import Recipe

VALIDATION = 0.3  # the fraction held out, which judges
LARGEST = (1 << 32) - 1  # instructions of a step


def _where(_: click.Context, __: click.Parameter, value: str) -> str:
    if value not in ("local", "ray") and not value.startswith("ray://"):
        raise click.BadParameter(f"{value!r} is no place; write local, ray, or ray://HOST:PORT")
    return value


@click.command("choose", cls=options.Command)
@options.model
@options.chosen
@options.scheme
@options.data
@options.hop
@click.option(
    "--budget", type=Size(), required=True, metavar="SIZE",
    help="The most SRAM, such as 128KB; with --board in all, else of arena, weights and state.",
)  # fmt: skip
@click.option("--flash", type=Size(), metavar="SIZE", help="The most flash for constants.")
@click.option(
    "--instructions", type=click.IntRange(1, LARGEST), metavar="COUNT",
    help="The most instructions of a training step on a Cortex-M4.",
)  # fmt: skip
@click.option("--by", type=click.Choice(METHODS), default="probe", show_default=True)
@options.board
@options.epochs
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True,
    help="Trainings of each candidate at its best rate.",
)  # fmt: skip
@click.option(
    "--validation", type=Number(0, 1, min_open=True, max_open=True), default=VALIDATION,
    show_default=True, help="Fraction of the samples that judges.",
)  # fmt: skip
@click.option(
    "--minutes", type=Number(0, min_open=True),
    help="Stop after this time with what is known. The same command goes on from there.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="one per core"
)
@click.option(
    "--on", default="local", show_default=True, metavar="WHERE", callback=_where,
    help="Where candidates are trained: local, ray, or ray://HOST:PORT.",
)  # fmt: skip
@options.as_json
@options.output_file("The scheme file to write. Results are kept beside it, in .results.jsonl.")
def choose(
    model: Path, chosen: str | None, scheme: Path | None, data: Path, hop: int | None, budget: int,
    flash: int | None, instructions: int | None, by: str, board: str | None, epochs: int,
    seeds: int, validation: float, minutes: float | None, processes: int, on: str,
    as_json: bool, output: Path,
) -> None:  # fmt: skip
    """Chooses which layers of MODEL to train, for your data and a budget of SRAM.

    --scheme may set anything except [[update]] rules: head, loss, optimizer. --by probe measures
    what training each part gains; ladder takes the rule of compile --budget. The result is
    compared with simple rules, which are trained alike. fisher asks how much each channel matters
    to the loss of at most 64 samples, which takes seconds: nothing is trained.
    """
    started = time.monotonic()
    check_hop(hop, data)
    base = load_scheme(scheme) if scheme else Scheme()
    if base.rules:
        raise SchemeError("scheme: has [[update]] rules, but choose finds them; remove them")
    base = replace(base, fisher=0)  # of what it chooses from, whoever judges
    prepared = prepare(read(model, output=chosen), base)
    job = load_job(data, prepared, Recipe(epochs), validation, Watch(), None, hop)
    space = Space.of(prepared)
    limits = Limits(budget, flash, instructions)
    chooser = Chooser(space, limits, None if board is None else load_board(board))
    _ = chooser.proposer  # an error about the budget comes before all work
    if by == "fisher":
        _report(chooser.by_fisher(job.train), output, as_json, budget, started)
        return
    if not len(job.held_out):
        raise DataError(f"{data} leaves no samples to judge with; add some, or raise --validation")
    context = Context(prepared.source, job.train, job.held_out)
    results = to_write(output.with_suffix(".results.jsonl"))  # refused before work, not after
    until = None if minutes is None else started + 60 * minutes
    with engine_on(on, context, results, processes, until=until) as engine:
        judge = Judge(engine, epochs, tuple(range(seeds)))
        finalists = _finalists(chooser, engine, judge, by)
        with _bars(engine) as say_what:
            ranked = judged(finalists, judge, say_what)
    if job.objective is not None:  # targets are not right or wrong
        ranked = [_without_accuracy(one) for one in ranked]
    _report(ranked, output, as_json, budget, started)


def _finalists(chooser: Chooser, engine: Engine, judge: Judge, by: str) -> list[Finalist]:
    if by == "ladder":
        return chooser.ladder()
    with _bars(engine) as say_what:
        gains = probe(chooser.space, judge.short(), say_what, chooser.proposer.fits)
    if not gains.complete:
        tell("the time is over: layers that were not probed count as no gain")
        engine.until = None  # the finalists are few
    return [*chooser.by_gains("probe", gains), *chooser.others(engine.context.train)]


@contextmanager
def _bars(engine: Engine) -> Iterator[Callable[[str], None]]:
    """Shows a bar, with the time left, for each group of trainings."""
    bars: list[Any] = []

    def close() -> None:
        for bar in bars:
            bar.__exit__(None, None, None)
        bars.clear()

    def begin(what: str) -> None:
        close()
        told: list[Callable[[int], None]] = []

        def tell_done(done: int, total: int) -> None:
            if not total:
                return
            if not bars or told_total[0] != total:
                close()
                bars.append(counting(what[:30], total))
                told[:] = [bars[0].__enter__()]
                told_total[0] = total
            told[0](done)

        told_total = [-1]
        listen: Told = tell_done
        engine.told = listen

    try:
        yield begin
    finally:
        close()
        engine.told = lambda _done, _of: None


def _report(ranked: list[Finalist], path: Path, as_json: bool, budget: int, started: float) -> None:
    if not ranked:
        raise SchemeError("choose: no scheme is within all limits; allow more")
    best = ranked[0]
    about = f"Chosen by {best.method} for {budget:,} bytes of SRAM; takes {best.size.sram:,}."
    if best.judged is not None:
        about += f"\nHeld-out loss {best.judged.loss:.4f} at --rate {best.judged.rate:g}."
    write_bytes(path, scheme_text(best.scheme, about).encode())
    if as_json:
        rows = [_row(one) for one in ranked]
        click.echo(json.dumps({"chosen": best.method, "rows": rows}, indent=2))
    else:
        shown = table("Finalists", "method", ">loss", ">accuracy %", ">rate", ">SRAM")
        for one in ranked:
            j = one.judged
            cells = (
                ["-"] * 3 if j is None else [f"{j.loss:.4f}", _percent(j.accuracy), f"{j.rate:g}"]
            )
            shown.add_row(one.method, *cells, f"{one.size.sram:,}")
        console.output().print(shown)
    say(f"{about}\nwrote {path} after {time.monotonic() - started:.0f} s")


def _without_accuracy(one: Finalist) -> Finalist:
    return one if one.judged is None else replace(one, judged=replace(one.judged, accuracy=None))


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{accuracy:.1f}"


def _row(one: Finalist) -> dict[str, Any]:
    j = one.judged
    return {
        "method": one.method,
        "loss": j and j.loss,
        "accuracy": j and j.accuracy,
        "rate": j and j.rate,
        "sram": one.size.sram,
        "flash": one.size.flash,
        "scheme": scheme_text(replace(one.scheme)),
    }
