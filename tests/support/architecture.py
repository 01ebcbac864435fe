"""The order of the folders, what imports what, and the diagram of both in docs/architecture.md.

python -m tests.support.architecture     rewrites the diagram
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from tinyflash.paths import source_root

ROOT = source_root()
PACKAGE = ROOT / "python" / "tinyflash"
PAGE = ROOT / "docs" / "architecture.md"

# Lowest first. A file imports from its own place in this order and from places before it.
NOUNS = (
    "errors",
    "sources",
    "files",
    "paths",
    "arrays",
    "operators",
    "tensors",
    "attributes",
    "graph",
    "program",
    "choices",
    "layers",
    "factor",
    "limits",
    "spectrogram",
)
FOLDERS = (
    "runtime",
    "reference",
    "quantize",
    "read",
    "scheme",
    "compiler",
    "write",
    "dist",
    "boards",
    "data",
    "show",
    "training",
    "search",
    "zoo",
    "bench",
    "demo",
    "cli",
)
ORDER = NOUNS + FOLDERS
NOUNS_PURPOSE = "The words that all folders speak: loose files, which import one another."

# The C folders, top to bottom, and what each is for. `*` stands for one folder.
C_FOLDERS = {
    "firmware": "One image that infers and trains for a host: main loop, device, commands.",
    "firmware/commands": "A file per group of commands of the host.",
    "firmware/link": "Frames over a serial line: checksums, coding, rates, repetition, rows.",
    "firmware/no_model": "The sizes of no model, to measure library and firmware by themselves.",
    "boards/*": "One folder per board: its facts, its serial line and clock, its linker script.",
    "boards/parts/*": "What several boards share: start-up, faults, stack check, semihosting.",
    "boards": "What firmware asks of a board.",
    "lib/kernels/*": "Kernel sets. `ref` defines the result; the others equal it bit for bit.",
    "lib": "Executor, arithmetic, bridge from tables to kernels, guard, schedule, store.",
    "include/tinyflash": "The contract: all that your firmware includes.",
    "include/tinyflash/kernels": "Each kernel's record and contract, a header per operator.",
}
WIDTH = 96


@dataclass(frozen=True)
class Import:
    """One import: `file`, relative to the package, names `module` (dotted) and perhaps `name`."""

    file: str
    line: int
    module: str
    name: str | None = None

    def __str__(self) -> str:
        return f"python/tinyflash/{self.file}:{self.line}: imports {self.module}"


def units() -> set[str]:
    """Folders and loose modules of the package; its door, `__init__` and `__main__`, is neither."""
    folders = {p.parent.name for p in PACKAGE.glob("*/*.py")}
    loose = {p.stem for p in PACKAGE.glob("*.py") if not p.stem.startswith("__")}
    return folders | loose


def unit_of(file: str) -> str:
    """The folder or loose module that a file of the package belongs to."""
    return file.split("/")[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file, including those within functions and those for types alone."""
    file = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            for alias in node.names:
                yield _from(Import(file, node.lineno, base, alias.name))


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).parent.parts]
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _from(found: Import) -> Import:
    """`from a import b` where b is a module imports `a.b`."""
    parts = found.module.split(".")
    if parts[0] == PACKAGE.name:
        place = PACKAGE.joinpath(*parts[1:], found.name or "")
        if place.is_dir() or place.with_suffix(".py").is_file():
            return Import(found.file, found.line, f"{found.module}.{found.name}")
    return found


@cache
def all_imports() -> list[Import]:
    return [found for path in sorted(PACKAGE.rglob("*.py")) for found in imports_of(path)]


def inner(found: Import) -> str | None:
    """The unit of the package that is imported; "" is its door, None is another library."""
    parts = found.module.split(".")
    if parts[0] != PACKAGE.name:
        return None
    return parts[1] if len(parts) > 1 else ""


def matches(file: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(file, pattern) for pattern in patterns)


# --- C


