"""tinyflash data horizon: how far ahead a target can be foreseen, and from how much past."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.cli.completing import PART, TARGET
from tinyflash.data.horizon.folds import folds
from tinyflash.data.horizon.question import CLASS, EVENT, OWN, asked
from tinyflash.data.horizon.series import series
from tinyflash.data.horizon.study import PREDICTORS, RIDGE, Map, Study, parts_of, study
from tinyflash.data.horizon.window import Window, recommended
from tinyflash.data.opened import opened
from tinyflash.show.console import counting, output, say, table
from tinyflash.show.horizon import draw_horizon

_MOST = 10_000  # times in a range


def _times(_context: object, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    """Reads 0.1,0.5,1 or 0:0.5:0.1, from, to and step, or both mixed."""
    found: list[float] = []
    for part in text.split(","):
        try:
            numbers = [float(number) for number in part.split(":")]
        except ValueError:
            numbers = []
        if not np.isfinite(numbers).all() or min(numbers, default=-1) < 0:
            numbers = []
        if len(numbers) == 1:
            found.append(numbers[0])
        elif (
            len(numbers) == 3
            and numbers[2] > 0
            and 0 <= (numbers[1] - numbers[0]) / numbers[2] < _MOST
        ):
            first, last, step = numbers
            found.extend(first + step * n for n in range(int((last - first) / step + 1e-9) + 1))
        else:
            raise click.BadParameter(
                f"{part!r} is neither a time, such as 0.5, nor a range, such as 0:0.5:0.1.",
                param=parameter,
            )
    return tuple(found)


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@click.option(
    "--target", type=TARGET, required=True, metavar="CHANNEL|class|event:CLASS",
    help=f"What to foresee: a channel's value; with {CLASS!r} the class; with {EVENT}CLASS whether "
    "that class begins within the lead.",
)  # fmt: skip
@click.option(
    "--modality", "modalities", multiple=True, metavar="NAME=CHANNEL,...",
    help="Channels to foresee it from. Repeatable: each is judged, and all together. Default: all "
    "channels but the target.",
)  # fmt: skip
@click.option(
    "--history", callback=_times, default="0.1,0.5,1,2", show_default=True, metavar="TIMES",
    help="How much past to read, in seconds: a list, or FROM:TO:STEP.",
)  # fmt: skip
@click.option(
    "--lead", callback=_times, default="0.1,0.3,0.5", show_default=True, metavar="TIMES",
    help="How far to look ahead, in seconds: a list, or FROM:TO:STEP.",
)  # fmt: skip
@click.option(
    "--predictor", "predictors", type=click.Choice(PREDICTORS), multiple=True, default=(RIDGE,),
    show_default=True, help="Repeatable. mlp and gru need torch.",
)  # fmt: skip
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True,
    help="Read one of so many frames.",
)  # fmt: skip
@click.option("--part", type=PART, help="Only this part of the split.")
@click.option(
    "--learn", type=PART, metavar="PART", help="Learn from this part instead. Default: the same."
)
@click.option("--folds", "count", type=click.IntRange(2), default=5, show_default=True)
@options.board
@options.seed
@options.as_json
@click.option("--picture", type=options.OUTPUT, help="Draw the maps to this PNG file.")
def horizon(
    folder: Path,
    target: str,
    modalities: tuple[str, ...],
    history: tuple[float, ...],
    lead: tuple[float, ...],
    predictors: tuple[str, ...],
    every: int,
    part: str | None,
    learn: str | None,
    count: int,
    board: str | None,
    seed: int,
    as_json: bool,
    picture: Path | None,
) -> None:
    """Map how far ahead a target can be foreseen, and from how much past.

    Predictors learn from some subjects and are tested on others; their settings are chosen without
    these, too. Each modality is compared with a baseline, the target's own past: its timescale is
    the longest lead at which it foresees more. Says for each lead which window a network should
    read, and what that costs on --board.
    """
    target_board = None if board is None else load_board(board)
    dataset = opened(folder)
    question = asked(dataset, target, modalities, history, lead, every)
    tested = dataset.part(part)
    read = series(dataset, tested if learn is None else dataset.part(learn), tested, question)
    chosen = tuple(dict.fromkeys(predictors))
    done = 0
    with counting("horizon", parts_of(read, chosen)) as listen:

        def tick() -> None:
            nonlocal done
            done += 1
            listen(done)

        found = study(read, folds(read, count), chosen, seed, tick)
    windows = recommended(found, target_board)
    if picture is not None:
        draw_horizon(picture, found)
        say(f"wrote {picture}")
    if as_json:
        click.echo(json.dumps(_as_json(found, windows, board), indent=2))
        return
    for predictor, maps in found.maps.items():
        for one in maps.values():
            output(markup=False).print(_map(found, predictor, one))
    output(markup=False).print(_timescales(found))
    output(markup=False).print(_windows(found, windows, board))


def _map(found: Study, predictor: str, one: Map) -> object:
    unit = " s" if found.timed else ""
    question, rate = found.series.question, found.series.rate
    heads = [f">history {steps / rate:g}{unit}" for steps in question.histories]
    title = f"{found.series.scored} of {question.target}, by {predictor} from {_input(one)}"
    rows = table(title, f">lead,{unit or ' frames'}", *heads)
    for lead, scores in zip(question.leads, one.mean.T, strict=True):
        rows.add_row(f"{lead / rate:g}", *(f"{round(score, 3) + 0.0:.3f}" for score in scores))
    return rows


def _input(one: Map) -> str:
    return "its own past (baseline)" if one.modality == OWN else one.modality


def _timescales(found: Study) -> object:
    rate, unit = found.series.rate, " s" if found.timed else " frames"
    rows = table("Timescales", "predictor", "modality", ">foresees more than the baseline up to")
    for predictor, scales in found.timescales.items():
        for modality, one in scales.items():
            if one.steps is None:
                text = "never"
            else:
                text = f"{one.steps / rate:g}{unit}{' or more' if one.open else ''}"
            rows.add_row(predictor, modality, text)
    return rows


def _windows(found: Study, windows: tuple[Window, ...], board: str | None) -> object:
    rate, unit = found.series.rate, " s" if found.timed else " frames"
    score = found.series.scored
    rows = table(
        f"Smallest windows within 0.01 of the best, on {board or 'a Cortex-M4, kernels ref'}",
        ">lead", ">window", "of", "predictor", f">{score}", ">baseline", ">arena, B", ">SRAM, B",
        ">instructions, at most",
    )  # fmt: skip
    for one in windows:
        costs: tuple[int | None, ...] = (None,) * 3
        if one.cost is not None:
            costs = (one.cost.arena_bytes, one.cost.sram_bytes, one.cost.instructions)
        rows.add_row(
            f"{one.lead / rate:g}{unit}", f"{one.steps / rate:g}{unit}", one.modality,
            one.predictor, f"{one.score:.3f}", f"{one.baseline:.3f}",
            *("-" if value is None else f"{value:,}" for value in costs),
        )  # fmt: skip
    return rows


def _as_json(found: Study, windows: tuple[Window, ...], board: str | None) -> dict[str, object]:
    read, question = found.series, found.series.question

    def seconds(steps: int | None) -> float | None:
        return None if steps is None else steps / read.rate

    return {
        "target": question.target,
        "score": read.scored,
        "chance": read.chance,
        "rate": read.rate if found.timed else None,
        "every": question.every,
        "subjects": list(read.subjects),
        "histories": [seconds(steps) for steps in question.histories],
        "leads": [seconds(steps) for steps in question.leads],
        "maps": [
            {
                "predictor": predictor,
                "modality": name,
                "mean": _numbers(one.mean),
                "subjects": {s: _numbers(one.scores[n]) for n, s in enumerate(read.subjects)},
            }
            for predictor, maps in found.maps.items()
            for name, one in maps.items()
        ],
        "timescales": [
            {
                "predictor": predictor,
                "modality": name,
                "lead": seconds(one.steps),
                "or_more": one.open,
            }
            for predictor, scales in found.timescales.items()
            for name, one in scales.items()
        ],
        "board": board,
        "windows": [
            {
                **asdict(one),
                "lead": seconds(one.lead),
                "history": seconds(one.steps),
                "frames": one.steps * question.every,
            }
            for one in windows
        ],
    }


def _numbers(values: npt.NDArray[np.float64]) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]
