"""tinyflash data show: what a set holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.data.dataset import Dataset, load
from tinyflash.data.opened import opened
from tinyflash.data.shards import damaged
from tinyflash.data.summary import Summary, summarize
from tinyflash.errors import warn
from tinyflash.show.console import output, say, table
from tinyflash.show.recordings import draw_recordings

_MOST = 40  # recordings in the table


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@options.as_json
@click.option("--picture", type=options.OUTPUT, help="Draw the recordings to this PNG file.")
def show(folder: Path, as_json: bool, picture: Path | None) -> None:
    """Show the recordings of a data set: classes, lengths, gaps, ranges.

    Reads all of it, and compares each shard with its hash.
    """
    dataset = opened(folder)
    bad = damaged(load(folder))  # what is listed: other shards may grow meanwhile
    if bad:
        warn(f"{folder}: {len(bad)} shards are missing or were changed, the first is {bad[0]}")
    summary = summarize(dataset)
    if picture is not None:
        draw_recordings(picture, dataset)
        say(f"wrote {picture}")
    if as_json:
        click.echo(json.dumps(_as_json(dataset, summary, bad), indent=2))
        return
    for rows in (
        _classes(dataset, summary),
        _recordings(dataset, summary),
        _channels(dataset, summary),
    ):
        output(markup=False).print(rows)


def _classes(dataset: Dataset, summary: Summary) -> object:
    rows = table(
        f"{dataset.folder}: classes",
        "class",
        ">frames",
        ">share",
        ">recordings",
        *_seconds(dataset),
    )
    total = max(int(summary.frames.sum()), 1)
    for index, name in enumerate([*dataset.classes, "without a label"]):
        count = int(summary.frames[index]) if index < len(summary.frames) else 0
        within = sum(one.frames[index] > 0 for one in summary.recordings)
        if count or name in dataset.classes:
            time = [_time(dataset, count)] if dataset.frames.rate else []
            rows.add_row(name, f"{count:,}", f"{100 * count / total:.1f} %", f"{within:,}", *time)
    return rows


def _recordings(dataset: Dataset, summary: Summary) -> object:
    rows = table(
        "Recordings",
        "name",
        "subject",
        "session",
        "part",
        ">frames",
        *_seconds(dataset),
        ">gaps",
        ">missing",
    )
    for one in summary.recordings[:_MOST]:
        time = [_time(dataset, one.count)] if dataset.frames.rate else []
        rows.add_row(
            one.name,
            one.subject,
            one.session,
            one.part,
            f"{one.count:,}",
            *time,
            f"{one.gaps:,}",
            f"{one.missing:,}",
        )
    if len(summary.recordings) > _MOST:
        rows.caption = f"and {len(summary.recordings) - _MOST:,} more"
    return rows


def _channels(dataset: Dataset, summary: Summary) -> object:
    rows = table("Channels, in real units", "channel", "unit", ">lowest", ">mean", ">highest")
    names = dataset.frames.channels or tuple(str(n) for n in range(dataset.frames.shape[-1]))
    units = dataset.frames.units or ("",) * len(names)
    for name, unit, low, mean, high in zip(
        names, units, summary.low, summary.mean, summary.high, strict=True
    ):
        rows.add_row(name, unit, f"{low:.6g}", f"{mean:.6g}", f"{high:.6g}")
    return rows


def _seconds(dataset: Dataset) -> list[str]:
    return [">time"] if dataset.frames.rate else []


def _time(dataset: Dataset, frames: int) -> str:
    assert dataset.frames.rate
    seconds = frames / dataset.frames.rate
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.1f} min"


def _as_json(dataset: Dataset, summary: Summary, bad: list[str]) -> dict[str, object]:
    names = [*dataset.classes, ""]
    return {
        "classes": list(dataset.classes),
        "frame": list(dataset.frames.shape),
        "rate": dataset.frames.rate,
        "channels": list(dataset.frames.channels),
        "units": list(dataset.frames.units),
        "low": [float(value) for value in summary.low],
        "mean": [float(value) for value in summary.mean],
        "high": [float(value) for value in summary.high],
        "recordings": [
            {
                "name": one.name,
                "subject": one.subject,
                "session": one.session,
                "part": one.part,
                "frames": one.count,
                "missing": one.missing,
                "gaps": one.gaps,
                "labels": {name: int(n) for name, n in zip(names, one.frames, strict=True) if n},
            }
            for one in summary.recordings
        ],
        "damaged": bad,
    }
