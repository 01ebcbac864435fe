"""Firmware for a model of any name: finds the name, and lets firmware include it as model.h."""

from __future__ import annotations

import re
from pathlib import Path

from tinyflash import files
from tinyflash.boards.packs import PACKS
from tinyflash.errors import BuildError, DataError, listed
from tinyflash.sources import DEFAULT, HELIUM

__all__ = [
    "DEFAULT",
    "as_model",
    "header_text",
    "model_files",
    "model_name",
    "models",
    "packed_sets",
]

_LARGEST_HEADER = 1 << 20  # bytes


def model_files(name: str) -> tuple[str, str]:
    """Returns the files of a model: its table, and its header."""
    return f"{name}.c", f"{name}.h"


def models(folder: Path) -> tuple[str, ...]:
    """Returns the names of the models in a folder, sorted; none if it cannot be read."""
    try:
        return tuple(sorted(path.stem for path in folder.glob("*.h") if _is_model(path)))
    except OSError:
        return ()


def model_name(folder: Path, name: str | None = None) -> str:
    """Returns the name of the model in a folder. Raises BuildError if there is none, or if there
    are several and `name` does not choose one."""
    names = models(folder)
    if name is None and len(names) == 1:
        return names[0]
    if name is None and names:
        raise BuildError(f"{folder} holds the models {listed(names)}; choose one with --name")
    wanted = name or DEFAULT
    if wanted not in names:
        missing = folder / f"{wanted}.c"
        option = "" if wanted == DEFAULT else f" --name {wanted}"
        raise BuildError(f"{missing} is missing; run tinyflash compile{option} -o {folder}")
    return wanted


def _is_model(header: Path) -> bool:
    """Whether it is the header of a model whose source is there, too."""
    if not header.with_suffix(".c").is_file():
        return False
    try:
        text = header_text(header)
    except DataError:  # a user's own, and larger than a model's
        return False
    return re.search(rf"\btiny_model {re.escape(header.stem)};", text) is not None


def header_text(header: Path) -> str:
    """Returns the text of a model's header."""
    return files.read_bytes(header, _LARGEST_HEADER).decode("utf-8", errors="replace")


def packed_sets(table: bytes) -> tuple[str, ...]:
    """Returns the kernel sets made of packs that a model's table, NAME.c, names kernels of."""
    sets = "|".join(map(re.escape, PACKS))
    named = re.findall(rf"^TINY_OP\(\w+?_({sets})(?:{HELIUM})?\);$".encode(), table, re.MULTILINE)
    return tuple(dict.fromkeys(name.decode() for name in named))


def as_model(name: str, header: str) -> str:
    """Returns model.h for firmware, which calls its model MODEL and that model's macros MODEL_*.

    header: the text of NAME.h.
    """
    prefix = name.upper()
    macros = re.findall(rf"^#define {prefix}_(\w+) ", header, re.MULTILINE)
    lines = [f"#define MODEL_{macro} {prefix}_{macro}" for macro in macros]
    return "\n".join([f'#include "{name}.h"', "", f"#define MODEL {name}", *lines, ""])
