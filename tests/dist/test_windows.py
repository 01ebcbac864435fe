"""Windows, as far as another computer can tell: its compilers take the library, and commands need
nothing that it does not have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.dist import ROOT, needs, shell
from tests.support.strict import C99

from tinyflash import compile_model, load_scheme, read, write_model
from tinyflash.boards.toolchain import ARM, MINGW
from tinyflash.errors import BoardError
from tinyflash.sources import FOR_PCS, REFERENCE, kernel_sets, library_sources

STRICT = C99[1:]
GNU = r"__attribute__|__asm\w*|\basm\b|__builtin_\w+|__typeof\w*|__extension__|\(\{"
PROGRAM = """
import os, signal, sys
import click, matplotlib, multiprocessing, numpy, pathlib, rich.console, serial.tools.list_ports
import shutil, socket, subprocess, tempfile, concurrent.futures
for name in ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None  # an import fails
for name in ("fork", "geteuid", "getuid", "getpgid", "killpg", "mkfifo", "setsid", "uname", "wait4"):
    delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1"):
    delattr(signal, name)
from tinyflash.cli import COMMANDS, main
for command in sys.argv[1:]:
    try:
        main(command.split(";"), standalone_mode=False)
    except click.exceptions.Exit as end:
        assert end.exit_code == 0, command
for name in COMMANDS:
    main([name, "--help"], standalone_mode=False)
"""


@needs(MINGW)
def test_a_compiler_for_windows_takes_and_links_it(products: Path, tmp_path: Path) -> None:
    """Nothing here can run the program."""
    one = products / "amalgamated" / FOR_PCS
    kernels = (FOR_PCS, REFERENCE)
    example = products / "amalgamated" / "examples" / "digits" / "main.c"
    model = ROOT / "examples" / "minimal"
    compiled = compile_model(
        read(model / "digits.tflite"), load_scheme(model / "scheme.toml"), kernels=kernels
    )
    write_model(compiled, tmp_path, "digits")
    own = [tmp_path / "main.c", tmp_path / "digits.c", one / "tinyflash.c"]
    own[0].write_bytes(example.read_bytes())
    shell([MINGW, *STRICT, "-O1", f"-I{one}", *own, "-o", "digits.exe"], tmp_path)
    assert (tmp_path / "digits.exe").read_bytes().startswith(b"MZ")


@pytest.mark.parametrize(
    ("kernels", "compiler"),
    [
        pytest.param(kernel_sets(ROOT), ("cc",), id="host"),
        pytest.param(["dsp"], (ARM, "-mcpu=cortex-m4", "-mthumb"), id="dsp", marks=needs(ARM)),
        pytest.param(["mve"], (ARM, "-mcpu=cortex-m55", "-mthumb"), id="mve", marks=needs(ARM)),
    ],
)
def test_a_compiler_that_is_not_gnu_finds_nothing_of_gnu(
    kernels: list[str], compiler: tuple[str, ...], tmp_path: Path
) -> None:
    """What is left of the sources where __GNUC__ is not defined, and it is complete."""
    sources = library_sources(ROOT, kernels)
    hidden = [*compiler, "-std=c99", "-U__GNUC__", f"-I{ROOT / 'include'}"]
    text = shell([*hidden, "-E", *sources], tmp_path)
    parts = re.split(r'^# \d+ "([^"]*)".*$', text, flags=re.MULTILINE)
    ours = [t for f, t in zip(parts[1::2], parts[2::2], strict=True) if f.startswith(str(ROOT))]
    assert len(ours) > len(sources) > 15
    found = {word for part in ours for word in re.findall(GNU, part)}
    assert found == set()
    shell([*hidden, "-fsyntax-only", *sources], tmp_path)


def test_commands_need_nothing_that_only_posix_has(tmp_path: Path) -> None:
    """Except those that start an emulator, which say so."""
    model = ROOT / "examples" / "minimal" / "digits.tflite"
    scheme = model.with_name("scheme.toml")
    commands = [
        f"compile;{model};--scheme;{scheme};-o;{tmp_path / 'model'}",
        f"inspect;{model}",
        "boards",
        "ports",
        "sources",
        "packs;list",
    ]
    command = [sys.executable, "-c", PROGRAM, *commands]
    done = subprocess.run(command, cwd=ROOT / "python", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model" / "model.c").is_file()


def test_an_emulator_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tinyflash.boards import emulation, load_board

    emulator = emulation.Emulation(load_board("qemu_stm32f405"), tmp_path)
    with monkeypatch.context() as windows, pytest.raises(BoardError, match="Linux or macOS"):
        windows.setattr(emulation.os, "name", "nt")
        emulator._start([], 0)


def test_commands_to_install_have_quotes_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyflash import paths

    monkeypatch.setattr(paths.sys, "executable", r"C:\Program Files\Python\python.exe")
    with monkeypatch.context() as windows:
        windows.setattr(paths.os, "name", "nt")
        how = paths.how_to_install("onnx")
    assert how == r'"C:\Program Files\Python\python.exe" -m pip install onnx'


def test_doctor_names_programs_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyflash.boards import toolchain

    monkeypatch.delattr(toolchain.os, "geteuid")
    arm = [tool for tool in toolchain.TOOLS if tool.name == "Arm GCC"]
    how = toolchain.install_command(arm, "winget")
    assert how == "winget install Arm.GnuArmEmbeddedToolchain"
