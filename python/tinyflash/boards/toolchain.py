"""The system tools that tinyflash needs: finds them, and installs or names the missing ones.

Standard library only: `run` starts this file directly before anything is installed,

    python3 -P python/tinyflash/boards/toolchain.py {python|boards|check|test|speech}

This installs missing tools, or prints the command that would and exits with 1.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ARM = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"
QEMU_RISCV = "qemu-system-riscv32"
MINGW = "x86_64-w64-mingw32-gcc"
RISCV = "riscv64-unknown-elf-gcc"  # for cores of 32 bits, too


@dataclass(frozen=True)
class Tool:
    """A tool on the system. `find` returns its path or version, or None if it is missing."""

    name: str
    purpose: str
    # "python": to install the package; "boards": firmware, emulator; optional: "check", "test",
    # "speech"
    group: str
    find: Callable[[], str | None]
    packages: Mapping[str, str]  # by package manager, where it has one: apt, dnf, brew, winget
    elsewhere: str = ""  # how to get it without a package


def _host_compiler() -> str | None:
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(str(command).split()[0])


def _python_headers() -> str | None:
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    return str(header) if header.exists() else None


def _venv() -> str | None:
    found = importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")
    return "venv, ensurepip" if found else None


def _newlib() -> str | None:
    if not shutil.which(ARM):
        return None
    answer = subprocess.run([ARM, "-print-file-name=libc.a"], capture_output=True, text=True)
    library = Path(answer.stdout.strip())
    return str(library) if library.is_absolute() and library.exists() else None


def _picolibc() -> str | None:
    if not shutil.which(RISCV):
        return None
    command = [RISCV, "-print-file-name=picolibc.specs"]
    specs = Path(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    return str(specs) if specs.is_absolute() and specs.exists() else None


# Fedora and Homebrew have compilers for RISC-V, but none for bare cores of 32 bits with picolibc.
_RISCV_SOURCES = (
    "no package is known; build https://github.com/riscv-collab/riscv-gnu-toolchain with picolibc"
)
_PYTHON = f"python3.{sys.version_info.minor}"

TOOLS = (
    Tool(
        "C compiler",
        "compiles the library for this computer",
        "python",
        _host_compiler,
        {"apt": "gcc libc6-dev", "dnf": "gcc", "brew": "gcc"},
    ),
    Tool(
        "Python headers",
        "the library as a Python extension",
        "python",
        _python_headers,
        {"apt": f"{_PYTHON}-dev", "dnf": "python3-devel", "brew": _PYTHON.replace("3", "@3", 1)},
    ),
    Tool(
        "venv",
        "the environment that ./run installs into",
        "python",
        _venv,
        {"apt": f"{_PYTHON}-venv", "dnf": "python3", "brew": _PYTHON.replace("3", "@3", 1)},
    ),
    Tool(
        "Arm GCC",
        "compiles firmware",
        "boards",
        lambda: shutil.which(ARM),
        {
            "apt": "gcc-arm-none-eabi",
            "dnf": "arm-none-eabi-gcc-cs",
            "brew": "--cask gcc-arm-embedded",
            "winget": "Arm.GnuArmEmbeddedToolchain",
        },
    ),
    Tool(
        "newlib",
        "C library of the firmware",
        "boards",
        _newlib,
        {
            "apt": "libnewlib-arm-none-eabi",
            "dnf": "arm-none-eabi-newlib",
            "brew": "--cask gcc-arm-embedded",
            "winget": "Arm.GnuArmEmbeddedToolchain",
        },
    ),
    Tool(
        "QEMU",
        "emulates boards",
        "boards",
        lambda: shutil.which(QEMU),
        {"apt": "qemu-system-arm", "dnf": "qemu-system-arm", "brew": "qemu"},
    ),
    Tool(
        "RISC-V GCC",
        "compiles firmware for RISC-V",
        "test",
        lambda: shutil.which(RISCV),
        {"apt": "gcc-riscv64-unknown-elf"},
        _RISCV_SOURCES,
    ),
    Tool(
        "picolibc",
        "C library of firmware for RISC-V",
        "test",
        _picolibc,
        {"apt": "picolibc-riscv64-unknown-elf"},
        _RISCV_SOURCES,
    ),
    Tool(
        "QEMU for RISC-V",
        "emulates RISC-V boards",
        "test",
        lambda: shutil.which(QEMU_RISCV),
        {"apt": "qemu-system-misc", "dnf": "qemu-system-riscv", "brew": "qemu"},
    ),
    Tool(
        "eSpeak NG",
        "speaks the words of the task keywords",
        "speech",
        lambda: shutil.which("espeak-ng"),
        {"apt": "espeak-ng", "dnf": "espeak-ng", "brew": "espeak-ng"},
    ),
    Tool(
        "cppcheck",
        "static analysis of the C sources (./run check)",
        "check",
        lambda: shutil.which("cppcheck"),
        {"apt": "cppcheck", "dnf": "cppcheck", "brew": "cppcheck"},
    ),
    Tool(
        "C++ compiler",
        "compiles headers and models as C++ (./run test)",
        "test",
        lambda: shutil.which("c++"),
        {"apt": "g++", "dnf": "gcc-c++", "brew": "gcc"},
    ),
    Tool(
        "make",
        "builds examples (./run test)",
        "test",
        lambda: shutil.which("make"),
        {"apt": "make", "dnf": "make", "brew": "make"},
    ),
    Tool(
        "CMake",
        "builds examples (./run test)",
        "test",
        lambda: shutil.which("cmake"),
        {"apt": "cmake", "dnf": "cmake", "brew": "cmake", "winget": "Kitware.CMake"},
    ),
    Tool(
        "MinGW-w64",
        "compiles the library for Windows (./run test)",
        "test",
        lambda: shutil.which(MINGW),
        {"apt": "gcc-mingw-w64-x86-64-win32", "dnf": "mingw64-gcc", "brew": "mingw-w64"},
    ),
    Tool(
        "Chromium",
        "opens the pages that tinyflash writes (./run test)",
        "test",
        lambda: shutil.which("chromium") or shutil.which("chromium-browser"),
        {"apt": "chromium", "dnf": "chromium", "brew": "--cask chromium"},
    ),
)


def package_manager() -> str:
    """Returns the first of brew (on a Mac), apt and dnf that is installed; apt if none is. On
    Windows, winget."""
    if os.name == "nt":
        return "winget"
    order = ("brew",) if sys.platform == "darwin" else ("apt", "dnf", "brew")
    return next((name for name in order if shutil.which(name)), order[0])


def _packages(tools: Iterable[Tool], manager: str) -> list[str]:
    """Returns package names without duplicates; brew's casks with their flag, last."""
    words = dict.fromkeys(tool.packages[manager] for tool in tools if manager in tool.packages)
    return sorted(words, key=lambda word: word.startswith("--cask"))


