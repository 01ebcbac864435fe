"""Models under names of their own: in one image, in one file, in C and C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.random_graphs import random_graph
from tests.support.strict import C99, CXX, INCLUDE

from tinyflash.boards import load_board
from tinyflash.boards.firmware import build_firmware, firmware_board
from tinyflash.boards.named import as_model, model_name
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BuildError, ModelError
from tinyflash.sources import model_version, structures
from tinyflash.write import c
from tinyflash.write.model import write_model

COMPILERS = [C99, *CXX]
CXX20 = ("c++", "-std=c++20", *CXX[0][2:])


def compiled(seed: int) -> Compiled:
    return compile_model(*random_graph(seed))


def said(compiler: tuple[str, ...], source: Path, *options: str | Path) -> str:
    """What a compiler says of a file; "" if nothing."""
    command = [*compiler, f"-I{INCLUDE}", *options, source]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("compiler", COMPILERS, ids=" ".join)
def test_two_headers_in_one_file(compiler: tuple[str, ...], tmp_path: Path) -> None:
    write_model(compiled(2), tmp_path, "gesture")
    write_model(compiled(3), tmp_path, "wake")
    text = '#include "gesture.h"\n#include "wake.h"\n'
    for name in ("gesture", "wake"):
        for space in ("WEIGHTS", "STATE", "ARENA"):
            text += f"extern uint32_t {name}_{space}[{name.upper()}_{space}_WORDS];\n"
    text += "int differ(void);\nint differ(void) { return &gesture != &wake; }\n"
    main = tmp_path / ("main.c" if compiler == C99 else "main.cpp")
    main.write_text(text)
    assert not said(compiler, main, "-fsyntax-only")


@pytest.mark.parametrize("compiler", [*COMPILERS, CXX20], ids=" ".join)
@pytest.mark.parametrize("seed", range(6))
def test_two_models_in_one_file(compiler: tuple[str, ...], seed: int, tmp_path: Path) -> None:
    """As a unity build has them, or a sketch that includes them."""
    write_model(compiled(seed), tmp_path, "gesture")
    write_model(compiled(seed + 1), tmp_path, "wake")
    main = tmp_path / ("main.c" if compiler == C99 else "main.cpp")
    main.write_text('#include "gesture.c"\n#include "wake.c"\n')
    assert not said(compiler, main, "-c", "-o", tmp_path / "main.o")
    names = subprocess.run(["nm", tmp_path / "main.o"], capture_output=True, text=True, check=True)
    found = dict(reversed(line.split()[-2:]) for line in names.stdout.splitlines())
    assert {"gesture", "wake"} == {name for name, kind in found.items() if kind in "RDVB"}
    assert not any("_GLOBAL__" in name for name in found)  # nothing runs before main


def test_every_name_in_a_model_begins_with_its_own(tmp_path: Path) -> None:
    source, header = (f(compiled(2).program, "Gesture") for f in (c.source, c.header))
    names = re.findall(r"^(?:static )?const \w+ (\w+)", source, re.MULTILINE)
    assert len(names) > 20 and all(re.match(r"Gesture(_|$)", name) for name in names)
    defined = set(re.findall(r"^#define (\w+)", source, re.MULTILINE))
    assert defined == set(re.findall(r"^#undef (\w+)", source, re.MULTILINE))
    macros = re.findall(r"^#define (\w+)", header, re.MULTILINE)
    assert all(re.match(r"GESTURE_|TINYFLASH_GENERATED_GESTURE_H", macro) for macro in macros)


def test_a_second_header_of_one_name_is_not_dropped_in_silence(tmp_path: Path) -> None:
    for seed, name in ((2, "gesture"), (3, "gesture"), (4, "GESTURE")):
        write_model(compiled(seed), tmp_path / str(seed), name)
    main = tmp_path / "main.c"
    for seed, name in ((3, "gesture"), (4, "GESTURE")):
        main.write_text(f'#include "2/gesture.h"\n#include "{seed}/{name}.h"\n')
        text = said(C99, main, f"-I{tmp_path}", "-fsyntax-only")
        assert f"two models are named {name}; compile one of them with another --name" in text
    main.write_text('#include "2/gesture.h"\n#include "2/gesture.h"\n')
    assert not said(C99, main, f"-I{tmp_path}", "-fsyntax-only")


BAD = ["", "9", "a-b", "a b", "é", "a/b", "../a", "int", "class", "and", "restrict", "nullptr"]
BAD += ["main", "printf", "string", "math", "tiny_x", "TINY_", "tinyflash", "a_t", "a__b", "x" * 32]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_c_cannot_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"^name '.*': .*; choose a name such as 'model'"
    ) as caught:
        write_model(compiled(2), tmp_path / "out", name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["g", "Gesture", "model2", "my_model", "x" * 31, "integer", "TinyNet"]
)
def test_other_names_are_taken(name: str, tmp_path: Path) -> None:
    write_model(compiled(2), tmp_path, name)
    assert not said(C99, tmp_path / f"{name}.c", "-fsyntax-only")


# ---- Other versions ------------------------------------------------------------------------------


def test_a_library_of_another_version_says_so(tmp_path: Path) -> None:
    """Before anything else that is wrong."""
    number = model_version(INCLUDE.parent)
    write_model(compiled(2), tmp_path, "gesture")
    shutil.copytree(INCLUDE, tmp_path / "include")
    library = tmp_path / "include" / "tinyflash" / "model.h"
    text = library.read_text()
    wanted = "gesture.c and include/tinyflash are of two versions of tinyflash; compile the model"
    define = f"#define TINY_MODEL_VERSION {number}\n"
    for other in (define.replace(str(number), str(number + 1)), ""):
        changed = text.replace(define, other).replace("    tiny_table infer;\n", "")
        library.write_text(changed)
        command = [*C99, f"-I{tmp_path / 'include'}", "-fsyntax-only", tmp_path / "gesture.c"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        assert wanted in errors[0]


def test_structures_are_read_as_a_compiler_reads_them(tmp_path: Path) -> None:
    """Their order is that of the initialisers, which C++ asks for."""
    lines = [
        f'_Static_assert(offsetof({name}, {one}) < offsetof({name}, {two}), "{name}");'
        for name, fields in structures(INCLUDE.parent).items()
        for one, two in zip(fields, list(fields)[1:], strict=False)
    ]
    assert len(lines) > 150
    main = tmp_path / "main.c"
    main.write_text('#include "tinyflash/tinyflash.h"\n' + "\n".join(lines))
    assert not said(("cc", "-std=c11"), main, "-fsyntax-only")


# ---- Firmware ------------------------------------------------------------------------------------


def test_firmware_is_built_of_a_named_model(tmp_path: Path) -> None:
    board = load_board("qemu_stm32f405")
    write_model(compiled(2), tmp_path, "gesture")
    elf = build_firmware(tmp_path, board, tmp_path)
    assert firmware_board(elf) == board.name
    write_model(compiled(2), tmp_path / "plain")
    plain = build_firmware(tmp_path / "plain", board, tmp_path / "plain")
    assert sections(elf) == sections(plain)


def sections(elf: Path) -> bytes:
    """What the board gets."""
    image = elf.with_suffix(".bin")
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, image], check=True)
    return image.read_bytes()


def test_a_folder_with_several_models_asks_for_the_name(tmp_path: Path) -> None:
    write_model(compiled(2), tmp_path, "gesture")
    assert model_name(tmp_path) == "gesture"
    (tmp_path / "other.h").write_text("extern const tiny_model other;\n")  # without its source
    (tmp_path / "main.c").write_text("")
    (tmp_path / "main.h").write_text("")
    assert model_name(tmp_path) == "gesture"
    write_model(compiled(3), tmp_path, "wake")
    with pytest.raises(BuildError, match="holds the models gesture, wake; choose one with --name"):
        model_name(tmp_path)
    assert model_name(tmp_path, "wake") == "wake"
    with pytest.raises(BuildError, match=r"no\.c is missing; run tinyflash compile --name no -o "):
        model_name(tmp_path, "no")


def test_firmware_sees_every_macro_of_the_model() -> None:
    program = compiled(2).program
    plain = set(re.findall(r"^#define (MODEL_\w+)", c.header(program), re.MULTILINE))
    seen = dict(re.findall(r"^#define (\w+) (\w+)$", as_model("a", c.header(program, "a")), re.M))
    assert seen.pop("MODEL") == "a"
    assert seen == {macro: macro.replace("MODEL_", "A_") for macro in plain}
