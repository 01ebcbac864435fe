"""The CMake package: found, fetched, or added; it compiles models, and again when they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.dist import ROOT, attempt, learned, needs, shell

pytestmark = needs("cmake")
FETCHED = """cmake_minimum_required(VERSION 3.18)
project(fetched C)
include(FetchContent)
FetchContent_Declare(tinyflash SOURCE_DIR "{source}")
FetchContent_MakeAvailable(tinyflash)
add_executable(digits main.c)
tinyflash_add_model(digits digits.tflite scheme.toml NAME digits OPTIONS --seed 0)
"""
QUICK = ["-DCMAKE_C_FLAGS=-O0", "-DTINYFLASH_KERNELS=ref"]


@pytest.fixture
def example(products: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "my example"
    return shutil.copytree(products / "cmake" / "examples" / "digits", folder)


def build(example: Path, command: Path, *options: str) -> str:
    """What the program prints, built in the folder `build`."""
    shell(["cmake", "-B", "build", *QUICK, *options], example, command)
    shell(["cmake", "--build", "build"], example, command)
    return shell(["build/digits"], example)


def test_a_checkout_is_fetched_and_what_changed_is_compiled_again(
    example: Path, command: Path
) -> None:
    (example / "CMakeLists.txt").write_text(FETCHED.format(source=ROOT))
    assert build(example, command, f"-DTINYFLASH_COMMAND={command / 'tinyflash'}") == learned()
    scheme = example / "scheme.toml"
    scheme.write_text(scheme.read_text().replace("last = 2", "last = 1"))
    shell(["cmake", "--build", "build"], example, command)
    again = shell(["build/digits"], example)
    assert "no error: weights" in again
    assert again != learned()


def test_the_product_is_fetched_and_found(example: Path, products: Path, command: Path) -> None:
    """And built: by test_ways."""
    listed = example / "CMakeLists.txt"
    found = listed.read_text()
    listed.write_text(FETCHED.format(source=products / "cmake"))
    shell(["cmake", "-B", "fetched", *QUICK], example, command)
    listed.write_text(found)
    shell(["cmake", "-B", "found", f"-DCMAKE_PREFIX_PATH={products / 'cmake'}"], example, command)
    assert str(products / "cmake") in (example / "found" / "CMakeCache.txt").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scheme.toml)", "other.toml)"), "there is no"),
        (("scheme.toml)", "scheme.toml NAMED x)"), "does not know: NAMED;x"),
        (("tinyflash REQUIRED", "tinyflash 0.2 REQUIRED"), "compatible with requested version"),
        (("C)", "C)\nset(TINYFLASH_COMMAND FALSE)"), "the command tinyflash is not on the PATH"),
        (("(digits C)", "(digits C)\nset(TINYFLASH_KERNELS no)"), "no kernel set no"),
    ],
    ids=["scheme", "argument", "version", "command", "kernels"],
)
def test_mistakes_are_told(
    change: tuple[str, str], said: str, example: Path, products: Path, command: Path
) -> None:
    lists = example / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace(*change))
    prefix = f"-DCMAKE_PREFIX_PATH={products / 'cmake'}"
    done = attempt(["cmake", "-B", "build", prefix], example, command)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("asked", "found"), [("0.1", True), ("0.1.0", True), ("0.1.9", False), ("1.0", False)]
)
def test_versions(asked: str, found: bool, products: Path, tmp_path: Path) -> None:
    script = tmp_path / "asks.cmake"
    script.write_text(
        f"set(PACKAGE_FIND_VERSION {asked})\n"
        f'include("{products}/cmake/tinyflashConfigVersion.cmake")\n'
        "message(${PACKAGE_VERSION_COMPATIBLE})\n"
    )
    assert shell(["cmake", "-P", script], tmp_path).strip() == str(found).upper()
