"""The structure that the folder list promises: who may include whom, and what C may use."""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from tests.support.architecture import (
    C_FOLDERS,
    FOLDERS,
    NOUNS,
    ORDER,
    PACKAGE,
    PAGE,
    Import,
    all_imports,
    c_includes,
    inner,
    matches,
    page,
    unit_of,
    units,
)

from tinyflash.boards import load_board
from tinyflash.boards.firmware import can_compile
from tinyflash.boards.footprint.objects import CompiledUnit, read_unit
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE

ROOT = source_root()
# Each folder of C, and the folders whose headers it may include besides its own.
ALLOWED = {
    "include": set(),
    "lib": {"include"},
    "firmware": {"include", "boards"},
    "boards": {"include"},
}
# Libraries that are heavy, optional, or speak to the world outside, and the only files that may
# import them. `*` stands for any text; no file at all: the library is not to be imported.
ADAPTERS = {
    "torch": (
        "data/horizon/networks.py",
        "read/torch.py",
        "search/designs/torchnet.py",
        "zoo/training/*.py",
        "bench/*/float_networks.py",
        "bench/*/operators.py",
        "bench/*/twin.py",
        "bench/quantize/*.py",
    ),
    "onnx": ("read/onnx/file.py", "read/onnx/folding.py", "read/onnx/judge/*.py"),
    "google": ("read/onnx/file.py",),
    "onnxscript": ("read/torch.py",),
    "onnxruntime": ("bench/quantize/*.py", "read/onnx/judge/evaluator.py"),
    "matplotlib": (
        "show/plots.py",
        "show/horizon.py",
        "show/recordings.py",
        "show/labels/page.py",
        "training/health_plot.py",
        "bench/*/picture.py",
        "bench/endurance/plot.py",
        "demo/overview.py",
    ),
    "PIL": ("zoo/sources/photographs.py", "data/intake/pictures.py"),
    "soundfile": ("data/intake/audio.py",),
    "cbor2": ("data/intake/edge_impulse.py",),
    "tflite": ("read/tflite/flat.py", "write/flat.py"),
    "flatbuffers": ("write/flat.py",),
    "cffi": ("runtime/host/build.py",),
    "serial": ("runtime/device/port.py", "boards/ports.py"),
    "elftools": ("boards/*.py",),
    "tensorflow": (),
    "jax": (),
    "cleanlab": (),
    "optuna": (),
    "pyocd": ("boards/debug_probe.py",),
    "ray": ("search/engine/on_ray.py",),
}
# Who judges, and all of the package that it may import: words to describe what is judged, and
# nothing that computes. `module:name` allows one name of a module. Of an operator's facts verify
# needs its roles.
_WORDS = ("errors", "arrays", "attributes", "tensors", "graph", "program", "choices")
JUDGES = {
    "reference/*": (*_WORDS, "reference", "runtime.session"),
    "compiler/plan/check.py": (*_WORDS, "compiler.plan.planner:Plan"),
    "compiler/verify/*": (*_WORDS, "operators", "compiler.verify"),
    "read/onnx/judge/*": ("arrays", "read.onnx.judge"),
}
# Who may compute with the reference: what it does not judge.
REFERENCE_USERS = ("reference/*", "quantize/error.py", "bench/*")
SET_HEADERS = {"cmsis_nn": {"arm_nnfunctions.h"}, "host": {"immintrin.h"}}  # of kernel sets
SYSTEM_IN_LIB = {"stddef.h", "stdint.h", "stdbool.h", "string.h"}


def c_files(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".c", ".h"))


