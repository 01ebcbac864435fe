"""Which models the files of a folder belong to, and what is stale among them.

A folder holds compilations (NAME.c and NAME.h of each model, and a report of the last one), an
image built from one of them, and what was learned with one. Commands write these files at
different times, so any of them may be of an earlier model, scheme or board.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tinyflash import files
from tinyflash.boards.named import DEFAULT, model_files, models
from tinyflash.errors import BuildError, listed

ORIGIN = "firmware.json"  # what an image was built from
_HASH = {
    ".c": re.compile(rb"^#if \w+_HASH != 0x([0-9A-Fa-f]{8})u", re.MULTILINE),
    ".h": re.compile(rb"^#define \w+_HASH 0x([0-9A-Fa-f]{8})u", re.MULTILINE),
}
_REPORT = "report.json"


def file_hash(path: Path) -> str | None:
    """Returns the hash of the model in NAME.c or NAME.h, as report.json writes it; None if the file
    is missing or names none."""
    try:
        found = _HASH[path.suffix].search(path.read_bytes())
    except OSError:
        return None
    return None if found is None else found[1].decode().lower()


def model_hashes(folder: Path) -> dict[str, str | None]:
    """Returns the hash of each model in a folder, by its name in C."""
    return {name: file_hash(folder / f"{name}.h") for name in models(folder)}


def name_for(folder: Path, model_hash: str) -> str:
    """Returns the name in C under which a folder has the model with this hash, or would take it: a
    folder with one model keeps that one's name."""
    there = model_hashes(folder)
    same = [name for name, found in there.items() if found == model_hash]
    return (same or (list(there) if len(there) == 1 else [DEFAULT]))[0]


def report_of(folder: Path, name: str | None = None) -> dict[str, Any]:
    """Returns the folder's report.json; empty if it is missing or damaged, or of another model than
    the one with this name."""
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(report, dict) or name not in (None, report.get("name", DEFAULT)):
        return {}
    return report


def check_compilation(folder: Path, name: str) -> None:
    """Raises BuildError if table, header and report of a model are of different compilations, as
    after one that was broken off."""
    hashes = {file: file_hash(folder / file) for file in model_files(name)}
    hashes[_REPORT] = report_of(folder, name).get("hash")
    known = {file: found for file, found in hashes.items() if found is not None}
    if len(set(known.values())) > 1:
        which = ", ".join(f"{file} of {found}" for file, found in known.items())
        option = "" if name == DEFAULT else f" --name {name}"
        raise BuildError(
            f"{folder} has files of different models ({which}); "
            f"run: tinyflash compile{option} -o {folder}"
        )


def write_origin(
    image: Path, model: Path, name: str, board: str, guard: int, replay: int = 0
) -> None:
    """Writes, next to an image, what it was built from. model: the folder of the model with this
    name."""
    origin = {
        "board": board,
        "guard": guard,
        "replay": replay,
        "name": name,
        "hash": file_hash(model / f"{name}.h"),
        "compiled_for": report_of(model, name).get("board"),
        "sha256": {image.name: _digest(image), **_digests(model, name)},
    }
    files.write_json(image.with_name(ORIGIN), origin)


def check_image(image: Path, board: str | None) -> None:
    """Raises BuildError if an image was built from another model than its folder has, or if the
    folder has since been compiled for another board. board: what the user names; None: the
    image's."""
    folder, origin = image.parent, _origin(image)
    now = model_hashes(folder)
    if origin is None:
        content = image.read_bytes()
        if now and not any(bytes.fromhex(one)[::-1] in content for one in now.values() if one):
            raise _stale(image, "from another model", now)
        return
    name, built = origin.get("name", DEFAULT), origin["sha256"]
    digests = _digests(folder, name)
    is_gone = now and name not in now
    if is_gone or any(built.get(file) != digest for file, digest in digests.items()):
        then = origin.get("hash")
        is_version = not is_gone and now.get(name) == then
        other = "from another version of this model" if is_version else f"from model {then}"
        raise _stale(image, other, now if is_gone else {name: now.get(name)})
    compiled_for = report_of(folder, name).get("board")
    if board is None and compiled_for not in (None, origin.get("compiled_for")):
        raise BuildError(
            f"{image} is stale: it is for board {origin['board']}, and the folder has since been "
            f"compiled for {compiled_for}; run: {_build(folder, name)}"
        )


def models_text(hashes: dict[str, str | None]) -> str:
    """Returns "model 0123abcd", or the hashes of several models."""
    found = [str(one) for one in hashes.values()]
    return f"model {found[0]}" if len(found) == 1 else f"models {listed(found)}"


def _stale(image: Path, other: str, now: dict[str, str | None]) -> BuildError:
    folder = image.parent
    name = next(iter(now)) if len(now) == 1 else None
    return BuildError(
        f"{image} is stale: it was built {other}, and {folder} now has {models_text(now)}; "
        f"run: {_build(folder, name)}"
    )


def _build(folder: Path, name: str | None) -> str:
    """Returns the command that builds a model of a folder, which may have several."""
    several = len(models(folder)) > 1
    return f"tinyflash build {folder}" + (f" --name {name or 'NAME'}" if several else "")


def _origin(image: Path) -> dict[str, Any] | None:
    """Returns what `write_origin` wrote of this very image, if it did."""
    try:
        origin = json.loads(image.with_name(ORIGIN).read_text(encoding="utf-8"))
        is_whole = isinstance(origin.get("name", DEFAULT), str)
        return origin if is_whole and origin["sha256"][image.name] == _digest(image) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digests(folder: Path, name: str) -> dict[str, str]:
    there = (file for file in model_files(name) if (folder / file).is_file())
    return {file: _digest(folder / file) for file in there}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
