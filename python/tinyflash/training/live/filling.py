"""Fills a replay buffer with what was learned before, and holds samples out for a guard."""

from __future__ import annotations

from tinyflash.errors import DataError
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.replay import empty
from tinyflash.training.samples import Samples, hold_out


def filled(program: Program, slots: int, seed: int, earlier: Samples | None) -> bytes:
    """Returns the memory of a buffer that has seen all `earlier` samples in their order, and so
    keeps an even choice of them (SPEC 12.2); without them, an empty one."""
    memory = empty(program, slots, seed)
    if earlier is None:
        return memory
    session = HostSession(program)
    session.start_replay(memory, slots, 1)
    for x, label in zip(earlier.x, earlier.labels.tolist(), strict=True):
        session.keep(x, label)
    return session.replay_memory()


def divided(
    earlier: Samples | None, guard: int, seed: int
) -> tuple[Samples | None, Samples | None]:
    """Returns the earlier samples that a buffer may keep, and `guard` others for a guard. Raises
    DataError if there is nothing to hold out from."""
    if not guard:
        return earlier, None
    if earlier is None:
        raise DataError(
            "a guard of live learning holds out earlier samples, which the stream does not have; "
            "name them with --earlier"
        )
    return hold_out(earlier, guard, seed)
