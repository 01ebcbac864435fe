"""Compiles kernel cases for the host, with sanitizers, and for boards; runs them."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.compilers import compile_program

from tinyflash.boards import Board, load_board
from tinyflash.boards.packs import pack_of_set
from tinyflash.boards.toolchain import ARM
from tinyflash.sources import library_sources

ROOT = Path(__file__).resolve().parents[2]
M0 = load_board(str(ROOT / "tests" / "lib" / "m0"))
MEMORY = {  # of a machine that is made larger
    "microbit": "-global nrf51-soc.sram-size=262144 -global nrf51-soc.flash-size=1048576"
}
TIMEOUT = 120  # seconds
# Not beside sanitizers, whose instrumented code draws warnings of its own.
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True)
class Outcome:
    """How a program of kernel cases ended."""

    status: int
    text: str


def run_on_host(batch: Path, *flags: str) -> Outcome:
    """A batch on this computer, under the address and undefined behaviour sanitizers."""
    program = build_for_host(_sources(batch), batch, flags)
    return run(program, batch)


def run_on_board(batch: Path, board: Board) -> Outcome:
    """A batch on an emulated board, within the board's real memory."""
    program = build_for_board(_sources(batch), batch, board)
    return run(program, batch, board)


def count_on_board(batch: Path, board: Board) -> list[int]:
    """The instructions that each case of a batch takes on an emulated board."""
    assert board.qemu is not None, board.name
    program = build_for_board(_sources(batch, "time_cases.c"), batch, board)
    outcome = run(program, batch, board, options=("-icount", f"shift={board.qemu.icount_shift}"))
    assert outcome.status == 0, outcome.text
    ticks = map(int, outcome.text.split())
    return [round(number / board.qemu.ticks_per_instruction) for number in ticks]


def build_for_host(sources: Sequence[Path], folder: Path, more: Sequence[str] = ()) -> Path:
    """A program of the library and some sources, with what is generated in the folder; `more`:
    flags of the compiler."""
    program = folder / "host"
    sources = [*sources, ROOT / "tests" / "lib" / "host_board.c"]
    compiler = ["cc", "-std=c99", *SANITIZERS, *more, *_includes(folder)]
    compile_program(compiler, sources, program)
    return program


def build_for_board(
    sources: Sequence[Path], folder: Path, board: Board, more: Sequence[str] = ()
) -> Path:
    """The same for a board; `more`: flags of the compiler."""
    program = folder / f"{board.name}.elf"
    drivers = [file for f in board.source_folders for file in sorted((ROOT / f).glob("*.c"))]
    pack = _packed(board)
    flags = ["-O2", "-ffunction-sections", board.cross.libc]
    script = program.with_suffix(".ld")
    script.write_text(board.linker_script)
    link = ["-nostartfiles", "-Wl,--gc-sections", "-T", str(script)]
    compiler = [
        board.cross.gcc,
        *WARNINGS,
        *board.cpu_flags,
        *flags,
        *_includes(folder),
        *pack.flags,
        *more,
    ]
    compile_program(compiler, [*sources, *drivers], program, [*pack.archive, *link])
    return program


def run(
    program: Path,
    folder: Path,
    board: Board | None = None,
    seconds: float = TIMEOUT,
    options: Sequence[str] = (),
) -> Outcome:
    """A program in a folder, by the emulator of a board or by itself. options: of the emulator."""
    command: list[str | Path] = [program]
    if board:
        assert board.qemu is not None, board.name
        machine = [board.qemu.machine, *MEMORY.get(board.qemu.machine, "").split()]
        console = ["-display", "none", "-monitor", "none", "-serial", "stdio", "-semihosting"]
        command = [
            *board.cross.emulator,
            "-machine",
            *machine,
            *options,
            *console,
            "-kernel",
            program,
        ]
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    return Outcome(done.returncode, done.stdout + done.stderr)


@dataclass(frozen=True)
class Packed:
    """The packs of a board's kernel sets, compiled: flags to compile adapters with, and the
    archive."""

    flags: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()


@cache
def _packed(board: Board) -> Packed:
    """Once per board and process; none of its warnings, which are not ours."""
    packs = [pack for name in board.kernels if (pack := pack_of_set(name))]
    if not packs:
        return Packed()
    (pack,) = packs
    folder = Path(tempfile.mkdtemp(prefix="tinyflash-pack-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    headers = [part for one in pack.includes for part in ("-isystem", str(one))]
    command = [ARM, *board.cpu_flags, "-O2", "-w", "-ffunction-sections", *headers, "-c"]
    subprocess.run([*command, *map(str, pack.sources)], cwd=folder, check=True)
    archive = folder / "pack.a"
    made = map(str, sorted(folder.glob("*.o")))
    subprocess.run(["arm-none-eabi-ar", "rcs", str(archive), *made], check=True)
    return Packed((*headers, "-DTINY_CMSIS_NN=1"), (str(archive),))


def _sources(batch: Path, runner: str = "run_cases.c") -> list[Path]:
    """The library, a runner, and the cases."""
    return [
        *library_sources(ROOT),
        ROOT / "tests" / "lib" / runner,
        *sorted(batch.glob("*.c")),
    ]


def _includes(batch: Path) -> list[str]:
    return [*(f"-I{f}" for f in ("include", "lib", "boards", "tests/lib")), f"-I{batch}"]
