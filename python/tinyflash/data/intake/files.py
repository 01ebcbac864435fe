"""Imports files and folders into a set: finds the reader of each, and what all of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyflash.data import shards, text
from tinyflash.data.dataset import (
    DESCRIPTION,
    Dataset,
    Frames,
    Recording,
    check_frames,
    load,
    with_classes,
)
from tinyflash.data.intake import audio, csvs, edge_impulse, pictures
from tinyflash.data.intake.recorded import Recorded, recording_name
from tinyflash.data.shards import Track, label_numbers
from tinyflash.errors import DataError, printable
from tinyflash.spectrogram import RAW

UNKNOWN_SCALE = 1.0  # of files that say none: the set's holds for them, too
_SLACK = 0.02  # of a rate
_REMEDIES = {
    "channels": "; choose the same with --columns, or import it into another set",
    "shape": "; resample pictures with --size, or import it into another set",
    "rate": "; if they are the same, name it with --rate; otherwise import it into another set",
}
_ITEMS = 256  # pictures in a shard
_TABLES = (".csv", ".tsv")
_SUFFIXES = (*_TABLES, *audio.SUFFIXES, *pictures.SUFFIXES, *edge_impulse.SUFFIXES)


@dataclass(frozen=True)
class Intake:
    """The user's settings of an import.

    label: of all frames of these files; label_column, columns: of CSV; by_folder: the label is the
    name of the file's folder; subject_pattern: finds the subject in a path; size: (columns, rows)
    of pictures.
    """

    label: str | None = None
    label_column: str | None = None
    columns: tuple[str, ...] = ()
    by_folder: bool = False
    rate: float | None = None
    subject: str = ""
    session: str = ""
    subject_pattern: str | None = None
    size: tuple[int, int] | None = None

    def read(self, path: Path) -> Recorded:
        """Reads one file. Raises DataError if no reader knows it."""
        recorded = _checked(self._read(path))
        if self.label is not None:
            return replace(recorded, labels=[written(self.label)] * len(recorded.values))
        if self.by_folder:
            return replace(recorded, labels=[written(path.parent.name)] * len(recorded.values))
        return _as_listed(path, recorded)

    def subject_of(self, path: Path) -> str:
        """Returns who recorded a file. Raises DataError if the pattern does not say."""
        if self.subject_pattern is None:
            return self.subject
        try:
            found = re.search(self.subject_pattern, path.as_posix())
        except re.error as error:
            raise DataError(f"--subject-pattern {self.subject_pattern}: {error}") from None
        if found is None or not found.groups():
            raise DataError(
                f"{path}: --subject-pattern {self.subject_pattern} finds no subject; it needs a "
                "group in round brackets that is in every path"
            )
        return found.group(1)

    def _read(self, path: Path) -> Recorded:
        suffix = path.suffix.lower()
        if suffix in _TABLES:
            return csvs.read_csv(path, self.rate, self.label_column, self.columns)
        if suffix in audio.SUFFIXES:
            return audio.read_audio(path)
        if suffix in pictures.SUFFIXES:
            return pictures.read_picture(path, self.size)
        if suffix in edge_impulse.SUFFIXES:
            return edge_impulse.read_edge_impulse(path)
        raise DataError(f"{path} has a kind that no reader knows; give {' '.join(_SUFFIXES)}")


def _checked(recorded: Recorded) -> Recorded:
    """Returns what a reader found, with texts that a set can hold. Raises DataError if a set cannot
    have such frames."""
    frames = recorded.frames
    try:
        check_frames(frames)
    except ValueError as error:
        raise DataError(f"{recorded.source}: {printable(str(error))}") from None
    channels, units = (tuple(map(written, names)) for names in (frames.channels, frames.units))
    known = {label: written(label) for label in set(recorded.labels)}
    labels = [known[label] for label in recorded.labels]
    frames = replace(frames, channels=channels, units=units)
    return replace(recorded, frames=frames, labels=labels)


def written(text: str) -> str:
    """Returns a text as a set holds it and a terminal shows it: names of files and JSON may have
    what UTF-8 cannot hold, and control characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _as_listed(path: Path, recorded: Recorded) -> Recorded:
    """Returns a file of an Edge Impulse export with the label and the part that the export lists,
    unless its own column has labels."""
    found = edge_impulse.listed(path)
    if found is None:
        return recorded
    label, part = found
    own = path.suffix.lower() in _TABLES and any(recorded.labels)
    labels = recorded.labels if own else [written(label)] * len(recorded.values)
    return replace(recorded, labels=labels, part=part)


