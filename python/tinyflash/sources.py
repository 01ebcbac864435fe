"""Lists the C files of the library, and its kernel sets.

setup.py loads this file by its path before anything is installed: it imports nothing of tinyflash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# The set that defines all results, and the only one with every kernel.
REFERENCE = "ref"
# The set for PCs: no table names it, so no board lists it.
FOR_PCS = "host"
# The name of a model in C, and of its files, unless the user gives another.
DEFAULT = "model"
# Before the sets of a board: of several kernels that suit a row, the one that costs least is taken.
AUTO = "auto"
# Ends the name of a set that has other scratch on cores with Helium, in tables for them.
HELIUM = "_helium"


def kernel_sets(root: Path) -> tuple[str, ...]:
    """Returns the names of all kernel sets: the folders of lib/kernels that are named as C can, and
    not for a tool (__pycache__). root: of the source tree."""
    folders = [p.name for p in (root / "lib" / "kernels").iterdir() if p.is_dir()]
    return tuple(sorted(name for name in folders if re.fullmatch(r"[a-z][a-z0-9_]*", name)))


def library_sources(root: Path, sets: Iterable[str] | None = None) -> list[Path]:
    """Returns the C files of the library with those kernel sets. Default: all; the linker drops
    kernels that no table names."""
    chosen = kernel_sets(root) if sets is None else sets
    folders = [root / "lib", *(root / "lib" / "kernels" / name for name in chosen)]
    return sorted(file for folder in folders for file in folder.glob("*.c"))


def model_version(root: Path) -> int:
    """Returns TINY_MODEL_VERSION of the library: the structures that it reads."""
    text = (root / "include" / "tinyflash" / "model.h").read_text(encoding="utf-8")
    (number,) = re.findall(r"^#define TINY_MODEL_VERSION (\d+)$", text, re.MULTILINE)
    return int(number)


def structures(root: Path) -> dict[str, dict[str, str]]:
    """Returns the structures that a model consists of: their fields in order, with their types."""
    headers = (root / "include" / "tinyflash").rglob("*.h")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(headers))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.DOTALL)
    return {name: _fields(body) for name, body in found}


def _fields(body: str) -> dict[str, str]:
    """Returns the type of each field: `uint16_t height, *width;` declares two of one type."""
    fields: dict[str, str] = {}
    for declaration in filter(None, map(str.strip, body.split(";"))):
        words = re.findall(r"\w+", declaration.removeprefix("const ").split("[")[0])
        fields.update(dict.fromkeys(words[1:], words[0]))
    return fields


def kernels_of(root: Path, name: str) -> frozenset[str]:
    """Returns the kernels that a set defines, without its suffix: `TINY_OP(add_forward_dsp) {` in a
    file of lib/kernels/dsp is add_forward. The reference kernels, without a suffix, are in
    ops.h; those for Helium are those of the set itself."""
    name = name.removesuffix(HELIUM)
    if name == REFERENCE:
        files, kernel = [root / "include" / "tinyflash" / "ops.h"], r"^TINY_OP\((\w+)\);"
    else:
        files = sorted((root / "lib" / "kernels" / name).glob("*.c"))
        kernel = rf"^TINY_OP\((\w+)_{re.escape(name)}\)\s*\{{"
    texts = (file.read_text(encoding="utf-8") for file in files)
    return frozenset(k for text in texts for k in re.findall(kernel, text, re.MULTILINE))