def c_folder(path: Path) -> str:
    """The entry of C_FOLDERS that a file belongs to: the longest that names its folder."""
    folder = path.parent.relative_to(ROOT).as_posix()
    fitting = [name for name in C_FOLDERS if _same_place(folder, name)]
    return max(fitting, key=lambda name: (name.count("/"), len(name)), default=folder)


def _same_place(folder: str, pattern: str) -> bool:
    return folder.count("/") == pattern.count("/") and fnmatch(folder, pattern)


def c_files() -> list[Path]:
    tops = {name.split("/")[0] for name in C_FOLDERS}
    return sorted(p for top in tops for p in (ROOT / top).rglob("*.[ch]"))


def c_includes() -> dict[str, set[str]]:
    """Of each C folder, the other C folders whose headers its files include."""
    headers = [path for path in c_files() if path.suffix == ".h"]
    found: dict[str, set[str]] = {}
    for path in c_files():
        here = found.setdefault(c_folder(path), set())
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            if name == "model.h":
                continue  # the generated one
            beside = (path.parent / name).resolve()
            owners = [h for h in headers if h.as_posix().endswith(f"/{name}")]
            near = [h for h in headers if h == beside]
            here |= {c_folder(header) for header in (near or owners)[:1]}
    return {folder: others - {folder} for folder, others in found.items()}


# --- the page


@dataclass(frozen=True)
class Entry:
    """A folder in a diagram, and the folders `below` that it imports."""

    name: str
    purpose: str
    below: list[str]


def purpose(folder: str) -> str:
    """The first sentence of a folder's docstring."""
    door = PACKAGE / folder / "__init__.py"
    text = ast.get_docstring(ast.parse(door.read_text())) if door.is_file() else None
    if not text:
        return "(no docstring)"
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", first)[0]


def _diagram(entries: list[Entry]) -> str:
    """A paragraph for each entry: its name, what it is for, and behind an arrow what it imports."""
    indent = max(len(entry.name) for entry in entries) + 3
    return "\n\n".join(_paragraph(entry, indent) for entry in entries)


def _paragraph(entry: Entry, indent: int) -> str:
    width = WIDTH - indent
    below = f"-> {', '.join(entry.below) or 'nothing'}"
    lines = textwrap.wrap(entry.purpose, width)
    lines += textwrap.wrap(below, width, subsequent_indent="   ")
    return entry.name.ljust(indent) + ("\n" + " " * indent).join(lines)


def python_diagram() -> str:
    """The folders of the package, highest first, each with what it imports, nearest first."""
    used: dict[str, set[str]] = {}
    for found in all_imports():
        target = inner(found)
        if target and target != unit_of(found.file):
            used.setdefault(unit_of(found.file), set()).add(target)
    present = units()
    entries = []
    for name in (folder for folder in reversed(FOLDERS) if folder in present):
        others = used.get(name, set())
        below = [other for other in reversed(FOLDERS) if other in others]
        entries.append(Entry(name, purpose(name), below + ["nouns"] * bool(others & set(NOUNS))))
    loose = [name for name in NOUNS if name in present]
    return _diagram([*entries, Entry("nouns", NOUNS_PURPOSE, loose)])


def c_diagram() -> str:
    """The C folders, highest first, each with the folders whose headers it includes."""
    used = c_includes()
    return _diagram(
        [
            Entry(name, what, [other for other in C_FOLDERS if other in used[name]])
            for name, what in C_FOLDERS.items()
            if name in used
        ]
    )


def page(text: str) -> str:
    """The page's text with both diagrams as they are now."""
    for name, diagram in (("python", python_diagram()), ("c", c_diagram())):
        pattern = rf"(<!-- {name}: generated -->\n).*?(<!-- end -->)"
        block = f"```text\n{diagram}\n```\n"
        text, count = re.subn(
            pattern,
            lambda found, block=block: found[1] + block + found[2],  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"{PAGE} has {count} places for the {name} diagram, not one")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
