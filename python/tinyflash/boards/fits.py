"""Checks whether a compiled model, with its firmware, fits a board, and measures its memory."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.boards.description import Board
from tinyflash.boards.firmware import stack_error, stack_needed
from tinyflash.boards.footprint import Footprint, footprint_if_known
from tinyflash.boards.memory import MODEL, Region
from tinyflash.compiler import Compiled
from tinyflash.errors import BoardError
from tinyflash.program import Program
from tinyflash.runtime.replay import ReplayCost


@dataclass(frozen=True)
class Fit:
    """A program on a board. used: the sizes of library and firmware from the board's compiler; None
    if that compiler is missing: sizes then count only the model and its stack. replay_bytes: of a
    replay buffer, among the variables."""

    board: Board
    used: Footprint | None
    program: Program
    replay_bytes: int = 0

    @property
    def sram_bytes(self) -> int:
        """All used SRAM: model, firmware, and the reserved stack."""
        program = self.program
        model = program.arena_bytes + len(program.weights) + len(program.state)
        return model + self.firmware_bytes + self.replay_bytes + self.board.stack_bytes

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
    def parts(self) -> dict[str, int]:
        """The bytes of each part in RAM, with its padding."""
        program = self.program
        spaces = (program.arena_bytes, len(program.weights), len(program.state))
        model = {name: nbytes + 8 - nbytes % 8 for name, nbytes in zip(MODEL, spaces, strict=True)}
        variables = self.sram_bytes - self.board.stack_bytes - sum(model.values())
        return {"stack": self.board.stack_bytes, "variables": variables, **model}

    def used_of(self, region: str) -> int:
        """The bytes that are used of a region of RAM."""
        return sum(self.parts[part] for part in self.board.place.parts_in(region))

    @property
    def rom_bytes(self) -> int:
        """The flash of the model's constants, without code."""
        return len(self.program.flash) + len(self.program.weights) + len(self.program.state)


def measure(program: Program, board: Board, replay: int = 0) -> Fit:
    """Returns the memory that a program takes on a board, even if that is more than the board
    has. replay: samples of each class that a replay buffer keeps."""
    cost = ReplayCost.of(program, replay)
    return Fit(board, footprint_if_known(program, board), program, cost.total)


def check_fits(compiled: Compiled, board: Board, replay: int = 0) -> Fit:
    """Returns the same. Raises BoardError if it is more than the board has."""
    fit = measure(compiled.program, board, replay)
    if fit.used is not None and stack_needed(fit.used.firmware_stack_bytes) > board.stack_bytes:
        raise stack_error(board, fit.used.firmware_stack_bytes)
    for region in board.used_ram:
        if fit.used_of(region.name) > region.size:
            raise BoardError(
                f"board {board.name}: {_too_small(fit, region)}; the arena's peak holds "
                f"{_largest(compiled)}; {_less(fit)}train fewer channels or layers, or take a "
                "larger board"
            )
    if fit.rom_bytes > board.flash_bytes:
        raise BoardError(
            f"board {board.name}: {fit.rom_bytes - board.flash_bytes:,} bytes of flash too small "
            f"for {fit.rom_bytes:,} bytes of weights; take a larger board or a smaller model"
        )
    return fit


def _less(fit: Fit) -> str:
    """Returns what to do about a buffer that does not fit, if there is one."""
    if not fit.replay_bytes:
        return ""
    return f"keep fewer samples to replay, whose buffer takes {fit.replay_bytes:,} bytes, "


_PARTS = {
    **{"arena": "arena", "weights": "trained weights", "state": "state"},
    **{"variables": "firmware", "stack": "its stack"},
}


def _too_small(fit: Fit, region: Region) -> str:
    """Returns by how much, for what, and which regions have room."""
    parts = {
        part: fit.parts[part] for part in _PARTS if part in fit.board.place.parts_in(region.name)
    }
    listed = " + ".join(f"{_PARTS[part]} {nbytes:,}" for part, nbytes in parts.items())
    over = sum(parts.values()) - region.size
    text = f"{over:,} bytes of {region.name.upper()} too small: {listed} > {region.size:,}"
    free = {r: r.size - fit.used_of(r.name) for r in fit.board.ram if r != region}
    room = [f"{other.name} has {nbytes:,} free" for other, nbytes in free.items() if nbytes > 0]
    moves = [
        (nbytes, f"--place {part}={other.name}")
        for part, nbytes in parts.items()
        for other in free
        if over <= nbytes <= free[other] and other.takes(part)
    ]
    if moves:
        room.append(f"try {min(moves)[1]}")
    return "; ".join([text, *room])


def _largest(compiled: Compiled) -> str:
    """Returns the largest buffers at the arena's peak, as text."""
    plan = compiled.fuller.plan
    live = plan.live_at(plan.peak_step)[:4]
    return ", ".join(f"{p.storage.name} ({p.storage.nbytes:,})" for p in live)
