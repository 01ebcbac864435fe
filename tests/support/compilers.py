"""Compiles C for tests; in one run of the tests each object is compiled once, whoever needs it."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tinyflash.boards.toolchain import ARM, RISCV
from tinyflash.paths import source_root

ROOT = source_root()
STAND_IN = Path(__file__).with_name("compile_once.sh")
PYTHONS_OWN = (sysconfig.get_config_var("CC") or "cc").split()[0]
Command = Sequence[str | Path]


def compile_program(
    compiler: Command, sources: Sequence[Path], program: Path, link: Command = ()
) -> None:
    """Compiles each source, then links all; `compiler`: with its options, for the root as the
    folder to run in; `link`: of the linker."""
    compiler = tuple(map(str, compiler))
    objects = []
    for number, source in enumerate(sources):
        if source.is_relative_to(ROOT / "lib"):
            objects.append(_library_object(_without_generated(compiler), source))
        else:
            objects.append(program.parent / f"{program.stem}.{number}.o")
            _run([*compiler, "-c", _within(source), "-o", objects[-1]])
    _run([*compiler, *objects, *link, "-o", program])


@cache
def _library_object(compiler: tuple[str, ...], source: Path) -> Path:
    """The object of a source of the library, once per process."""
    folder = _folder() / hashlib.sha256(repr((compiler, source)).encode()).hexdigest()[:16]
    folder.mkdir()
    _run([*compiler, "-c", _within(source), "-o", folder / f"{source.stem}.o"])
    return folder / f"{source.stem}.o"


@cache
def _folder() -> Path:
    """Of this process; one that is kept is of tests.coverage, which reads what programs that run
    write beside their objects."""
    kept = os.environ.get("TINYFLASH_KEPT_OBJECTS")
    folder = Path(tempfile.mkdtemp(prefix="tinyflash-objects-", dir=kept))
    if kept is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _without_generated(compiler: tuple[str, ...]) -> tuple[str, ...]:
    """Without the folders of generated headers, of which the library includes none."""
    return tuple(option for option in compiler if not _is_generated(option))


def _is_generated(option: str) -> bool:
    folder = Path(option.removeprefix("-I"))
    return option.startswith("-I/") and not folder.is_relative_to(ROOT)


def _within(source: Path) -> Path:
    """A name by which a copy of the sources in another folder gives the same text to compile."""
    return source.relative_to(ROOT) if source.is_relative_to(ROOT) else source


def _run(command: Command) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def path_of_stand_ins(folder: Path) -> str:
    """A PATH on which scripts in `folder`, which several processes may use, are the compilers."""
    folder.mkdir(exist_ok=True)
    for name in ("cc", PYTHONS_OWN, ARM, RISCV):
        if "/" not in name and shutil.which(name) and shutil.which("sha256sum"):
            with suppress(FileExistsError):
                (folder / name).symlink_to(STAND_IN)
    return f"{folder}:{os.environ['PATH']}"


def path_without_stand_ins() -> str:
    """The PATH of the compilers themselves."""
    folders = os.environ["PATH"].split(":")
    return ":".join(folder for folder in folders if not _is_stand_in(Path(folder, "cc")))


def has_stand_ins() -> bool:
    """Whether the PATH has stand-ins already: a test runs these tests."""
    return _is_stand_in(Path(shutil.which("cc") or "cc"))


def _is_stand_in(path: Path) -> bool:
    return path.resolve().name == STAND_IN.name
