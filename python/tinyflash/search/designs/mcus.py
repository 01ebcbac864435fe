"""Which boards take a network that was tried, and which network is the best that each takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyflash.boards import Board, boards
from tinyflash.boards.firmware import can_compile
from tinyflash.search.designs.cost import Cost, Limits
from tinyflash.search.designs.jobs import Here, Results
from tinyflash.search.designs.stage1 import Planner
from tinyflash.search.designs.stage2 import Tried

_MOST = 6  # networks that are planned for every board


@dataclass(frozen=True)
class Mcu:
    """A board and the best network that fits it with its training; None: none of the front does.
    cost: on this board."""

    board: Board
    best: Tried | None
    cost: Cost | None


def latest(tried: Sequence[Tried]) -> list[Tried]:
    """Returns what each network scored after its longest training, best first."""
    found: dict[str, Tried] = {}
    for one in sorted(tried, key=lambda one: one.samples):
        found[one.design.key] = one
    return sorted(found.values(), key=lambda one: one.rank, reverse=True)


def front(tried: Sequence[Tried], limits: Limits) -> list[Tried]:
    """Returns the networks that no other one beats in accuracy, SRAM, flash and instructions at
    once, best first. Only those of the longest training are compared with it."""
    last = max(one.samples for one in tried)
    every = [one for one in latest(tried) if one.samples == last]
    return [one for one in every if not any(_beats(other, one, limits) for other in every)]


def _beats(one: Tried, other: Tried, limits: Limits) -> bool:
    """Whether one is at least as good in all, and better in something."""
    mine, yours = _numbers(one, limits), _numbers(other, limits)
    return mine != yours and all(a <= b for a, b in zip(mine, yours, strict=True))


def _numbers(one: Tried, limits: Limits) -> tuple[float, ...]:
    """Returns what should be small."""
    cost = one.cost
    return -one.score.accuracy, cost.sram, limits.flash_of(cost), cost.step or 0


def real_boards() -> tuple[Board, ...]:
    """Returns the boards that are no emulators and whose compiler is there, by their SRAM."""
    real = [board for board in boards() if board.qemu is None and can_compile(board)]
    return tuple(sorted(real, key=lambda board: (board.sram_bytes, board.flash_bytes)))


def mcus(
    candidates: Sequence[Tried], limits: Limits, results: Results, tick: Callable[[], None]
) -> tuple[Mcu, ...]:
    """Plans each network for each real board. limits: for what code takes of the flash. tick:
    called after each board."""
    found = []
    for board in real_boards():
        found.append(_best_on(board, candidates[:_MOST], limits, results))
        tick()
    return tuple(found)


def _best_on(board: Board, candidates: Sequence[Tried], limits: Limits, results: Results) -> Mcu:
    costs = Planner(board, results, Here()).costs([one.design for one in candidates])
    room = Limits(board.sram_bytes, board.flash_bytes, None, limits.code, limits.row)
    for one, cost in zip(candidates, costs, strict=True):
        if room.allow(cost):
            return Mcu(board, one, cost)
    return Mcu(board, None, None)
