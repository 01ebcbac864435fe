"""Writes dataset.toml, which people read and edit too: one recording in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from tinyflash.data.dataset import DESCRIPTION, FORMAT, Dataset, Recording, check
from tinyflash.errors import DataError
from tinyflash.files import toml_value, write_bytes


def save(dataset: Dataset) -> None:
    """Writes dataset.toml, atomically. Raises DataError if the set makes no sense."""
    try:
        check(dataset)
    except ValueError as error:
        raise DataError(f"{dataset.folder}: {error}") from None
    write_bytes(dataset.folder / DESCRIPTION, dataset_text(dataset).encode())


def dataset_text(dataset: Dataset) -> str:
    """Returns TOML that `load` reads as `dataset`."""
    return "\n".join(_lines(dataset)) + "\n"


def _lines(dataset: Dataset) -> Iterator[str]:
    frames = dataset.frames
    yield f"format = {FORMAT}"
    yield f"classes = {toml_value(dataset.classes)}"
    yield f"frame = {toml_value(frames.shape)}"
    if frames.rate is not None:
        yield f"rate = {toml_value(frames.rate)}"
    for name in ("channels", "units"):
        if values := getattr(frames, name):
            yield f"{name} = {toml_value(values)}"
    yield f"scale = {toml_value(frames.scale)}"
    if frames.offset:
        yield f"offset = {toml_value(frames.offset)}"
    yield f"front_end = {toml_value(frames.front_end)}"
    if dataset.corrections:
        yield "# recording, first and last frame, the label that they have"
        rows = ((c.recording, c.first, c.last, c.label) for c in dataset.corrections)
        yield from ("corrections = [", *(f"    {toml_value(row)}," for row in rows), "]")
    for recording in dataset.recordings:
        yield from _recording(recording)
    yield from ("", "[splits]", f"by = {toml_value(dataset.split_by)}")
    yield from (
        f"{toml_value(part)} = {toml_value(names)}" for part, names in dataset.splits.items()
    )
    yield from ("", "[shards] # SHA-256")
    yield from (
        f"{toml_value(name)} = {toml_value(digest)}" for name, digest in dataset.digests.items()
    )


def _recording(recording: Recording) -> Iterator[str]:
    yield from ("", "[[recordings]]", f"name = {toml_value(recording.name)}")
    for key in ("subject", "session", "source"):
        if value := getattr(recording, key):
            yield f"{key} = {toml_value(value)}"
    pieces = [(p.shard, p.row, p.first, p.count) for p in recording.pieces]
    yield f"pieces = {toml_value(pieces)}  # shard, its row, first frame, frames"