def install_command(tools: Sequence[Tool], manager: str) -> str:
    """Returns the command that installs `tools`; of what the manager has not, says how to get
    it."""
    packages = _packages(tools, manager)
    others = [tool for tool in tools if manager not in tool.packages]
    installers = [f"the installer of {tool.name}" for tool in others if not tool.elsewhere]
    sources = [
        f"{' and '.join(tool.name for tool in others if tool.elsewhere == how)}: {how}"
        for how in dict.fromkeys(tool.elsewhere for tool in others if tool.elsewhere)
    ]
    commands = _commands(packages, manager) if packages else []
    return ", ".join([*commands, *installers, *sources])


def _commands(packages: Sequence[str], manager: str) -> list[str]:
    if manager == "winget":
        return [f"winget install {name}" for name in packages]
    if manager == "brew":
        plain = [word for word in packages if not word.startswith("--cask")]
        casks = [word for word in packages if word.startswith("--cask")]
        groups = [" ".join(plain), *casks] if plain else casks
        return [" && ".join(f"brew install {group}" for group in groups)]
    sudo = "" if os.geteuid() == 0 else "sudo "
    names = " ".join(packages)
    if manager == "apt":
        update = f"{sudo}apt-get update && {sudo}apt-get install"
        return [f"{update} -y --no-install-recommends {names}"]
    return [f"{sudo}dnf install -y {names}"]


def _may_install() -> bool:
    """Whether this can install: on Debian-based systems, as root or with sudo without a
    password."""
    if not shutil.which("apt-get") or not Path("/etc/debian_version").exists():
        return False
    if os.geteuid() == 0:
        return True
    sudo = shutil.which("sudo")
    return (
        sudo is not None
        and not subprocess.run([sudo, "-n", "true"], stderr=subprocess.DEVNULL).returncode
    )


def _install(tools: Sequence[Tool]) -> bool:
    """Runs the apt command. Returns True if it succeeds; otherwise prints its output to stderr."""
    command = install_command(tools, "apt")
    print(f"installing {', '.join(tool.name for tool in tools)}: {command}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def missing(groups: Sequence[str]) -> list[Tool]:
    """Returns the missing tools of these groups."""
    return [tool for tool in TOOLS if tool.group in groups and tool.find() is None]


def main(groups: Sequence[str]) -> int:
    """Installs the tools of `groups` if needed. Returns 0 if all are there."""
    absent = missing(groups)
    if absent and _may_install() and _install(absent):
        absent = missing(groups)
    if absent:
        names = ", ".join(tool.name for tool in absent)
        command = install_command(absent, package_manager())
        print(f"error: {names} missing; install with: {command}", file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
