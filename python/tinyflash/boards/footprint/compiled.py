"""Measures library and firmware compiled for a board, once, and caches the result."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyflash import files
from tinyflash.boards import firmware as build
from tinyflash.boards.description import Board
from tinyflash.boards.footprint.callgraph import CallGraph, read_call_graph
from tinyflash.boards.footprint.objects import read_unit
from tinyflash.boards.packs import pack_of_set
from tinyflash.errors import DataError
from tinyflash.paths import source_root

_SOURCES = (".c", ".h", ".toml")
_MODEL_VARIABLES = (".bss.weights", ".bss.state", ".bss.arena")  # of firmware/main.c


@dataclass(frozen=True)
class CompiledCode:
    """Sizes that do not depend on the model. `library_bytes`, `firmware_bytes`: of variables."""

    graph: CallGraph
    library_bytes: int
    firmware_bytes: int  # without the model's
    session_bytes: int  # of a tiny_session, part of the firmware's variables

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "graph": self.graph.to_json()}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> CompiledCode:
        return CompiledCode(**{**fields, "graph": CallGraph.from_json(fields["graph"])})


def compiled_code(board: Board) -> CompiledCode:
    """Returns the sizes from the cache, or compiles now, which takes seconds."""
    path = files.cache_dir() / "footprint" / f"{board.name}-{_key(board)}.json"
    try:
        return CompiledCode.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged
        code = _compile(board)
        with suppress(DataError):  # a cache that cannot be written costs time only
            files.write_json(path, code.to_json())
        return code


def _key(board: Board) -> str:
    """Returns a digest of everything that affects the result: sources, flags, and the compiler."""
    root = source_root()
    folders = ("include", "lib", "firmware", *board.source_folders)
    sources = [p for folder in folders for p in (root / folder).rglob("*") if p.suffix in _SOURCES]
    packs = filter(None, map(pack_of_set, board.kernels))
    sources += [p for pack in packs for p in pack.folder.rglob("*") if p.suffix in _SOURCES]
    measuring = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(_version(board).encode())
    for path in [root / "SConstruct", *sorted(sources), *measuring]:
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _version(board: Board) -> str:
    command = [board.cross.gcc, "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _compile(board: Board) -> CompiledCode:
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as private:
        folder = build.compile_objects(board, Path(private))
        objects = sorted(folder.rglob("*.o"))
        library = [path for path in objects if path.is_relative_to(folder / "lib")]
        return CompiledCode(
            graph=read_call_graph(objects),
            library_bytes=_variable_bytes(library),
            firmware_bytes=_variable_bytes(set(objects) - set(library)),
            session_bytes=size_of(board, "tiny_session", Path(private)),
        )


def _variable_bytes(objects: Iterable[Path]) -> int:
    """Returns the SRAM of variables, without main.c's memory for the model."""
    sections = [item for path in objects for item in read_unit(path).variables.items()]
    return sum(size for name, size in sections if name not in _MODEL_VARIABLES)


def size_of(board: Board, struct: str, folder: Path) -> int:
    """Returns the size of a struct of tinyflash/model.h, as the board's compiler sees it."""
    source = folder / f"{struct}.c"
    source.write_text(f'#include "tinyflash/model.h"\n{struct} one;\n', encoding="utf-8")
    target, cross = source.with_suffix(".o"), board.cross
    includes = ["-I", str(source_root() / "include")]
    command = [cross.gcc, *board.cpu_flags, *cross.headers, *includes, "-c", str(source)]
    subprocess.run([*command, "-o", str(target)], check=True)
    return sum(read_unit(target).variables.values())
