"""Counts a single call of each kernel on an emulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflash.bench.kernels.cases import CASES, Case
from tinyflash.bench.kernels.layers import network
from tinyflash.bench.kernels.peers import Peer, better_peer
from tinyflash.bench.profile import Profile, profiled
from tinyflash.boards import Board
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError, InternalError
from tinyflash.runtime.device import DeviceSession
from tinyflash.write.model import write_model

_RATE = 0.01


@dataclass(frozen=True)
class Row:
    """What a call of a kernel takes on a board. macs: multiply-adds, of kernels without weights the
    elements that they read."""

    board: str
    kernel: str
    shape: str
    set: str
    macs: int
    instructions: int


@dataclass(frozen=True)
class Measured:
    """A row, and the better peer on this core."""

    row: Row
    peer: Peer | None

    @property
    def per_unit(self) -> float:
        """Instructions per multiply-add, or per element."""
        return self.row.instructions / self.row.macs

    @property
    def ratio(self) -> float | None:
        """Of the better peer's instructions; below 1: fewer here."""
        return None if self.peer is None else self.row.instructions / self.peer.instructions


def measure(board: Board, cases: Sequence[Case] = CASES) -> Iterator[Measured]:
    """Yields each case on a board, with the kernel that the compiler chooses there.

    How it counts: the case is a layer of a small network, which the compiler lowers as always,
    except that no map is cut into rows. Its firmware runs an inference or a training step in the
    emulator, and a plugin counts the instructions of each call. A figure is those of the kernel's
    only call, with all functions that it calls, and of the executor between the call before and
    this one. A gradient's is of the second step, whose exponents follow the first one's.

    Raises BoardError if the board has no emulator or the emulator takes no plugins.
    """
    if board.qemu is None:
        raise BoardError(f"{board.name}: has no emulator, which would count")
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as work:
        for case in cases:
            yield _measured(case, board, Path(work))


def _measured(case: Case, board: Board, work: Path) -> Measured:
    graph, scheme = network(case)
    compiled = compile_model(graph, scheme, kernels=board.kernels, streamed=False)
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as folder:
        write_model(compiled, Path(folder, "model"))
        elf = build_firmware(Path(folder, "model"), board, Path(folder, "out"), work=work)
        profile = _profile(case, compiled, board, elf)
    found, name = _of(case, profile)
    row = Row(board.name, case.kernel, case.shape, name, case.work, found)
    return Measured(row, better_peer(case.kernel, case.shape, board))


def _profile(case: Case, compiled: Compiled, board: Board, elf: Path) -> Profile:
    """Returns that of an inference, or of a second training step."""
    random, program = np.random.default_rng(2), compiled.program
    x = random.integers(-128, 128, compiled.graph.input.shape[-3:]).astype(np.int8)
    target = random.integers(-128, 128, program.target_bytes).astype(np.int8)

    def act(device: DeviceSession) -> None:
        if case.forward:
            device.infer(x)
            return
        device.train_on_target(x, target, _RATE)
        device.train_on_target(x, target, _RATE)

    return profiled(program, board, elf, act)[-1]


def _of(case: Case, profile: Profile) -> tuple[int, str]:
    """Returns the instructions of the case's call, and the kernel's set."""
    for before, call in zip(profile.calls, profile.calls[1:], strict=False):
        if call.row is not None and call.row.kernel == case.kernel:
            return before.executed + call.executed, call.row.kernel_set
    raise InternalError(f"{case.shape}: no row of the table has the kernel {case.kernel}")
