"""The structure that the folder list promises: who may include whom, and what C may use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tinyflash.boards import load_board
from tinyflash.boards.firmware import can_compile, compile_objects
from tinyflash.boards.footprint.objects import CompiledUnit, read_unit
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE

ROOT = source_root()
# Each folder of C, and the folders whose headers it may include besides its own.
ALLOWED = {
    "include": set(),
    "lib": {"include"},
    "firmware": {"include", "boards"},
    "boards": set(),
}
SYSTEM_IN_LIB = {"stddef.h", "stdint.h", "stdbool.h", "string.h"}


def c_files(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".c", ".h"))


def includes(path: Path) -> list[tuple[str, bool]]:
    """Names of included headers, and whether they are the system's."""
    found = re.findall(r'^#include ([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE)
    return [(name, bracket == "<") for bracket, name in found]


def owner(header: str) -> Path | None:
    """The file that a quoted header names; None: the generated model."""
    if header == "model.h":
        return None
    found = [p for f in ALLOWED for p in c_files(f) if p.as_posix().endswith("/" + header)]
    assert len(found) == 1, f"{header} is {found or 'nowhere'}"
    return found[0]


def top(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_includes_follow_the_arrows(folder: str) -> None:
    for path in c_files(folder):
        for header, system in includes(path):
            file = None if system else owner(header)
            assert file is None or top(file) in {folder, *ALLOWED[folder]}, f"{path}: {header}"


def quoted(path: Path) -> set[Path]:
    """The headers of ours that a file includes."""
    files = (owner(header) for header, system in includes(path) if not system)
    return {file for file in files if file is not None}


def test_the_link_knows_no_command() -> None:
    for path in c_files("firmware/link"):
        above = {p for p in quoted(path) if top(p) == "firmware" and p.parent != path.parent}
        assert above <= {ROOT / "firmware" / "protocol.h"}, path


def test_no_headers_include_each_other() -> None:
    graph = {path: quoted(path) for folder in ALLOWED for path in c_files(folder)}
    TopologicalSorter(graph).prepare()  # raises CycleError


def outside(unit: CompiledUnit) -> frozenset[str]:
    """The functions of other files that an object refers to."""
    return (unit.called | unit.held | unit.handed) - unit.defined


@pytest.mark.skipif(not can_compile(), reason="no Arm compiler")
def test_no_files_call_each_other(tmp_path: Path) -> None:
    """Nor do they through tables that they hold. A board calls back into the program by design."""
    header = (ROOT / "tests" / "link" / "model" / "model.h").read_text()
    objects = compile_objects(header, load_board("qemu_stm32f405"), tmp_path, guard=2)
    units = {
        path: read_unit(path) for f in ("lib", "firmware") for path in (objects / f).rglob("*.o")
    }
    home = {name: path for path, unit in units.items() for name in unit.defined}
    graph = {path: {home[n] for n in outside(unit) & set(home)} for path, unit in units.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def code(path: Path) -> str:
    """The C of a file without comments and strings."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    return re.sub(r'"[^"\n]*"', '""', text)


def test_the_library_needs_neither_float_nor_allocator() -> None:
    for path in c_files("lib") + c_files("include"):
        forbidden = re.findall(r"\b(float|double|malloc|calloc|realloc|free|alloca)\b", code(path))
        assert not forbidden, f"{path}: {forbidden}"
        system = {name for name, is_system in includes(path) if is_system}
        assert system <= SYSTEM_IN_LIB, f"{path}: {system - SYSTEM_IN_LIB}"


def test_kernels_are_not_written_for_one_machine() -> None:
    """Another kernel set is another folder, not an #if inside a file. A file of such a set may have
    one around it all, and so be empty for a core that lacks its instructions."""
    for path in c_files("lib"):
        conditions = re.findall(r"^#\s*(?:if|ifdef|elif)\b.*", code(path), re.MULTILINE)
        is_of_a_faster_set = path.parent.parent.name == "kernels" and path.parent.name != REFERENCE
        assert len(conditions) <= is_of_a_faster_set, f"{path}: {conditions}"


def test_importing_tinyflash_needs_nothing_heavy() -> None:
    script = (
        "import sys, tinyflash, tinyflash.compiler.pipeline, tinyflash.cli; print(*sys.modules)"
    )
    command = [sys.executable, "-c", script]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "tensorflow", "onnx", "matplotlib"} & set(modules)


def imported(path: Path) -> set[str]:
    """Parts of tinyflash that a file imports, by the first name behind `tinyflash.`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinyflash."):
            names.add((node.module or "").split(".")[1])
    return names


@pytest.mark.parametrize("package", ["passes", "plan", "lower", "read", "reference", "write"])
def test_the_compiler_does_not_know_what_uses_it(package: str) -> None:
    later = {"host", "device", "cli", "demo", "compiler", "sessions", "training"}
    for path in (ROOT / "python" / "tinyflash" / package).rglob("*.py"):
        assert not imported(path) & later, path


def test_the_reference_shares_no_arithmetic_with_the_compiler() -> None:
    """It was written from SPEC.md alone, so it can judge the rest."""
    for path in (ROOT / "python" / "tinyflash" / "reference").rglob("*.py"):
        assert not imported(path) & {"arith", "lower", "passes", "host"}, path


def test_each_kernel_file_has_a_header_of_its_name() -> None:
    headers = {p.stem for p in (ROOT / "include" / "tinyflash" / "kernels").glob("*.h")}
    kernels = {p.stem for p in (ROOT / "lib" / "kernels" / "ref").glob("*.c")}
    assert headers == kernels | {"arguments"}


def test_each_kernel_has_a_contract() -> None:
    """A comment right before it, which says what it computes."""
    for path in c_files("include"):
        if path.parent.name == "kernels":
            found = re.findall(r"^(.*)\nvoid (tiny_\w+)\(", path.read_text(), re.MULTILINE)
            bare = [name for before, name in found if not before.endswith("*/")]
            assert not bare, f"{path.name}: {bare}"