def files_in(sources: Iterable[Path]) -> list[Path]:
    """Returns the files of sources, in order, each once, though two sources or links may name it:
    a folder stands for all files in it that a reader knows. Raises DataError if a source is
    missing or has none."""
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise DataError(f"{source}: there is no such file or folder")
        there = [source] if not source.is_dir() else sorted(_known(source.rglob("*")))
        if not there:
            raise DataError(f"{source} has no file that a reader knows ({' '.join(_SUFFIXES)})")
        found += there
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _known(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.suffix.lower() in _SUFFIXES and not any(part[0] == "." for part in path.parts[-2:]):
            yield path


def import_files(
    folder: Path,
    paths: Sequence[Path],
    intake: Intake,
    listen: Callable[[int], None] | None = None,
) -> Dataset:
    """Adds files to the set in a folder, which is made if it is new, and saves it. Nothing is
    listed, and so nothing added, if a file cannot be read or the disk is full. listen: is called
    with the number of files done."""
    before = load(folder) if (folder / DESCRIPTION).exists() else None
    there = set((folder / shards.FOLDER).glob("*"))
    try:
        dataset = _imported(folder, before, paths, intake, listen)
        text.save(dataset)
        return dataset
    except BaseException:
        for path in set((folder / shards.FOLDER).glob("*")) - there:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it was there before
            (folder / shards.FOLDER).rmdir()
        raise


def _imported(
    folder: Path,
    dataset: Dataset | None,
    paths: Sequence[Path],
    intake: Intake,
    listen: Callable[[int], None] | None,
) -> Dataset:
    waiting: list[tuple[Recording, Recorded]] = []
    taken = {one.name for one in dataset.recordings} if dataset else set()
    parts: dict[str, list[str]] = {}
    for done, path in enumerate(paths, 1):
        recorded = intake.read(path)
        name = recording_name(path, taken)
        taken.add(name)
        dataset = fitting(dataset or Dataset(folder, recorded.frames), recorded)
        about = Recording(
            name,
            (),
            written(intake.subject_of(path)),
            written(intake.session),
            written(path.name),
        )
        if recorded.part:
            parts.setdefault(recorded.part, []).append(name)
        if len(recorded.frames.shape) > 1:
            waiting.append((about, recorded))
            if len(waiting) == _ITEMS:
                dataset, waiting = _with_items(dataset, waiting), []
        else:
            dataset = _with_signal(dataset, about, recorded)
        if listen is not None:
            listen(done)
    assert dataset is not None
    dataset = _with_items(dataset, waiting) if waiting else dataset
    return _with_parts(dataset, parts)


def fitting(dataset: Dataset, recorded: Recorded) -> Dataset:
    """Returns the set with the classes of what is recorded. Raises DataError if its frames are of
    another kind."""
    mine, other = dataset.frames, recorded.frames
    for what in ("front_end", "channels", "shape", "rate", "units", "scale"):
        if what == "scale" and (other.scale == UNKNOWN_SCALE or mine.front_end != RAW):
            continue  # a front end defines its numbers; their unit is what the network wants
        if not _alike(getattr(mine, what), getattr(other, what)):
            raise DataError(
                f"{recorded.source}: {what} {_said(other, what)} is not the set's "
                f"{_said(mine, what)}{_remedy(what, mine)}"
            )
    return with_classes(dataset, list(dict.fromkeys(recorded.labels)))


def _alike(mine: object, other: object) -> bool:
    """Measured rates differ a little: a clock is not exact."""
    if isinstance(mine, float) and isinstance(other, float):
        return abs(mine - other) <= _SLACK * mine
    return mine == other


def _said(frames: Frames, what: str) -> str:
    value = getattr(frames, what)
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def _remedy(what: str, frames: Frames) -> str:
    if what == "channels" and len(frames.shape) > 1:
        return "; convert the pictures to the same colours, or import it into another set"
    return _REMEDIES.get(what, "; import it into another set")


def _with_signal(dataset: Dataset, about: Recording, recorded: Recorded) -> Dataset:
    labels = label_numbers(dataset, recorded.labels)
    return shards.append(dataset, about, Track(recorded.values, recorded.numbers, labels))


def _with_items(dataset: Dataset, items: Sequence[tuple[Recording, Recorded]]) -> Dataset:
    frames = np.concatenate([recorded.values for _, recorded in items])
    labels = label_numbers(dataset, [recorded.labels[0] for _, recorded in items])
    return shards.append_items(dataset, [about for about, _ in items], frames, labels)


def _with_parts(dataset: Dataset, parts: dict[str, list[str]]) -> Dataset:
    """Returns the set with the parts of a split that the files name."""
    if not parts:
        return dataset
    merged = {part: tuple(names) for part, names in dataset.splits.items()}
    for part, names in parts.items():
        merged[part] = (*merged.get(part, ()), *names)
    return replace(dataset, splits=merged, split_by=dataset.split_by or "files")
