"""bench kernels: counts are those of the emulator's own clock, and of the kernel that is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import tinyflash

from tinyflash.bench.kernels import cases, peers
from tinyflash.bench.kernels.layers import network
from tinyflash.bench.kernels.run import measure
from tinyflash.boards import Board, load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware, can_compile
from tinyflash.compiler import compile_model
from tinyflash.compiler.costs import multiply_adds
from tinyflash.errors import BoardError
from tinyflash.runtime.device import DeviceSession
from tinyflash.write.model import write_model

BOARD = "qemu_stm32f405"  # a tick of its clock is an instruction
SMALL, GRADIENT = (
    next(case for case in cases.CASES if case.shape == shape)
    for shape in ("256->10", "1x1 8x8 48->192")
)
needs_arm = pytest.mark.skipif(
    not can_compile(load_board("qemu_stm32f405")), reason="no Arm compiler"
)


def clocked(case: cases.Case, board: Board, folder: Path) -> int:
    """The instructions of an inference of the case alone, by the board's clock."""
    assert board.qemu is not None
    compiled = compile_model(network(case)[0], kernels=board.kernels)
    write_model(compiled, folder / "model")
    elf = build_firmware(folder / "model", board, folder / "firmware")
    x = np.zeros(compiled.graph.input.shape[-3:], np.int8)
    with Emulator(board, elf, counted=True) as emulator, DeviceSession(emulator) as device:
        device.infer(x)
        return round(device.last_ticks / board.qemu.ticks_per_instruction)


@needs_arm
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CASES", (SMALL, GRADIENT))
    path, picture = tmp_path / "k.json", tmp_path / "k.png"
    result = tinyflash(
        "bench", "kernels", "--board", BOARD, "--json", path, "--picture", picture
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    row, gradient = json.loads(path.read_text())
    assert tuple(row) == ("board", "kernel", "shape", "set", "macs", "instructions")
    assert (row["board"], row["kernel"], row["set"]) == (BOARD, "fully_connected_forward", "dsp")
    assert row["macs"] == 2560
    assert f"{row['instructions']:,}" in result.stdout
    assert f"{row['instructions'] / 5430:.2f} " in result.stdout  # CMSIS-NN's
    assert gradient["set"] == "dsp"
    assert 0.75 < gradient["instructions"] / 589_824 < 2  # its loop alone takes 0.75
    assert picture.read_bytes()[:4] == b"\x89PNG"
    # The clock runs also from the command to the executor, and back.
    assert 0 < clocked(SMALL, load_board(BOARD), tmp_path) - row["instructions"] < 100


def test_work_is_that_of_the_layers() -> None:
    for case in cases.CASES:
        graph = network(case)[0]
        layer = graph.nodes[-1]
        x = graph.tensors[layer.inputs["a" if case.op == "add" else "x"]]
        work = multiply_adds(graph, layer) or x.size
        assert work == case.work, case.shape


def test_every_peer_is_of_a_case() -> None:
    known = {(case.kernel, case.shape) for case in cases.CASES}
    lines = Path(peers.__file__).with_name("peers.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines if not line.startswith(("#", "kernel,"))]
    assert {(kernel, shape) for kernel, shape, *_ in rows} == known
    assert {core for _, _, core, _, _ in rows} == {"cortex-m4", "cortex-m7", "cortex-m55"}
    best = peers.better_peer("fully_connected_forward", "1x1 20x20x16->96", load_board(BOARD))
    assert best == peers.Peer("CMSIS-NN", 2437010)


def test_a_board_without_emulator_is_refused() -> None:
    with pytest.raises(BoardError, match="has no emulator"):
        next(measure(replace(load_board(BOARD), qemu=None)))
