"""How a session begins: the link to a board, and whether it runs what the host expects."""

from __future__ import annotations

from typing import Protocol

from tinyflash.errors import LinkError
from tinyflash.program import Program
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.port import open_port, rate_of
from tinyflash.runtime.device.protocol import Info


class Emulated(Protocol):
    """The part of a running emulator, boards.Emulator, that a session needs.

    url: of its serial line. counted: its clock counts instructions, so it is slow.
    """

    url: str
    counted: bool

    def why_dead(self) -> str | None:
        """Returns what ended it; None while it runs."""


def link_to(target: Emulated | str | Link) -> Link:
    if isinstance(target, Link):
        return target
    if isinstance(target, str):
        port = open_port(target)
        return Link(port, line=rate_of(port))
    return Link(open_port(target.url), target.why_dead)


def check_pairing(info: Info, key: bytes | None) -> None:
    if info.paired and key is None:
        raise LinkError(
            f"board {info.board} takes commands only from hosts with its pairing key; pass the "
            "file with --pairing-key"
        )
    if key is not None and not info.paired:
        raise LinkError(
            f"the firmware of board {info.board} has no pairing key; build it with --pairing-key, "
            "or leave out this option"
        )


def check_model(info: Info, program: Program | int | None) -> None:
    wanted = program.hash if isinstance(program, Program) else program
    if wanted is not None and info.hash != wanted:
        raise LinkError(
            f"the device runs {info.model!r} with hash {info.hash:08x}, not the program with hash "
            f"{wanted:08x}; build and flash it again"
        )
    for name, size in _sizes(program).items() if isinstance(program, Program) else ():
        if getattr(info, name) != size:
            raise LinkError(
                f"the device reports {name} of {getattr(info, name):,}, its program has {size:,}; "
                "build and flash it again"
            )


def _sizes(program: Program) -> dict[str, int]:
    """Returns what INFO says of a program besides its hash. Not the arena: the memory plan may
    differ, as for the hash, because a board's kernels can need scratch that the host's do not.
    """
    same = ("input_bytes", "output_bytes", "classes", "target_bytes", "row_bytes")
    return {
        "weights_bytes": len(program.weights),
        "state_bytes": len(program.state),
        **{name: getattr(program, name) for name in same},
    }
