"""Computes a program's SRAM on a board other than arena, weights and state, before the build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyflash.boards import firmware as build
from tinyflash.boards.description import Board
from tinyflash.boards.footprint.callgraph import CallGraph
from tinyflash.boards.footprint.compiled import compiled_code
from tinyflash.boards.footprint.firmware import firmware_stack

if TYPE_CHECKING:
    from tinyflash.program import Program, Row

__all__ = ["Footprint", "footprint", "footprint_if_known"]


@dataclass(frozen=True)
class Footprint:
    """Bytes of SRAM, from the compiler's figures for a board. Stacks are worst cases.

    stack_bytes: stack of the library, from tiny_infer or tiny_train down. static_bytes: its
    variables and a session. scratch_bytes: additional memory of kernels. kernels: the stack of each
    kernel that the program names, without the executor above it. source_stack_bytes: the part of
    stack_bytes in use when the library calls a row source; add the source's own stack. firmware_*:
    the same for this project's firmware: its stack from start-up down, including the library's, and
    its variables, without the model's and without static_bytes.
    """

    stack_bytes: int
    static_bytes: int
    scratch_bytes: int
    kernels: Mapping[str, int]
    source_stack_bytes: int
    firmware_stack_bytes: int
    firmware_static_bytes: int


def footprint(program: Program, board: Board) -> Footprint:
    """Returns the footprint. Compiles the library for the board if the cache does not have it.
    Raises BuildError."""
    code = compiled_code(board)
    infer, train = _kernels(program.infer), _kernels(program.train)
    every = dict.fromkeys((*infer, *train))
    library = code.library_bytes + code.session_bytes
    return Footprint(
        stack_bytes=_stack(code.graph, infer, train),
        static_bytes=library,
        scratch_bytes=0,  # no kernel has any
        kernels={name.removeprefix("tiny_op_"): code.graph.depth(name) for name in every},
        source_stack_bytes=_stack(code.graph, (), ()),
        firmware_stack_bytes=firmware_stack(code.graph, every),
        firmware_static_bytes=code.firmware_bytes - code.session_bytes,
    )


def _stack(graph: CallGraph, infer: Iterable[str], train: Iterable[str]) -> int:
    return max(graph.depth("tiny_infer", infer), graph.depth("tiny_train", train))


def footprint_if_known(program: Program, board: Board) -> Footprint | None:
    """Returns None if the board's compiler is missing: a program can be compiled without it."""
    return footprint(program, board) if build.can_compile(board) else None


def _kernels(rows: Iterable[Row]) -> tuple[str, ...]:
    from tinyflash.program import SOURCE  # not for a build, which reads call graphs alone

    return tuple(dict.fromkeys(row.symbol for row in rows if row.kernel != SOURCE))
