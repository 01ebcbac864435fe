"""Which model the files of a folder belong to, and what is stale among them.

A folder holds one compilation (model.c, model.h, the report), an image built from it, and what was
learned with it. Commands write these files at different times, so any of them may be of an earlier
model, scheme or board.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tinyflash import files
from tinyflash.errors import BuildError

MODEL = ("model.c", "model.h")
ORIGIN = "firmware.json"  # what an image was built from
_HASH = {
    "model.c": re.compile(rb"^#if \w+_HASH != 0x([0-9A-Fa-f]{8})u", re.MULTILINE),
    "model.h": re.compile(rb"^#define \w+_HASH 0x([0-9A-Fa-f]{8})u", re.MULTILINE),
}
_REPORT = "report.json"


def model_hash(folder: Path, name: str = "model.h") -> str | None:
    """Returns the hash of the model in one of the files of MODEL, as report.json writes it; None if
    the file is missing or names none."""
    try:
        found = _HASH[name].search((folder / name).read_bytes())
    except OSError:
        return None
    return None if found is None else found[1].decode().lower()


def report_of(folder: Path) -> dict[str, Any]:
    """Returns the folder's report.json; empty if it is missing or damaged."""
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def check_compilation(folder: Path) -> None:
    """Raises BuildError if table, header and report are of different compilations, as after one
    that was broken off."""
    hashes = {name: model_hash(folder, name) for name in MODEL}
    hashes[_REPORT] = report_of(folder).get("hash")
    known = {name: found for name, found in hashes.items() if found is not None}
    if len(set(known.values())) > 1:
        which = ", ".join(f"{name} of {found}" for name, found in known.items())
        raise BuildError(
            f"{folder} has files of different models ({which}); run: tinyflash compile -o {folder}"
        )


def write_origin(image: Path, model: Path, board: str, guard: int) -> None:
    """Writes, next to an image, what it was built from. model: the folder of the model."""
    origin = {
        "board": board,
        "guard": guard,
        "hash": model_hash(model),
        "compiled_for": report_of(model).get("board"),
        "sha256": {image.name: _digest(image), **_digests(model)},
    }
    files.write_json(image.with_name(ORIGIN), origin)


def check_image(image: Path, board: str | None) -> None:
    """Raises BuildError if an image was built from another model than that of its folder, or if the
    folder has since been compiled for another board. board: what the user names; None: the
    image's."""
    folder = image.parent
    now, origin = model_hash(folder), _origin(image)
    if origin is None:
        if now is not None and bytes.fromhex(now)[::-1] not in image.read_bytes():
            raise _stale(image, "from another model", now)
        return
    built, digests = origin["sha256"], _digests(folder)
    if any(built.get(name) != digest for name, digest in digests.items()):
        then = origin.get("hash")
        other = "from another version of this model" if then == now else f"from model {then}"
        raise _stale(image, other, now)
    compiled_for = report_of(folder).get("board")
    if board is None and compiled_for not in (None, origin.get("compiled_for")):
        raise BuildError(
            f"{image} is stale: it is for board {origin['board']}, and the folder has since been "
            f"compiled for {compiled_for}; run: tinyflash build {folder}"
        )


def _stale(image: Path, other: str, now: str | None) -> BuildError:
    return BuildError(
        f"{image} is stale: it was built {other}, and {image.parent} now has model {now}; "
        f"run: tinyflash build {image.parent}"
    )


def _origin(image: Path) -> dict[str, Any] | None:
    """Returns what `write_origin` wrote of this very image, if it did."""
    try:
        origin = json.loads(image.with_name(ORIGIN).read_text(encoding="utf-8"))
        return origin if origin["sha256"][image.name] == _digest(image) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digests(folder: Path) -> dict[str, str]:
    return {name: _digest(folder / name) for name in MODEL if (folder / name).is_file()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
