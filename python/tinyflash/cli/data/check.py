"""tinyflash data check: labels that are probably wrong."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from tinyflash.cli import options
from tinyflash.compiler import prepare
from tinyflash.data import text
from tinyflash.data.check.findings import Findings, Span, find
from tinyflash.data.check.flags import CONFIDENT, RULES
from tinyflash.data.check.quality import TOKEN_SCORES
from tinyflash.data.check.review import corrected, write_review
from tinyflash.data.dataset import Dataset, Recording
from tinyflash.data.lock import changing
from tinyflash.data.opened import opened
from tinyflash.data.samples import samples as windows_of
from tinyflash.data.samples import window_for
from tinyflash.data.windows import Windows
from tinyflash.errors import DataError
from tinyflash.files import to_fill, write_bytes, write_json
from tinyflash.read import read
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.show.console import counting, output, say, table
from tinyflash.show.labels.page import as_html
from tinyflash.show.words import counted
from tinyflash.training.crossval import cross_validate, folds_of
from tinyflash.training.loop import Recipe
from tinyflash.training.samples import Source, as_samples

WRITTEN = ("review.csv", "check.json", "check.html")
_MOST = 12  # rows of a table
_REMEDY = {
    "subject": "give --by session or --by recording",
    "session": "give --by recording",
    "recording": "record more",
}
BY = ("subject", "session", "recording")


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@click.option("--model", type=options.PATH, help="The network that reads the windows.")
@options.scheme
@options.hop
@click.option(
    "--by",
    type=click.Choice(BY),
    default=BY[0],
    show_default=True,
    help="What is together in a fold.",
)
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True)
@click.option(
    "--score", type=click.Choice(list(TOKEN_SCORES)), default="self_confidence", show_default=True
)
@click.option(
    "--rule", type=click.Choice(RULES), default=CONFIDENT, show_default=True,
    help="Which windows are flagged: those that are confidently of another class, or as many as "
    "the set probably has wrong ones: more of these, and more of the right ones.",
)  # fmt: skip
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Processes.",
)
@options.epochs
@options.rate
@options.seed
@click.option(
    "--fix", type=options.PATH, help="Instead: correct the set by this reviewed review.csv."
)
@click.option(
    "-o", "--out", "to", type=options.PATH, help="Folder for review.csv, check.json and check.html."
)
@options.as_json
def check(
    folder: Path,
    model: Path | None,
    scheme: Path | None,
    hop: int | None,
    by: str,
    folds: int,
    score: str,
    rule: str,
    jobs: int,
    epochs: int,
    rate: float,
    seed: int,
    fix: Path | None,
    to: Path | None,
    as_json: bool,
) -> None:
    """Find labels of a data set that are probably wrong.

    Trains --model on all folds but one, and asks it about that one, for each fold. A label is
    suspicious if a network that has not learned from it does not believe it. Write yes into the
    column `accept` of review.csv where you agree, and give that file to --fix.
    """
    if fix is not None:
        _fix(folder, fix, as_json)
        return
    dataset = opened(folder)
    if model is None or to is None:
        raise DataError("data check needs --model and -o, or --fix")
    to_fill(to, WRITTEN)
    prepared = prepare(read(model), load_scheme(scheme) if scheme else Scheme())
    wanted = prepared.whole.input.shape[1:]
    cut = windows_of(dataset, None, wanted, hop)
    classes = prepared.whole.output.shape[-1]
    source = Source(folder, hop=hop, dataset=dataset)
    samples = as_samples(source, cut.x, cut.y, prepared.whole.input, classes)
    groups = _groups(dataset, by)[cut.recording]
    if len(np.unique(groups)) < 2:
        raise DataError(f"{folder} has windows of one {by} only; {_REMEDY[by]}")
    parts = folds_of(groups, min(folds, len(np.unique(groups))))
    recipe = Recipe(epochs, rate, seed=seed)
    with counting("folds", int(parts.max()) + 1) as listen:
        p = cross_validate(prepared, samples, parts, recipe, jobs, listen)
    length = window_for(dataset, wanted)
    found = find(dataset, dataset.recordings, cut, length, p, score, rule)
    _write(to, dataset, cut, found)
    if as_json:
        click.echo((to / "check.json").read_text(), nl=False)
    else:
        _show(found)
    _say(found, cut, p)
    say(f"wrote {to}/review.csv, check.json and check.html")


def _fix(folder: Path, review: Path, as_json: bool) -> None:
    with changing(folder):
        fixed, count = corrected(opened(folder, mine=True), review)
        text.save(fixed)
    if as_json:
        click.echo(json.dumps({"corrected": count}, indent=2))
    say(f"corrected {counted(count, 'span')} of {folder}")


def _groups(dataset: Dataset, by: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns the group of each recording, by number."""
    keys = [_key(one, by) for one in dataset.recordings]
    known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys], np.int64)


def _key(one: Recording, by: str) -> tuple[str, ...]:
    if by == "recording":
        return (one.name,)
    key = (one.subject,) if by == "subject" else (one.subject, one.session)
    if not key[-1]:
        raise DataError(f"recording {one.name} has no {by}; give --by recording")
    return key


def _write(to: Path, dataset: Dataset, cut: Windows, found: Findings) -> None:
    write_review(to / "review.csv", found.windows)
    lists = {name: [asdict(span) for span in getattr(found, name)] for name in _LISTS}
    counts = {"windows": len(cut.y), "flagged": int(found.flagged.sum())}
    write_json(to / "check.json", {**counts, "suspicious": lists, "recordings": found.methods})
    write_bytes(to / "check.html", as_html(dataset, found).encode())


_LISTS = ("windows", "segments", "recordings")


def _show(found: Findings) -> None:
    for name in _LISTS:
        spans: tuple[Span, ...] = getattr(found, name)
        rows = table(
            f"Suspicious {name}: {len(spans):,}",
            "recording",
            ">first",
            ">last",
            "given",
            "likely",
            ">score",
        )
        for one in spans[:_MOST]:
            rows.add_row(
                one.recording,
                f"{one.first:,}",
                f"{one.last:,}",
                one.given,
                one.likely,
                f"{one.score:.4f}",
            )
        output(markup=False).print(rows)


def _say(
    found: Findings, cut: Windows, p: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> None:
    right = float((p.argmax(1) == cut.y).mean())
    share = float(found.flagged.mean())
    say(
        f"{len(cut.y):,} windows: {100 * share:.1f} % flagged; the networks agree with "
        f"{100 * right:.1f} % of the labels"
    )
