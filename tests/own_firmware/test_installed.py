"""An installed package brings the C sources and the examples, and says where they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinyflash.paths import source_root
from tinyflash.runtime import host

ROOT = source_root()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it: what setup.py packs, and the library that the
    checkout has compiled."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", folder / "base"]
    subprocess.run([*command, "build_py", "--build-lib", folder], cwd=ROOT, check=True)
    for library in Path(host.__file__).parent.glob("_tinyflash*.so"):
        shutil.copy(library, folder / "tinyflash" / "runtime" / "host")
    return folder


def said(installed: Path, *arguments: str | Path) -> str:
    """What the installed command prints, called from somewhere else."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
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
