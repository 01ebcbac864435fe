"""The call graph of compiled C and its worst-case stack, from the compiler's figures.

GCC writes the frames of functions after inlining, and the calls, next to each object
(-fcallgraph-info=su). For a call through a pointer, it does not name the function. A unit of this
project calls through its own tables. The executor has no tables: it calls the functions in the
model's tables, and those passed to the session. The store calls the driver of a flash. This module
rejects unbounded stacks: recursion, frames of variable size, functions with unknown stack use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyflash.boards.footprint.objects import CompiledUnit, read_unit
from tinyflash.errors import InternalError

# GCC's name for all calls through pointers; here, the functions in a model's tables.
KERNELS = "__indirect_call"
# For calls through pointers in the store: functions that the firmware passes, none of a table.
HANDED = "__handed_call"
_CALLS_HANDED = ("lib/store.o",)
# Stack bytes of functions of the precompiled C library: the most on any core, except Armv6-M, whose
# compiler also calls functions that no source names.
LIBRARY_FRAMES: Mapping[str, int] = {"memcpy": 0, "memmove": 16, "memset": 16, "strlen": 8}
ARMV6M_FRAMES: Mapping[str, int] = {
    **{"memcpy": 20, "memmove": 20, "memset": 20, "strlen": 8},
    **{"__aeabi_idiv": 8, "__aeabi_idivmod": 8, "__aeabi_uidiv": 8, "__aeabi_uidivmod": 8},
    **{"__aeabi_lmul": 28},
}

_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"', re.MULTILINE)
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
_FRAME = re.compile(r"(\d+) bytes \(([\w,]+)\)")


@dataclass(frozen=True)
class CallGraph:
    """Functions by name, static ones by file and name. Frames in bytes.

    handed: functions whose address the code takes.
    """

    frames: Mapping[str, int]
    calls: Mapping[str, tuple[str, ...]]
    handed: tuple[str, ...] = ()

    def depth(self, root: str, kernels: Iterable[str] = ()) -> int:
        """Returns the most stack that a call of `root` takes, if a model's tables name
        `kernels`."""
        calls = {**self.calls, KERNELS: tuple(kernels), HANDED: self.handed}
        frames = {**self.frames, KERNELS: 0, HANDED: 0}
        return _deepest(root, frames, calls, (), {})

    def to_json(self) -> dict[str, Any]:
        return {
            "frames": dict(self.frames),
            "calls": {name: list(callees) for name, callees in self.calls.items()},
            "handed": list(self.handed),
        }

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> CallGraph:
        calls = {str(name): tuple(callees) for name, callees in fields["calls"].items()}
        frames = {str(name): int(size) for name, size in fields["frames"].items()}
        return CallGraph(frames, calls, tuple(fields["handed"]))


def _deepest(
    name: str,
    frames: Mapping[str, int],
    calls: Mapping[str, tuple[str, ...]],
    above: tuple[str, ...],
    known: dict[str, int],
) -> int:
    """Returns the bytes below the caller of `name`. above: the functions now on the stack."""
    if name in above:
        chain = " -> ".join((*above[above.index(name) :], name))
        raise InternalError(f"recursion needs unlimited stack: {chain}")
    if name not in frames:
        raise InternalError(f"the stack use of {name}() is unknown")
    if name not in known:
        below = (_deepest(c, frames, calls, (*above, name), known) for c in calls.get(name, ()))
        known[name] = frames[name] + max(below, default=0)
    return known[name]


def read_call_graph(objects: Iterable[Path]) -> CallGraph:
    """Reads the call graph of object files. Of two functions with one name, one of them weak, the
    larger stack counts."""
    frames: dict[str, int] = {}
    edges: dict[str, list[str]] = {}
    handed: list[str] = []
    for path in objects:
        unit, text = read_unit(path), _text(path)
        text = _with_global_names(text, unit)
        own = _frames(text)
        library = ARMV6M_FRAMES if unit.armv6m else LIBRARY_FRAMES
        _check_complete(path, unit, text, library)
        for name, size in {**library, **own}.items():
            frames[name] = max(size, frames.get(name, 0))
        held = _named(unit.held, own)
        if path.as_posix().endswith(_CALLS_HANDED):
            held = (HANDED,)
        for caller, callees in _calls(text, held).items():
            edges.setdefault(caller, []).extend(callees)
        for caller, callee in _unnamed(unit, text, library):
            edges.setdefault(_named([caller], own)[0], []).append(callee)
        handed += _named(unit.handed, own)
    calls = {caller: tuple(dict.fromkeys(callees)) for caller, callees in edges.items()}
    return CallGraph(frames, calls, tuple(name for name in handed if name in frames))


def defined_functions(path: Path) -> tuple[str, ...]:
    """Returns the functions of an object file."""
    return tuple(_frames(_text(path)))


def held_functions(path: Path) -> tuple[str, ...]:
    """Returns the functions in the tables of an object file; external data may be among them."""
    return _named(read_unit(path).held, _frames(_text(path)))


def _text(path: Path) -> str:
    return path.with_suffix(".ci").read_text(encoding="utf-8")


def _frames(text: str) -> dict[str, int]:
    """Returns the frames of the functions that a unit defines; others have no size in its graph."""
    frames = {}
    for name, label in _NODE.findall(text):
        size = _FRAME.search(label)
        if size is not None:
            if size[2] != "static":
                raise InternalError(f"the stack frame of {name} has no fixed size ({size[2]})")
            frames[name] = int(size[1])
    return frames


def _named(symbols: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    """Returns the symbols that a unit refers to, by their names in the graph."""
    by_symbol = {_symbol(name): name for name in own}
    return tuple(by_symbol.get(symbol, symbol) for symbol in sorted(symbols))


def _calls(text: str, held: tuple[str, ...]) -> dict[str, list[str]]:
    calls: dict[str, list[str]] = {}
    for caller, callee in _EDGE.findall(text):
        calls.setdefault(caller, []).extend(held if callee == KERNELS and held else (callee,))
    return calls


def _with_global_names(text: str, unit: CompiledUnit) -> str:
    """Returns a graph in which weak functions, which GCC names like static ones, have the names
    that other files call them by."""
    for name in sorted(unit.weak):
        text = re.sub(rf'"[^":]*:{re.escape(name)}"', f'"{name}"', text)
    return text


def _unnamed(unit: CompiledUnit, text: str, library: Mapping[str, int]) -> list[tuple[str, str]]:
    """Returns the calls that the compiler added, of which its graph says nothing."""
    named = {_symbol(name) for name, _ in _NODE.findall(text)}
    return [call for call in sorted(unit.calls) if call[1] in library and call[1] not in named]


def _check_complete(path: Path, unit: CompiledUnit, text: str, library: Mapping[str, int]) -> None:
    """Checks that the graph has every function that the object defines or calls, and that of those
    of the library that it lacks, each call has a caller."""
    absent = (unit.defined | unit.called) - {_symbol(name) for name, _ in _NODE.findall(text)}
    absent -= {callee for _, callee in unit.calls if callee in library}
    if absent:
        raise InternalError(f"the call graph of {path.name} lacks {', '.join(sorted(absent))}")


def _symbol(name: str) -> str:
    """Returns the symbol. GCC names a static function file:function."""
    return name.rpartition(":")[2]
