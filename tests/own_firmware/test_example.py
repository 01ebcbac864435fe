"""examples/minimal: builds as its page says, learns, goes on; the same bytes on every machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.examples import EXAMPLES, copied, numbers, shell
from tests.support.strict import C99, INCLUDE

from tinyflash.boards.footprint.callgraph import read_call_graph
from tinyflash.boards.footprint.objects import read_unit
from tinyflash.boards.toolchain import ARM, QEMU
from tinyflash.zoo.networks import path_of

EXAMPLE = EXAMPLES / "minimal"
SAVED = "learned.bin"
needs = {name: pytest.mark.skipif(not shutil.which(name), reason=f"no {name}") for name in
         ("make", "cmake", ARM, QEMU)}  # fmt: skip
TARGETS = {
    "host": ("run", ()),
    "m4": ("run-m4", (needs[ARM], needs[QEMU])),
    "m0": ("run-m0", (needs[ARM], needs[QEMU])),
}
# Of a core without division and long multiplication: GCC's, which push at most 9 registers.
DIVISIONS = ("__aeabi_uidivmod", "__aeabi_uidiv", "__aeabi_idivmod", "__aeabi_idiv")
DIVISIONS += ("__aeabi_lmul", "__aeabi_llsl", "__aeabi_llsr", "__aeabi_lasr")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied("minimal", tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def runs(example: Path) -> tuple[dict[str, int], dict[str, int], bytes]:
    """Two runs on this computer, and what they save."""
    (example / SAVED).unlink(missing_ok=True)
    first, second = (numbers(shell(example, "make", "run")) for _ in range(2))
    return first, second, (example / SAVED).read_bytes()


@needs["make"]
def test_it_learns_and_goes_on(runs: tuple[dict[str, int], dict[str, int], bytes]) -> None:
    first, second, _ = runs
    assert first["started at step"] == 0
    assert first["correct before, of 100"] < 25 < 75 < first["correct after, of 100"]
    assert second["resumed after step"] == first["saved after step"] == 500
    assert second["correct before, of 100"] == first["correct after, of 100"]
    assert second["correct after, of 100"] > first["correct after, of 100"]
    page = (EXAMPLE / "README.md").read_text()
    found = re.search(r"recognises (\d+) after the first run and (\d+) after the\s+second", page)
    assert found is not None
    assert [int(n) for n in found.groups()] == [run["correct after, of 100"] for run in runs[:2]]


@needs["make"]
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks) for name, (_, marks) in TARGETS.items() if marks]
)
def test_a_bare_core_learns_the_same(
    name: str, example: Path, runs: tuple[dict[str, int], dict[str, int], bytes]
) -> None:
    """The Cortex-M0 has 16 KB of SRAM: the linker refuses more."""
    (example / SAVED).unlink()
    said = [shell(example, "make", TARGETS[name][0]) for _ in range(2)]
    assert [numbers(text) for text in said] == list(runs[:2])
    assert (example / SAVED).read_bytes() == runs[2]
    if name == "m0":
        used = re.search(r"SRAM: +(\d+) B +16 KB", said[0])
        assert used is not None
        assert f"takes {int(used[1]):,} bytes of SRAM" in (EXAMPLE / "README.md").read_text()


@needs["make"]
@pytest.mark.parametrize("damage", ["a bit", "cut", "empty", "another model"])
def test_what_is_damaged_is_not_restored(
    damage: str, example: Path, runs: tuple[dict[str, int], dict[str, int], bytes]
) -> None:
    good = runs[2]
    bad = {
        "a bit": good[:500] + bytes([good[500] ^ 1]) + good[501:],
        "cut": good[:-1],
        "empty": b"",
        "another model": bytes([good[0] ^ 1]) + good[1:],
    }
    (example / SAVED).write_bytes(bad[damage])
    assert numbers(shell(example, "build/host")) == runs[0]


@needs["make"]
def test_a_full_disk_leaves_what_was_saved_before(
    example: Path, runs: tuple[dict[str, int], dict[str, int], bytes]
) -> None:
    (example / SAVED).write_bytes(runs[2])
    full = "trap '' XFSZ; ulimit -f 1; build/host || echo refused"  # files of one block
    assert "error: what was learned could not be saved\nrefused" in shell(example, "sh", "-c", full)
    assert (example / SAVED).read_bytes() == runs[2]


@needs["cmake"]
def test_cmake_builds_it_for_this_computer(
    example: Path, runs: tuple[dict[str, int], dict[str, int], bytes]
) -> None:
    shell(example, "cmake", "-B", "build/cmake")
    shell(example, "cmake", "--build", "build/cmake")
    (example / SAVED).unlink(missing_ok=True)
    assert numbers(shell(example, "build/cmake/minimal")) == runs[0]


@needs["cmake"]
@needs[ARM]
@needs[QEMU]
@pytest.mark.parametrize(("core", "machine"), [("m4", "mps2-an386"), ("m0", "microbit")])
def test_cmake_builds_it_for_a_bare_core(
    core: str,
    machine: str,
    example: Path,
    runs: tuple[dict[str, int], dict[str, int], bytes],
) -> None:
    build = f"build/cmake-{core}"
    toolchain = "-DCMAKE_TOOLCHAIN_FILE=bare/arm.cmake"
    shell(example, "cmake", "-B", build, toolchain, f"-DCORE={core}")
    shell(example, "cmake", "--build", build)
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting")
    (example / SAVED).unlink(missing_ok=True)
    run = (QEMU, *quiet, "-machine", machine, "-kernel", f"{build}/minimal")
    assert numbers(shell(example, *run)) == runs[0]


@needs["make"]
@needs[ARM]
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0"])
def test_its_stack_is_enough(core: str, example: Path, tmp_path: Path) -> None:
    """The worst case by the compiler's figures, against the reserve in Makefile and arm.cmake."""
    shell(example, "make", "build/digits.c")
    include, *library = shell(example, "tinyflash", "sources").splitlines()
    names = ("main", "sensor", "saved", "bare/start", "bare/port", "build/digits")
    flags = ["-std=c99", "-O2", f"-mcpu={core}", "-mthumb", "-fcallgraph-info=su", include]
    flags += [f"-I{example / 'build'}", f"-I{example}", "-c"]
    sources = [*(str(example / f"{name}.c") for name in names), *library]
    subprocess.run([ARM, *flags, *sources], cwd=tmp_path, check=True)
    graph = read_call_graph(sorted(tmp_path.glob("*.o")))
    graph = replace(graph, frames={**dict.fromkeys(DIVISIONS, 48), **graph.frames})
    kernels = [k for k in read_unit(tmp_path / "digits.o").held if k in graph.frames]
    assert len(kernels) > 8
    need = graph.depth("start", kernels) + 36  # what a core pushes on a fault
    for file in (EXAMPLE / "Makefile", EXAMPLE / "bare" / "arm.cmake"):
        (reserved,) = re.findall(r"stack_bytes=(\d+)", file.read_text())
        assert need <= int(reserved), need


@needs["make"]
def test_a_strict_compiler_has_nothing_to_say(example: Path) -> None:
    shell(example, "make", "build/digits.c")
    for source in sorted(EXAMPLE.rglob("*.c")):
        includes = [f"-I{INCLUDE}", f"-I{example / 'build'}", f"-I{EXAMPLE}"]
        command = [*C99, *includes, "-fsyntax-only", source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr


def test_its_network_is_that_of_the_zoo() -> None:
    assert (EXAMPLE / "digits.tflite").read_bytes() == path_of("digits").read_bytes()
