"""Kernel sets: the table names the kernel, of the first set of the board's list that has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from elftools.elf.elffile import ELFFile
from tests.support.graphs import Net

from tinyflash.boards import Board, load_board, read_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.footprint import footprint
from tinyflash.boards.toolchain import ARM
from tinyflash.cli import main
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError, BuildError
from tinyflash.graph import Window
from tinyflash.paths import source_root
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.sources import kernel_sets, kernels_of, library_sources
from tinyflash.write.model import write_model

MODULES = (
    "boards.description",
    "boards.firmware",
    "boards.footprint.compiled",
    "compiler.kernels",
)
ADD = """/* A set with one kernel: the reference's sum, under another name. */
#include "tinyflash/kernels.h"
#include "tinyflash/ops.h"

TINY_OP(add_forward_fake) {
    tiny_add_forward(record, buffers[0], buffers[1], buffers[2], band);
}
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the C sources with a set more, which one board prefers."""
    root = tmp_path / "sources"
    for name in ("include", "lib", "firmware", "boards"):
        shutil.copytree(source_root() / name, root / name)
    shutil.copy(source_root() / "SConstruct", root)
    fake = root / "lib" / "kernels" / "fake"
    fake.mkdir()
    (fake / "add.c").write_text(ADD)
    board = root / "boards" / "qemu_stm32f405" / "board.toml"
    text = board.read_text().replace('kernels = ["dsp", "ref"]', 'kernels = ["fake", "ref"]')
    board.write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(source_root() / "python"))
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path / "cache"))
    for module in MODULES:
        monkeypatch.setattr(f"tinyflash.{module}.source_root", lambda: root)
    return root


def compiled(board: Board) -> Compiled:
    """Two sums and a classifier: the fake set has the kernel of the sums alone."""
    net = Net(np.random.default_rng(3))
    x = net.input((4, 4, 3))
    y = net.add(net.add(x, x), x)
    graph = net.graph(net.fully_connected(net.reshape(y, (1, 48)), 5))
    return compile_model(graph, kernels=board.kernels)


def functions(elf: Path) -> set[str]:
    with elf.open("rb") as file:
        names = {s.name for s in ELFFile(file).get_section_by_name(".symtab").iter_symbols()}
    return {name for name in names if name.startswith("tiny_op_")}


@pytest.mark.usefixtures("sources")
def test_a_board_gets_the_kernels_of_its_sets(tmp_path: Path) -> None:
    board = load_board("qemu_stm32f405")
    assert board.kernels == ("fake", "ref")
    model, plain = compiled(board), compiled(replace(board, kernels=("ref",)))
    symbols = [row.symbol for row in model.program.infer]
    assert symbols == [
        *("tiny_op_add_forward_fake", "tiny_op_add_forward_fake"),
        "tiny_op_fully_connected_forward",
    ]
    assert model.program.hash == plain.program.hash
    assert "add_forward_fake" in footprint(model.program, board).kernels
    write_model(model, tmp_path / "model")
    text = (tmp_path / "model" / "model.c").read_text()
    assert text.count("TINY_OP(add_forward_fake);") == 1
    elf = build_firmware(tmp_path / "model", board, tmp_path / "out")
    assert functions(elf) == set(symbols)
    sample = np.arange(48).reshape(4, 4, 3).astype(np.int8)
    with Emulator(board, elf) as emulator, DeviceSession(emulator, plain.program.hash) as device:
        assert np.array_equal(device.infer(sample), HostSession(model.program).infer(sample))


@pytest.mark.usefixtures("sources")
def test_another_board_gets_none_of_them(tmp_path: Path) -> None:
    board = load_board("qemu_mps2_an500")
    model = compiled(board)
    assert {row.kernel_set for row in model.program.infer} <= {"dsp", "ref"}
    write_model(model, tmp_path)
    assert "fake" not in (tmp_path / "model.c").read_text()
    elf = build_firmware(tmp_path, board, tmp_path)
    assert "tiny_op_add_forward_fake" not in functions(elf)


def test_sets_and_their_files(sources: Path) -> None:
    fake = sources / "lib" / "kernels" / "fake" / "add.c"
    assert kernel_sets(sources) == ("cmsis_nn", "dsp", "fake", "host", "mve", "ref")
    assert kernels_of(sources, "fake") == {"add_forward"}
    assert len(kernels_of(sources, "ref")) > 30
    assert fake in library_sources(sources)
    assert fake not in library_sources(sources, ["ref"])


def test_the_hash_ignores_which_rows_are_streamed() -> None:
    """Kernels that must have their maps apart make another plan; its forward records differ."""
    net = Net(np.random.default_rng(3))
    y = net.conv2d(net.input((8, 8, 3)), 8, Window((3, 3), (2, 2), padding=(0, 0, 1, 1)))
    y = net.depthwise(y, Window((3, 3), padding=(1, 1, 1, 1)))
    graph = net.graph(net.fully_connected(net.reshape(y, (1, 128)), 5))
    one, other = (
        compile_model(graph, scheme("head_only"), kernels=(name, "ref")).program
        for name in ("dsp", "cmsis_nn")
    )
    assert one.arena_bytes != other.arena_bytes
    assert one.hash == other.hash


def test_every_set_has_kernels_of_the_reference_alone() -> None:
    """A kernel of another name would never be chosen."""
    root = source_root()
    for name in kernel_sets(root):
        assert kernels_of(root, name) <= kernels_of(root, "ref")
        assert kernels_of(root, name), name


@pytest.mark.parametrize(
    ("kernels", "text"),
    [
        (
            '["dps", "ref"]',
            "kernels: 'dps' is not a kernel set; choose from cmsis_nn, dsp, mve",
        ),
        ("[]", "kernels: the last set must be 'ref', which has every kernel"),
        ("3", "not a board description"),
    ],
)
def test_a_board_with_kernels_that_are_none(kernels: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    described = (load_board("qemu_stm32f405").folder / "board.toml").read_text()
    path.write_text(described.replace('kernels = ["dsp", "ref"]', f"kernels = {kernels}"))
    with pytest.raises(BoardError, match=r"board\.toml: ") as caught:
        read_board(path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_reference_is_last(sources: Path) -> None:
    path = sources / "boards" / "qemu_stm32f405" / "board.toml"
    path.write_text(path.read_text().replace('["fake", "ref"]', '["ref", "fake"]'))
    with pytest.raises(BoardError, match="kernels: the last set must be 'ref'"):
        read_board(path)
    path.write_text(path.read_text().replace('kernels = ["ref", "fake"]\n', ""))
    assert read_board(path).kernels == ("ref",)


DIGITS = source_root() / "python" / "tinyflash" / "zoo" / "networks" / "digits.tflite"


def _compiled(folder: Path, *options: str) -> tuple[str, set[str]]:
    """What the command says, and the kernels outside the reference that the table names."""
    words = ["compile", str(DIGITS), "-o", str(folder), *options]
    done = CliRunner().invoke(main, words)
    if done.exit_code:
        return done.output, set()
    return "", set(
        re.findall(r"^TINY_OP\((\w+)\);", (folder / "model.c").read_text(), re.MULTILINE)
    )


def test_sets_for_one_compilation(tmp_path: Path) -> None:
    board = ("--board", "qemu_stm32f405")
    _, own = _compiled(tmp_path / "own", *board)
    _, none = _compiled(tmp_path / "none", *board, "--kernels", "ref")
    _, cheapest = _compiled(tmp_path / "auto", *board, "--kernels", "auto, dsp, ref")
    assert "conv2d_forward_dsp" in own & cheapest
    assert none == set()
    hashes = {
        re.findall(r"_HASH (\w+)", (f / "model.h").read_text())[0] for f in tmp_path.iterdir()
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--kernels", "ref"), "name it with --board"),
        (("--board", "qemu_stm32f405", "--kernels", "dsp"), "the last set must be 'ref'"),
        (("--board", "qemu_stm32f405", "--kernels", "auto"), "the last set must be 'ref'"),
        (("--board", "qemu_stm32f405", "--kernels", "dsp,auto,ref"), "'auto' is not a kernel set"),
        (("--board", "qemu_stm32f405", "--kernels", "mine,ref"), "'mine' is not a kernel set"),
        (("--board", "qemu_stm32f405", "--kernels", ""), "'' is not a kernel set"),
    ],
)
def test_sets_that_cannot_be_chosen(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    said, _ = _compiled(tmp_path / "out", *options)
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_kernel_that_a_board_has_not(tmp_path: Path) -> None:
    """As of a table that was compiled for a core with other instructions."""
    _compiled(tmp_path, "--board", "qemu_stm32f405")
    table = tmp_path / "model.c"
    table.write_text(table.read_text().replace("conv2d_forward_dsp", "conv2d_forward_other"))
    with pytest.raises(BuildError, match="names the kernel conv2d_forward_other, which qemu_stm32"):
        build_firmware(tmp_path, load_board("qemu_stm32f405"), tmp_path / "out")


@pytest.mark.parametrize(
    ("flags", "helium"),
    [
        ("-mcpu=cortex-m55 -mfloat-abi=hard", True),
        ("-mcpu=cortex-m55+nofp -mfloat-abi=softfp", True),
        ("-march=armv8.1-m.main+mve -mfloat-abi=softfp", True),
        ("-march=armv8.1-m.main+mve.fp+fp.dp -mfloat-abi=hard", True),
        ("-mcpu=cortex-m55+nomve -mfloat-abi=hard", False),
        ("-mcpu=cortex-m55", False),
        ("-mcpu=cortex-m55 -mfloat-abi=soft", False),
        ("-mcpu=cortex-m33 -mfloat-abi=hard", False),
        ("-march=armv8.1-m.main+dsp", False),
    ],
)
def test_which_flags_are_for_helium(flags: str, helium: bool) -> None:
    """As the compiler itself says."""
    board = replace(load_board("qemu_mps3_an547"), cpu_flags=tuple(flags.split()))
    assert board.helium is helium
    command = [ARM, "-mthumb", *flags.split(), "-dM", "-E", "-x", "c", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("__ARM_FEATURE_MVE" in done.stdout) is helium
