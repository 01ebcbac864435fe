"""Runs a firmware in the emulator and returns what each call of a kernel executed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tinyflash.bench.profile import code, plugin
from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.toolchain import ARM
from tinyflash.errors import BoardError, InternalError
from tinyflash.program import SOURCE, Program, Row
from tinyflash.program import Call as TableCall
from tinyflash.runtime.device import DeviceSession


@dataclass(frozen=True)
class Block:
    """A straight piece of code. runs: how often it ran; jumps: of these, how often after a taken
    branch."""

    code: tuple[code.Instruction, ...]
    runs: int
    jumps: int

    @property
    def executed(self) -> int:
        """The instructions that it executed."""
        return len(self.code) * self.runs


@dataclass(frozen=True)
class Call:
    """What one call of a kernel executed, with all functions that it calls; or what the executor
    did before and after it. row: of the table; None: the executor."""

    row: Row | None
    blocks: tuple[Block, ...]

    @property
    def executed(self) -> int:
        """The instructions that it executed."""
        return sum(block.executed for block in self.blocks)


@dataclass(frozen=True)
class Profile:
    """An inference or a training step: its calls in order."""

    calls: tuple[Call, ...]

    @cached_property
    def executed(self) -> int:
        """All instructions."""
        return sum(call.executed for call in self.calls)


def profiled(
    program: Program, board: Board, elf: Path, act: Callable[[DeviceSession], object]
) -> list[Profile]:
    """Runs the firmware of a program in the emulator, and counts.

    act: runs inferences and training steps; a profile of each is returned, in order. Counts are
    exact and repeat to the digit. Raises BoardError if the emulator takes no plugins, or if the
    core is not an Arm, whose instructions are the only ones that are told apart.
    """
    if board.qemu is None:
        raise BoardError(f"{board.name}: has no emulator")
    if board.cross.gcc != ARM:
        raise BoardError(f"{board.name}: only instructions of Arm cores are told apart")
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as folder:
        marks, out = Path(folder, "marks"), Path(folder, "out")
        marks.write_text(code.marks(elf), encoding="ascii")
        options = plugin.options(plugin.library(), marks, out)
        with (
            Emulator(board, elf, options=options) as emulator,
            DeviceSession(emulator, program) as device,
        ):
            act(device)
        lines = out.read_text(encoding="ascii").splitlines()
    known = code.instructions(elf, board.helium)
    return list(_profiles(lines, program, known, code.kernels(elf)))


def _profiles(
    lines: Sequence[str], program: Program, known: code.Known, names: code.Names
) -> Iterator[Profile]:
    """A run is an inference or a training step by the kernels that it calls."""
    raw: list[tuple[int, list[Block]]] = []
    for line in lines:
        if line == "end":
            yield Profile(tuple(_named(raw, program, names)))
            raw = []
        elif line.startswith("call "):
            raw.append((int(line.split()[1], 16), []))
        else:
            raw[-1][1].append(_block(line, known))


def _block(line: str, known: code.Known) -> Block:
    address, count, runs, jumps = line.split()
    place, found = int(address, 16), []
    for _ in range(int(count)):
        found.append(known[place])
        place = known[place].next
    return Block(tuple(found), int(runs), int(jumps))


def _named(
    raw: Sequence[tuple[int, list[Block]]], program: Program, names: code.Names
) -> Iterator[Call]:
    """Yields the calls with their rows: the kernels must be those of a table, in its order."""
    ran = [names[address] for address, _ in raw if address]
    tables = ((program.infer, program.infer_calls), (program.train, program.train_calls))
    for rows, calls in tables:
        ordered = _kernels(rows, calls)
        if [row.symbol for row in ordered] == ran:
            mine = iter(ordered)
            for address, blocks in raw:
                yield Call(next(mine) if address else None, tuple(blocks))
            return
    raise InternalError(f"{program.name}: the emulator ran {len(ran)} kernels in no table's order")


def _kernels(rows: Sequence[Row], calls: Sequence[TableCall]) -> list[Row]:
    every = (rows[call.op] for call in calls)
    return [row for row in every if row.kernel != SOURCE]
