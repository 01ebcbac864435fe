"""Objects of earlier builds: taken where all that made them is the same, made anew otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.compilers import path_without_stand_ins

SCRIPT = """
import os
from pathlib import Path
from tinyflash.boards.kept_objects import keep_objects
build = Path(ARGUMENTS["BUILD"])
env = Environment(
    tools=["gcc"], CC=ARGUMENTS["CC"], CPPPATH=[str(build), "."], ENV=os.environ,
    CCFLAGS=[f"-ffile-prefix-map={build}=.", *ARGUMENTS.get("FLAGS", "").split()],
)
keep_objects(env, [build])
SConsignFile(str(build / "sign"))
env.Object(str(build / "code.o"), "code.c")
"""
COMPILER = """#!/bin/sh
case $* in *-c*) echo compiled >>"$LOG" ;; esac  # SCons asks for the version, too
exec cc "$@"
"""


class Project:
    """A program of one file and one header, with a compiler that counts how often it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "project", folder / "log"
        self.folder.mkdir()
        self.cache = folder / "cache"
        self.compiler = folder / "counted-cc"
        self.compiler.write_text(COMPILER)
        self.compiler.chmod(0o755)
        self.write("SConstruct", SCRIPT)
        self.write("code.h", "#define NUMBER 1\n")
        self.write("code.c", '#include "code.h"\nint number(void) { return NUMBER; }\n')

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def build(self, name: str, flags: str = "") -> bytes:
        """Builds in a folder of that name; returns the object."""
        folder = self.folder.parent / name
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-P", "-m", "SCons", "-C", str(self.folder), "-Q", "--silent"]
        command += [f"BUILD={folder}", f"CC={self.compiler}", f"FLAGS={flags}", str(folder)]
        paths = {"LOG": str(self.log), "TINYFLASH_CACHE": str(self.cache)}
        paths["PATH"] = path_without_stand_ins()
        done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / "code.o").read_bytes()

    def compiled(self) -> int:
        return len(self.log.read_text().splitlines())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_another_folder_takes_the_object(project: Project) -> None:
    assert project.build("one") == project.build("two")
    assert project.compiled() == 1


def test_what_made_it_is_compared(project: Project) -> None:
    first = project.build("one")
    project.write("code.h", "#define NUMBER 2\n")
    assert project.build("two") != first
    assert project.build("three", "-DMORE -g") != first
    project.compiler.write_text(COMPILER + "# another version\n")
    project.build("four")
    assert project.compiled() == 4
    project.write("code.h", "#define NUMBER 1\n")
    project.compiler.write_text(COMPILER)
    assert project.build("five") == first
    assert project.compiled() == 4


def test_another_checkout_has_its_own(project: Project, tmp_path: Path) -> None:
    """What a debugger shows is the source of this checkout."""
    project.build("one", "-g")
    project.folder = Path(shutil.copytree(project.folder, tmp_path / "other"))
    assert str(tmp_path / "other").encode() in project.build("two", "-g")


def test_a_cache_that_cannot_be_made_is_not_used(project: Project) -> None:
    project.cache.write_text("a file")
    assert project.build("one") == project.build("two")
    assert project.compiled() == 2


def age(path: Path, days: int) -> None:
    os.utime(path, (time.time() - days * 24 * 3600,) * 2)


def test_what_no_build_takes_is_deleted(project: Project) -> None:
    """A build that takes it dates it anew. Builds look for what is old once a day."""
    project.build("one")
    (kept,) = (project.cache / "objects").glob("??/*")
    age(kept, 10)
    age(project.cache / "objects" / "looked", 2)
    project.build("two")
    age(kept, 15)
    project.build("three")
    assert project.compiled() == 1
    age(kept, 15)
    age(project.cache / "objects" / "looked", 2)
    project.build("four")
    assert project.compiled() == 2
