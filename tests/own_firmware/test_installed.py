"""An installed package brings the C sources and the examples, and says where they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyflash.paths import source_root
from tinyflash.runtime import host

ROOT = source_root()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it: what setup.py packs, and the library that the
    checkout has compiled."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", folder]
    subprocess.run(command, cwd=ROOT, check=True)
    for library in Path(host.__file__).parent.glob("_tinyflash*.so"):
        shutil.copy(library, folder / "tinyflash" / "runtime" / "host")
    return folder


def said(installed: Path, *arguments: str | Path, path: str = os.environ["PATH"]) -> str:
    """What the installed command prints, called from somewhere else."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PATH": path}
    command = [sys.executable, "-P", "-m", "tinyflash", *arguments]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_sources_are_its_own_and_complete(installed: Path, tmp_path: Path) -> None:
    own = installed / "tinyflash" / "_sources"
    arguments = said(installed, "sources").split()
    assert all(Path(a.removeprefix("-I")).is_relative_to(own) for a in arguments)
    names = {str(Path(file).relative_to(own)) for file in arguments[1:]}
    assert names == {str(file.relative_to(ROOT)) for file in (ROOT / "lib").rglob("*.c")}
    example = tmp_path / "example"
    shutil.copytree(Path(said(installed, "sources", "--examples").strip()) / "minimal", example)
    compiled = ["compile", example / "digits.tflite", "--scheme", example / "scheme.toml"]
    said(installed, *compiled, "--name", "digits", "-o", example / "build")
    own_files = [example / f"{name}.c" for name in ("main", "sensor", "saved", "port_host")]
    command = ["cc", "-O1", *own_files, example / "build" / "digits.c", f"-I{example / 'build'}"]
    subprocess.run([*command, f"-I{example}", *arguments, "-o", example / "program"], check=True)
    run = subprocess.run([example / "program"], cwd=example, capture_output=True, text=True)
    assert "saved after step 500" in run.stdout


def test_commands_of_this_computer_need_no_compiler_and_no_shell(
    installed: Path, tmp_path: Path
) -> None:
    """Nothing is on the PATH. What builds firmware says in one line what is missing."""
    empty = tmp_path / "empty"
    empty.mkdir()
    example = installed / "tinyflash" / "_sources" / "examples" / "minimal"
    data, model, build = tmp_path / "data.npz", example / "digits.tflite", tmp_path / "build"
    samples = np.random.default_rng(0).integers(-128, 128, (40, 8, 8, 1), np.int8)
    np.savez(data, x=samples, y=np.arange(40) % 10)
    np.save(tmp_path / "x.npy", samples)
    scheme: list[str | Path] = ["--scheme", example / "scheme.toml"]
    trained = build / "learned.npz"
    network: list[str | Path] = [model, *scheme]
    commands: list[list[str | Path]] = [
        ["inspect", model],
        ["compile", *network, "-o", build],
        ["train", *network, "--data", data, "--epochs", "1", "-o", build],
        ["evaluate", *network, "--data", data, "--learned", build],
        ["infer", *network, tmp_path / "x.npy", "-o", tmp_path / "y.npy"],
        ["export", *network, "--learned", trained, "-o", tmp_path / "new.tflite"],
        ["boards"],
        ["ports"],
        ["packs", "list"],
        ["sources"],
    ]
    for command in commands:
        said(installed, *command, path=str(empty))
    assert (tmp_path / "new.tflite").stat().st_size > 1000
    build_it = [sys.executable, "-P", "-m", "tinyflash", "build", build]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PATH": str(empty)}
    done = subprocess.run(
        [*build_it, "--board", "qemu_stm32f405"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: Arm GCC, .*install with: .*\n", done.stderr)


def test_a_wheel_serves_all_versions_of_python() -> None:
    """By its tag; what goes into it is what `installed` has."""
    program = """if True:
        import setuptools
        from distutils.core import run_setup

        setup = run_setup("setup.py", ["bdist_wheel"], stop_after="commandline")
        wheel = setup.get_command_obj("bdist_wheel")
        wheel.ensure_finalized()
        print(*wheel.get_tag()[:2])
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "cp311 abi3\n", done.stderr


def test_it_brings_what_is_not_python(installed: Path) -> None:
    package = installed / "tinyflash"
    for name in ("LICENSE", "SConstruct", "firmware/main.c", "boards/board.h"):
        assert (package / "_sources" / name).is_file()
    templates = Path("dist", "templates")
    own = ROOT / "python" / "tinyflash" / templates
    names = {path.relative_to(own) for path in own.rglob("*") if path.is_file()}
    found = package / templates
    assert names == {path.relative_to(found) for path in found.rglob("*") if path.is_file()}
    assert len(names) > 20
