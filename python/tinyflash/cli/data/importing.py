"""tinyflash data import: files of others as recordings of a set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.data.intake.files import Intake, files_in, import_files
from tinyflash.data.lock import changing
from tinyflash.errors import listed, warn
from tinyflash.show.console import counting, say
from tinyflash.show.words import counted


def _size(_context: object, _parameter: object, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    columns, _, rows = value.lower().partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and 0 < int(columns) < 65536 > int(rows) > 0):
        raise click.BadParameter(f"{value!r} is not COLUMNSxROWS, such as 96x96.")
    return int(columns), int(rows)


@click.command(cls=options.Command)
@click.argument("sources", nargs=-1, required=True, type=options.PATH)
@click.option("--label", help="The class of all frames of these files.")
@click.option(
    "--label-column", help="Of CSV: the column of labels. Default: one that is called so."
)
@click.option("--columns", metavar="NAME,...", help="Of CSV: the channels. Default: all others.")
@click.option("--by-folder", is_flag=True, help="The class is the name of a file's folder.")
@click.option(
    "--rate",
    type=Number(0, min_open=True),
    help="Of CSV without a time: frames per second.",
)
@click.option("--subject", default="", help="Who wore the sensor, the same in all these files.")
@click.option("--session", default="", help="When it was recorded, the same in all these files.")
@click.option(
    "--subject-pattern", metavar="REGEX",
    help="Takes the subject of each file from its path: the first group of this expression.",
)  # fmt: skip
@click.option(
    "--size", metavar="COLUMNSxROWS", callback=_size, help="Resample pictures to this size."
)
@options.output_folder("Folder of the set, which may have recordings already.", ("dataset.toml",))
@options.as_json
def import_(
    sources: tuple[Path, ...],
    label: str | None,
    label_column: str | None,
    columns: str | None,
    by_folder: bool,
    rate: float | None,
    subject: str,
    session: str,
    subject_pattern: str | None,
    size: tuple[int, int] | None,
    output: Path,
    as_json: bool,
) -> None:
    """Import SOURCES, files or folders, into a data set.

    CSV: a file is a recording, a row a frame; columns called time, timestamp or time_ms give the
    rate, and gaps; one called label, class or activity gives labels. WAV and FLAC: a file is a
    recording. Pictures: the folder's name is the class. JSON and CBOR: what Edge Impulse exports.
    If a file cannot be read, nothing is added.
    """
    chosen = tuple(columns.split(",")) if columns else ()
    intake = Intake(
        label, label_column, chosen, by_folder, rate, subject, session, subject_pattern, size
    )
    paths = files_in(sources)
    with changing(output, new=True), counting("import", len(paths)) as listen:
        dataset = import_files(output, paths, intake, listen)
    _compare(dataset.classes)
    total = sum(one.count for one in dataset.recordings)
    if as_json:
        counts = {"recordings": len(dataset.recordings), "frames": total}
        about = {"files": len(paths), "folder": str(output), **counts}
        click.echo(json.dumps({**about, "classes": dataset.classes}, indent=2))
    say(
        f"imported {counted(len(paths), 'file')}; {output} has "
        f"{counted(len(dataset.recordings), 'recording')}, {counted(total, 'frame')}, "
        f"{counted(len(dataset.classes), 'class').replace('classs', 'classes')}"
    )


def _compare(classes: Sequence[str]) -> None:
    """Warns of classes that differ in case only, as those that people type do."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(name.casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            warn(
                f"classes {listed(names)} differ in upper and lower case only; if they are one, "
                "write it alike in the files and import them again"
            )
