"""The programs of README and manual: compile, link and run as they stand, in C and in C++."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.compilers import compile_program
from tests.support.pages import code, page
from tests.support.strict import C99, CXX, SOURCE_OF

from tinyflash import compile_model, read, write_model
from tinyflash.boards.toolchain import ARM
from tinyflash.paths import source_root
from tinyflash.scheme import scheme
from tinyflash.sources import library_sources
from tinyflash.zoo.networks import path_of

ROOT = source_root()
(ALONE,) = code(page("README.md"), "c")
(TWO,) = (text for text in code(page("docs/manual.md"), "c") if '#include "wake.h"' in text)
# The functions that the programs ask for. They end the first with 7, and the second by themselves.
USERS = {
    ALONE: """
uint32_t read_sensor(uint8_t *sample);
uint32_t read_sensor(uint8_t *sample) {
    static uint32_t calls;
    memset(sample, (int)calls, 64);
    if (++calls > 5) {
        exit(7);
    }
    return calls;
}
""",
    TWO: """
void read_sensor(uint8_t *sample);
int ask_user(uint32_t *label);
static int calls;
void read_sensor(uint8_t *sample) { memset(sample, calls, 64); }
int ask_user(uint32_t *label) {
    *label = (uint32_t)++calls;
    return calls < 6;
}
""",
}
INCLUDES = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
"""
PROGRAMS = pytest.mark.parametrize(("text", "status"), [(ALONE, 7), (TWO, 0)], ids=["alone", "two"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with gesture, which learns, and wake, which only infers."""
    folder = tmp_path_factory.mktemp("models")
    write_model(compile_model(read(path_of("digits")), scheme("digits")), folder, "gesture")
    write_model(compile_model(read(path_of("digits")), None), folder, "wake")
    return folder


def test_the_program_of_the_readme_has_some_20_lines() -> None:
    assert len(ALONE.splitlines()) <= 24


@PROGRAMS
@pytest.mark.parametrize("compiler", [C99, *CXX], ids=" ".join)
def test_it_runs(
    text: str, status: int, compiler: tuple[str, ...], models: Path, tmp_path: Path
) -> None:
    main, own = tmp_path / SOURCE_OF[compiler], tmp_path / f"own_{SOURCE_OF[compiler]}"
    main.write_text(text)
    own.write_text(INCLUDES + USERS[text])
    sanitizers = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    includes = (f"-I{ROOT / 'include'}", f"-I{models}")
    objects = [tmp_path / "main.o", tmp_path / "own.o"]
    for source, target in zip((main, own), objects, strict=True):
        command = [*compiler, *sanitizers, *includes, "-c", source, "-o", target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    sources = [*models.glob("*.c"), *library_sources(ROOT)]
    last = [*map(str, objects), *(["-lstdc++"] if compiler != C99 else [])]
    program = tmp_path / "program"
    compile_program(["cc", "-std=c99", *sanitizers, *includes], sources, program, last)
    assert subprocess.run([program], check=False).returncode == status


@PROGRAMS
def test_one_command_compiles_cpp_and_the_library(
    text: str, status: int, models: Path, tmp_path: Path
) -> None:
    """As the manual has it: the C compiler chooses the language by the ending, without -std."""
    for name, content in (("main", text), ("own", INCLUDES + USERS[text])):
        (tmp_path / f"{name}.cpp").write_text(content)
    files = [*tmp_path.glob("*.cpp"), *models.glob("*.c"), *library_sources(ROOT)]
    includes = [f"-I{ROOT / 'include'}", f"-I{models}"]
    program = tmp_path / "program"
    command = ["cc", *includes, *files, "-lstdc++", "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([program], check=False).returncode == status


@PROGRAMS
@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.skipif(not shutil.which(ARM), reason="no Arm compiler")
def test_it_links_for_arm(
    text: str, status: int, language: str, models: Path, tmp_path: Path
) -> None:
    compiler = ARM if language == "c" else ARM.replace("gcc", "g++")
    if not shutil.which(compiler):
        pytest.skip("no C++ for Arm")
    ending = "c" if language == "c" else "cpp"
    for name, content in (("main", text), ("own", INCLUDES + USERS[text])):
        (tmp_path / f"{name}.{ending}").write_text(content)
    standard = "-std=c99" if language == "c" else "-std=c++11"
    core = ["-mcpu=cortex-m4", "-mthumb", "-Os", "-ffunction-sections"]
    includes = [f"-I{ROOT / 'include'}", f"-I{models}"]
    own = [str(path) for path in tmp_path.glob(f"*.{ending}")]
    subprocess.run([compiler, standard, *core, *includes, "-c", *own], cwd=tmp_path, check=True)
    sources = [*map(str, models.glob("*.c")), *map(str, library_sources(ROOT))]
    command = [ARM, "-std=c99", *core, *includes, *sources, "main.o", "own.o", "-o", "image.elf"]
    command += ["--specs=nosys.specs", "-Wl,--gc-sections"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
