"""The adapters onto CMSIS-NN give the bytes of the numpy reference, on emulated cores.

Needs Arm's pack: `tinyflash packs add ARM::CMSIS-NN`, or CMSIS_NN_PATH.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.lib.build import run_on_board
from tests.lib.case import Case
from tests.lib.cases import all_cases
from tests.lib.emit import batches, write_batch
from tests.lib.random_runs import known_kernels, run_stream, told, write_streams
from tests.lib.random_subjects import FAMILIES
from tests.lib.row_cases import row_cases
from tests.support.graphs import Net

from tinyflash.boards import Board, kernels_for, load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware, firmware_size
from tinyflash.boards.footprint import footprint
from tinyflash.boards.packs import PACKS, find_pack
from tinyflash.cli import main
from tinyflash.compiler import compile_model
from tinyflash.errors import BuildError
from tinyflash.graph import Window
from tinyflash.paths import source_root
from tinyflash.read import read
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.sources import kernels_of
from tinyflash.write.model import write_model

SET = "cmsis_nn"
EMULATED = ("qemu_stm32f405", "qemu_mps2_an500", "qemu_mps2_an505", "qemu_mps3_an547")
BOARDS = {name: replace(load_board(name), kernels=(SET, "ref")) for name in EMULATED}
KERNELS = kernels_of(source_root(), SET)

pytestmark = pytest.mark.skipif(
    find_pack(PACKS[SET]) is None,
    reason="CMSIS-NN is not here: tinyflash packs add ARM::CMSIS-NN, or set CMSIS_NN_PATH",
)


@pytest.mark.parametrize("name", BOARDS)
def test_all_cases(name: str, tmp_path: Path) -> None:
    board = BOARDS[name]
    mine = kernels_for(board)[0]
    cases = [c for case in (*all_cases(), *row_cases()) if (c := case.by(mine))]
    assert {case.row.kernel for case in cases} == KERNELS
    _run(cases, board, tmp_path)


@pytest.mark.parametrize("name", BOARDS)
def test_random_cases(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    board = BOARDS[name]
    mine = kernels_for(board)[0]
    count, seed = (request.config.getoption(f"--random-{what}") for what in ("cases", "seed"))
    assert known_kernels(mine) == KERNELS
    for family in FAMILIES:
        (cases,) = write_streams(family, [mine], count, seed, tmp_path / family).values()
        if cases:
            outcome = run_stream(tmp_path / family, mine, cases, board)
            assert outcome.status == 0, told(outcome, family, [mine], seed)


def _run(cases: Iterable[Case], board: Board, folder: Path) -> None:
    for index, batch in enumerate(batches(cases)):
        write_batch(batch, folder / str(index))
        outcome = run_on_board(folder / str(index), board)
        assert outcome.status == 0, outcome.text


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


@pytest.mark.parametrize("name", ["qemu_mps2_an500", "qemu_mps3_an547"])
def test_sets_for_one_compilation(name: str, tmp_path: Path) -> None:
    """build compiles the pack for a table that names its kernels, on a board that does not list
    them; a table for a core with Helium is refused on one without it, and the other way round."""
    model = str(source_root() / "python/tinyflash/zoo/networks/digits.tflite")
    words = ["compile", model, "-o", str(tmp_path), "--board", name, "--kernels", "cmsis_nn,ref"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    program = compile_model(read(model), kernels=kernels_for(BOARDS[name])).program
    used = firmware_size(build_firmware(tmp_path, load_board(name), tmp_path)).stack_use_bytes
    assert used == footprint(program, BOARDS[name]).firmware_stack_bytes
    other = "qemu_mps3_an547" if name != "qemu_mps3_an547" else "qemu_mps2_an500"
    with pytest.raises(BuildError, match="compile the model for this board"):
        build_firmware(tmp_path, load_board(other), tmp_path / "other")
