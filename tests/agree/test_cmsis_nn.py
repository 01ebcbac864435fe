"""The adapters onto CMSIS-NN give the bytes of the numpy reference, on emulated cores.

Needs Arm's pack: `tinyflash packs add ARM::CMSIS-NN`, or CMSIS_NN_PATH.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.lib.build import run_on_board
from tests.lib.cases import all_cases
from tests.lib.emit import batches, write_batch
from tests.lib.random_runs import known_kernels, run_stream, told, write_streams
from tests.lib.random_subjects import FAMILIES
from tests.lib.row_cases import row_cases
from tests.support.graphs import Net

from tinyflash.boards import kernels_for, load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.footprint import footprint
from tinyflash.boards.packs import PACKS, find_pack
from tinyflash.compiler import compile_model
from tinyflash.graph import Window
from tinyflash.paths import source_root
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.sources import kernels_of
from tinyflash.write.model import write_model

SET = "cmsis_nn"
BOARDS = ("qemu_stm32f405", "qemu_mps2_an500")
KERNELS = kernels_of(source_root(), SET)

pytestmark = pytest.mark.skipif(
    find_pack(PACKS[SET]) is None,
    reason="CMSIS-NN is not here: tinyflash packs add ARM::CMSIS-NN, or set CMSIS_NN_PATH",
)


@pytest.mark.parametrize("name", BOARDS)
def test_all_cases(name: str, tmp_path: Path) -> None:
    board = replace(load_board(name), kernels=(SET, "ref"))
    cases = [c for case in (*all_cases(), *row_cases()) if (c := case.by(SET))]
    assert {case.row.kernel for case in cases} == KERNELS
    for index, batch in enumerate(batches(cases)):
        write_batch(batch, tmp_path / str(index))
        outcome = run_on_board(tmp_path / str(index), board)
        assert outcome.status == 0, outcome.text


@pytest.mark.parametrize("name", BOARDS)
def test_random_cases(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    board = replace(load_board(name), kernels=(SET, "ref"))
    count, seed = (request.config.getoption(f"--random-{what}") for what in ("cases", "seed"))
    assert known_kernels(SET) == KERNELS
    for family in FAMILIES:
        (cases,) = write_streams(family, [SET], count, seed, tmp_path / family).values()
        if cases:
            outcome = run_stream(tmp_path / family, SET, cases, board)
            assert outcome.status == 0, told(outcome, family, [SET], seed)


def test_a_board_learns_what_the_host_learns(tmp_path: Path) -> None:
    """A board of the user's own prefers them; dsp or ref have what they have not."""
    folder = tmp_path / "mine"
    shutil.copytree(load_board("qemu_stm32f405").folder, folder)
    toml = (folder / "board.toml").read_text()
    listed = toml.replace('kernels = ["dsp", "ref"]', 'kernels = ["cmsis_nn", "dsp", "ref"]')
    (folder / "board.toml").write_text(listed)
    source = (folder / "board.c").read_text().replace('"qemu_stm32f405"', '"mine"')
    (folder / "board.c").write_text(source)
    board = load_board(str(folder))
    net = Net(np.random.default_rng(3))
    x = net.input((8, 8, 3))
    y = net.conv2d(x, 8, Window((3, 3), (2, 2), padding=(0, 0, 1, 1)))
    y = net.depthwise(y, Window((3, 3), padding=(1, 1, 1, 1)))
    graph = net.graph(net.fully_connected(net.reshape(y, (1, 128)), 5))
    model = compile_model(graph, scheme("head_only"), kernels=kernels_for(board))
    plain = compile_model(graph, scheme("head_only"))
    assert model.program.hash == plain.program.hash
    used = {row.kernel_set for row in model.program.train}
    assert used == {"cmsis_nn", "dsp", "ref"}
    stack = footprint(model.program, board).kernels
    assert stack["conv2d_forward_cmsis_nn"] > 300  # of CMSIS-NN, too
    write_model(model, tmp_path / "model")
    elf = build_firmware(tmp_path / "model", board, tmp_path / "out")
    host = HostSession(plain.program)
    rng = np.random.default_rng(5)
    with Emulator(board, elf) as emulator, DeviceSession(emulator, plain.program.hash) as device:
        for step in range(20):
            sample = rng.integers(-128, 128, (8, 8, 3)).astype(np.int8)
            for session in (host, device):
                session.train_step(sample, step % 2, 0.01)
        assert device.weights == host.weights
