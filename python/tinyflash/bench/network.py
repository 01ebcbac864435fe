"""Counts the instructions of whole networks on emulated boards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.bench.memory import Subject
from tinyflash.bench.profile import Profile, profiled
from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware, firmware_size
from tinyflash.compiler import compile_model
from tinyflash.errors import BoardError, DataError, InternalError
from tinyflash.program import Program
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model
from tinyflash.zoo import published
from tinyflash.zoo.reference import reference_network

SCHEME = "49kb"  # the smallest published scheme of each network
BOARDS = ("qemu_stm32f405", "qemu_mps2_an500", "qemu_mps2_an505", "qemu_mps3_an547")
_RATE = 0.01


@dataclass(frozen=True)
class Row:
    """The cost of one subject on one board.

    set: the board's kernel sets, most preferred first. infer, step: instructions of an inference
    and of a training step. flash, sram: bytes of the whole firmware, link and stack included.
    """

    board: str
    network: str
    scheme: str
    set: str
    infer: int
    step: int
    flash: int
    sram: int


@dataclass(frozen=True)
class Measured:
    """A row, the board's core, and where it was asked for what the plugin saw of the inference and
    of the step."""

    row: Row
    core: str
    infer: Profile | None = None
    step: Profile | None = None


def subjects(networks: Sequence[str] = ()) -> Iterator[Subject]:
    """Returns the given reference networks, or all, with their smallest schemes."""
    for name in networks or published.NETWORKS:
        if name not in published.NETWORKS:
            raise DataError(f"no network {name!r}; choose one of {', '.join(published.NETWORKS)}")
        update = published.schemes(name)[SCHEME]
        yield Subject(name, SCHEME, reference_network(name), update)


def measure(
    subject: Subject, board: Board, detailed: bool = False, work: Path | None = None
) -> Measured:
    """Runs an inference and a training step on an emulated board, and counts their instructions.

    detailed: runs them a second time, with the plugin, for profiles. work: of build_firmware.
    Raises BoardError if no emulator counts for the board or the network does not fit, and
    InternalError if the board and this computer end with different bytes.
    """
    if board.qemu is None:
        raise BoardError(f"{board.name}: has no emulator; choose one of {', '.join(BOARDS)}")
    compiled = compile_model(subject.graph, subject.update, kernels=board.kernels)
    program = compiled.program
    shape = compiled.graph.tensors[compiled.graph.input.tensor].shape
    sample = np.random.default_rng(1).integers(-128, 128, shape[-3:]).astype(np.int8)
    host = HostSession(program)
    with tempfile.TemporaryDirectory() as folder:
        write_model(compiled, Path(folder, "model"))
        elf = build_firmware(Path(folder, "model"), board, Path(folder, "firmware"), work=work)
        size = firmware_size(elf)
        with (
            Emulator(board, elf, counted=True) as emulator,
            DeviceSession(emulator, program.hash) as device,
        ):
            answer = device.infer(sample)
            infer = device.last_ticks
            device.train_step(sample, 1, _RATE)
            step = device.last_ticks
            learned = bytes(device.weights)
        profiles = _profiles(program, board, elf, sample) if detailed else ()
    same = np.array_equal(answer, host.infer(sample))
    host.train_step(sample, 1, _RATE)
    if not same or learned != bytes(host.weights):
        raise InternalError(f"{board.name}: {subject.network} differs from this computer's bytes")
    per = board.qemu.ticks_per_instruction
    row = Row(
        board=board.name,
        network=subject.network,
        scheme=subject.scheme,
        set=" ".join(board.kernels),
        infer=round(infer / per),
        step=round(step / per),
        flash=size.flash_bytes,
        sram=size.sram_bytes,
    )
    return Measured(row, board.core, *profiles)


def _profiles(
    program: Program, board: Board, elf: Path, sample: npt.NDArray[np.int8]
) -> Sequence[Profile]:
    """Returns those of an inference and of a training step."""

    def act(device: DeviceSession) -> None:
        device.infer(sample)
        device.train_step(sample, 1, _RATE)

    return profiled(program, board, elf, act)