def includes(path: Path) -> list[tuple[str, bool]]:
    """Names of included headers, and whether they are the system's."""
    found = re.findall(r'^#include ([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE)
    return [(name, bracket == "<") for bracket, name in found]


def owner(header: str) -> Path | None:
    """The file that a quoted header names; None: what the compiler or a build generates."""
    if header in ("model.h", "pairing_key.h", "spectrogram_tables.h"):
        return None
    bare = header.replace("../", "")
    found = [p for f in ALLOWED for p in c_files(f) if p.as_posix().endswith("/" + bare)]
    assert len(found) == 1, f"{header} is {found or 'nowhere'}"
    return found[0]


def top(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_includes_follow_the_arrows(folder: str) -> None:
    for path in c_files(folder):
        for header, system in includes(path):
            file = None if system else owner(header)
            assert file is None or top(file) in {folder, *ALLOWED[folder]}, f"{path}: {header}"


def quoted(path: Path) -> set[Path]:
    """The headers of ours that a file includes."""
    files = (owner(header) for header, system in includes(path) if not system)
    return {file for file in files if file is not None}


def test_the_link_knows_no_command() -> None:
    for path in c_files("firmware/link"):
        above = {p for p in quoted(path) if top(p) == "firmware" and p.parent != path.parent}
        assert above <= {ROOT / "firmware" / "protocol.h"}, path


def test_no_headers_include_each_other() -> None:
    graph = {path: quoted(path) for folder in ALLOWED for path in c_files(folder)}
    TopologicalSorter(graph).prepare()  # raises CycleError


def outside(unit: CompiledUnit) -> frozenset[str]:
    """The functions of other files that an object refers to."""
    return (unit.called | unit.held | unit.handed) - unit.defined


@pytest.mark.skipif(not can_compile(load_board("qemu_stm32f405")), reason="no Arm compiler")
def test_no_files_call_each_other(tmp_path: Path) -> None:
    """Nor do they through tables that they hold. A board calls back into the program by design."""
    model = ROOT / "tests" / "firmware" / "model"
    settings = ["BOARD=qemu_stm32f405", f"MODEL={model}", f"BUILD={tmp_path}", "GUARD=2"]
    scons = [sys.executable, "-m", "SCons", "-C", str(ROOT), "-Q", "--silent"]
    subprocess.run([*scons, "objects", *settings], check=True)
    objects = tmp_path / "objects"
    units = {
        path: read_unit(path) for f in ("lib", "firmware") for path in (objects / f).rglob("*.o")
    }
    assert any(path.stem == "guard" for path in units)
    home = {name: path for path, unit in units.items() for name in unit.defined}
    graph = {path: {home[n] for n in outside(unit) & set(home)} for path, unit in units.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def code(path: Path) -> str:
    """The C of a file without comments and strings."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    return re.sub(r'"[^"\n]*"', '""', text)


def test_the_library_needs_neither_float_nor_allocator() -> None:
    for path in c_files("lib") + c_files("include"):
        forbidden = re.findall(r"\b(float|double|malloc|calloc|realloc|free|alloca)\b", code(path))
        assert not forbidden, f"{path}: {forbidden}"
        system = {name for name, is_system in includes(path) if is_system}
        system -= SET_HEADERS.get(path.parent.name, set())
        assert system <= SYSTEM_IN_LIB, f"{path}: {system - SYSTEM_IN_LIB}"


def test_kernels_are_not_written_for_one_machine() -> None:
    """A kernel set for some machines is another folder. Its only condition chooses between assembly
    and its C twin, or whether the code of others is there, outside of all functions."""
    for path in c_files("lib"):
        own_set = path.parent.parent.name == "kernels" and path.parent.name != REFERENCE
        here = r"#if defined\((__ARM|__x86|CMSIS_NN)_.*"
        twin = rf"#if !?TINY_{path.parent.name.upper()}(_ASM)?|{here}|#else"
        lines = code(path).splitlines()
        conditions = [line for line in lines if re.match(r"#\s*(if|ifdef|elif|else)\b", line)]
        guard = f"#ifndef TINYFLASH_KERNELS_{path.parent.name.upper()}_{path.stem.upper()}_H"
        others = [c for c in conditions if c != guard and not (own_set and re.fullmatch(twin, c))]
        assert not others, f"{path}: {others}"
        functions = re.findall(r"^\w[^;{}#]*\{\n.*?^\}", code(path), re.MULTILINE | re.DOTALL)
        for function in functions:
            assert not any(c in function.splitlines() for c in conditions), f"{path}: {function}"


def test_each_kernel_file_has_a_header_of_its_name() -> None:
    headers = {p.stem for p in (ROOT / "include" / "tinyflash" / "kernels").glob("*.h")}
    kernels = {p.stem for p in (ROOT / "lib" / "kernels" / "ref").glob("*.c")}
    assert headers == kernels | {"arguments"}


def test_each_kernel_has_a_contract() -> None:
    """A comment right before it, which says what it computes."""
    for path in c_files("include"):
        if path.parent.name == "kernels":
            found = re.findall(r"^(.*)\nvoid (tiny_\w+)\(", path.read_text(), re.MULTILINE)
            bare = [name for before, name in found if not before.endswith("*/")]
            assert not bare, f"{path.name}: {bare}"


def imported_by(script: str) -> set[str]:
    """The modules of a new process that has run a script."""
    command = [sys.executable, "-c", f"import sys\n{script}\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_tinyflash_needs_nothing_heavy() -> None:
    modules = imported_by("import tinyflash, tinyflash.compiler.pipeline, tinyflash.cli")
    assert not {"torch", "tensorflow", "onnx", "matplotlib"} & modules


def test_a_build_imports_no_numpy() -> None:
    """SCons is started for each image, and takes as long as an import of numpy."""
    text = (ROOT / "SConstruct").read_text()
    lines = [line for line in text.splitlines() if line.startswith("from tinyflash")]
    assert len(lines) > 5
    assert "numpy" not in imported_by("\n".join(lines))


def test_the_door_of_the_package_is_complete_and_opens_late() -> None:
    """`read` is a function, also when the folder of its name is imported later than the door."""
    script = "import tinyflash\nassert 'numpy' not in sys.modules\n"
    script += "for name in tinyflash.__all__: assert callable(getattr(tinyflash, name)), name\n"
    script += "assert set(tinyflash.__all__) <= set(dir(tinyflash))\n"
    assert "tinyflash.compiler" in imported_by(script)
    assert imported_by(
        "from tinyflash.read.tflite import read_tflite\nassert callable(read_tflite)"
    )


def test_every_folder_has_its_place_in_the_order() -> None:
    assert units() == set(ORDER)


@pytest.mark.parametrize("unit", ORDER)
def test_imports_go_downward(unit: str) -> None:
    """A folder imports itself and what comes before it in ORDER, never the door of the package."""
    lower = ORDER[: ORDER.index(unit) + 1]
    within = [found for found in all_imports() if unit_of(found.file) == unit]
    wrong = [found for found in within if inner(found) not in {None, *lower}]
    assert not wrong, lines(wrong)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_circle_among_the_folders_of_a_folder(folder: str) -> None:
    arrows: dict[str, set[str]] = {}
    for found in all_imports():
        here, there = found.file.split("/")[:-1], found.module.split(".")[1:]
        inside = len(here) > 1 and here[0] == folder and there[:1] == [folder] and len(there) > 1
        if inside and (PACKAGE / folder / there[1]).is_dir() and here[1] != there[1]:
            arrows.setdefault(here[1], set()).add(there[1])
    while arrows:
        free = {name for name, below in arrows.items() if not below & set(arrows)}
        assert free, f"{folder}: a circle among {sorted(arrows)}"
        arrows = {name: below for name, below in arrows.items() if name not in free}


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_heavy_libraries_are_imported_in_adapters_only(library: str) -> None:
    users = [found for found in all_imports() if found.module.split(".")[0] == library]
    strange = [found for found in users if not matches(found.file, ADAPTERS[library])]
    assert not strange, lines(strange)
    for pattern in ADAPTERS[library]:
        assert any(matches(found.file, (pattern,)) for found in users), f"{pattern} has no use"


@pytest.mark.parametrize("judge", sorted(JUDGES))
def test_a_judge_shares_nothing_with_what_it_judges(judge: str) -> None:
    """The reference is written from SPEC.md alone, the checker from the meaning of a plan."""
    own = [found for found in all_imports() if matches(found.file, (judge,))]
    assert own, f"{judge} is nowhere"
    shared = [f for f in own if inner(f) is not None and not allowed(f, JUDGES[judge])]
    assert not shared, lines(shared)


def allowed(found: Import, names: tuple[str, ...]) -> bool:
    module = found.module.removeprefix("tinyflash").removeprefix(".")
    exact = f"{module}:{found.name}"
    return any(exact == name or f"{module}.".startswith(f"{name}.") for name in names)


def test_nothing_that_is_judged_computes_with_the_reference() -> None:
    users = [found for found in all_imports() if inner(found) == "reference"]
    wrong = [found for found in users if not matches(found.file, REFERENCE_USERS)]
    assert not wrong, lines(wrong)


def test_the_page_shows_the_folders_as_they_are() -> None:
    """`python -m tests.support.architecture` rewrites it."""
    used = c_includes()
    assert set(used) | set().union(*used.values()) <= set(C_FOLDERS)
    assert set(NOUNS) < set(ORDER)
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run: python -m tests.support.architecture"


def lines(found: list[Import]) -> str:
    return "\n" + "\n".join(dict.fromkeys(map(str, found)))
