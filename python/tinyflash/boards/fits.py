"""Checks whether a compiled model, with its firmware, fits a board, and measures its memory."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.boards.description import Board
from tinyflash.boards.firmware import stack_error, stack_needed
from tinyflash.boards.footprint import Footprint, footprint_if_known
from tinyflash.compiler import Compiled
from tinyflash.errors import BoardError
from tinyflash.program import Program


@dataclass(frozen=True)
class Fit:
    """A program on a board. used: the sizes of library and firmware from the board's compiler; None
    if that compiler is missing: sizes then count only the model and its stack."""

    board: Board
    used: Footprint | None
    program: Program

    @property
    def sram_bytes(self) -> int:
        """All used SRAM: model, firmware, and the reserved stack."""
        program = self.program
        model = program.arena_bytes + len(program.weights) + len(program.state)
        return model + self.firmware_bytes + self.board.stack_bytes

    @property
    def firmware_bytes(self) -> int:
        """Variables of library and firmware, if known, and the firmware's padding of the model's
        spaces: it rounds each up to units of 8 bytes, and adds one unit (firmware/main.c)."""
        program, used = self.program, self.used
        spaces = (program.arena_bytes, len(program.weights), len(program.state))
        added = sum(8 - nbytes % 8 for nbytes in spaces)
        variables = 0 if used is None else used.static_bytes + used.firmware_static_bytes
        return added + -(-variables // 8) * 8

    @property
    def rom_bytes(self) -> int:
        """The flash of the model's constants, without code."""
        return len(self.program.flash) + len(self.program.weights) + len(self.program.state)


def measure(program: Program, board: Board) -> Fit:
    """Returns the memory that a program takes on a board, even if that is more than the board
    has."""
    return Fit(board, footprint_if_known(program, board), program)


def check_fits(compiled: Compiled, board: Board) -> Fit:
    """Returns the same. Raises BoardError if it is more than the board has."""
    fit, program = measure(compiled.program, board), compiled.program
    if fit.used is not None and stack_needed(fit.used.firmware_stack_bytes) > board.stack_bytes:
        raise stack_error(board, fit.used.firmware_stack_bytes)
    if fit.sram_bytes > board.sram_bytes:
        raise BoardError(
            f"board {board.name}: {fit.sram_bytes - board.sram_bytes:,} bytes of SRAM too small: "
            f"arena {program.arena_bytes:,} + trained weights {len(program.weights):,} + state "
            f"{len(program.state):,} + firmware {fit.firmware_bytes:,} + its stack "
            f"{board.stack_bytes:,} > {board.sram_bytes:,}; the arena's peak holds "
            f"{_largest(compiled)}; train fewer channels or layers, or take a larger board"
        )
    if fit.rom_bytes > board.flash_bytes:
        raise BoardError(
            f"board {board.name}: {fit.rom_bytes - board.flash_bytes:,} bytes of flash too small "
            f"for {fit.rom_bytes:,} bytes of weights; take a larger board or a smaller model"
        )
    return fit


def _largest(compiled: Compiled) -> str:
    """Returns the largest buffers at the arena's peak, as text."""
    plan = compiled.fuller.plan
    live = plan.live_at(plan.peak_step)[:4]
    return ", ".join(f"{p.storage.name} ({p.storage.nbytes:,})" for p in live)
