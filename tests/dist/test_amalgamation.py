"""The library as one file: strict compilers take it, it is complete, and it learns the same."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.support.dist import NETWORK, SCHEME, attempt, learned, needs, shell
from tests.support.strict import C99, CXX, HEADERS, SOURCE_OF

from tinyflash import compile_model, load_scheme, read, write_model
from tinyflash.boards.toolchain import ARM, QEMU
from tinyflash.dist.amalgamation import amalgamation, own_names
from tinyflash.dist.ways import WAYS, make
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets, library_sources

ROOT = source_root()
STRICT = C99[1:]
SETS = pytest.mark.parametrize("name", kernel_sets(ROOT))
CORES = {"ref": "cortex-m0", "dsp": "cortex-m4", "mve": "cortex-m55"}
MINIMAL = ROOT / "examples" / "minimal"
BARE = """bare/start.c bare/port.c -Tbare/cortex_m.ld -nostartfiles --specs=nano.specs
    -Wl,--gc-sections,--defsym=flash_bytes=1048576,--defsym=sram_bytes=131072
    -Wl,--defsym=stack_bytes=1024"""
EMULATE = "-display none -monitor none -serial none -semihosting -machine mps2-an386"


def flags(core: str) -> list[str]:
    return [f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-ffunction-sections"]


def kernels(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([name, REFERENCE]))


@SETS
def test_a_strict_compiler_takes_it_and_it_learns_the_same(
    name: str, products: Path, tmp_path: Path
) -> None:
    one = products / "amalgamated" / name
    if name != "cmsis_nn":  # whose kernels need Arm's
        compiled = compile_model(read(NETWORK), load_scheme(SCHEME), kernels=kernels(name))
        write_model(compiled, tmp_path, "digits")
        assert name == REFERENCE or f"_{name}," in (tmp_path / "digits.c").read_text()
        shutil.copy(products / "amalgamated" / "examples" / "digits" / "main.c", tmp_path)
        sources = ["digits.c", "main.c", one / "tinyflash.c"]
        shell(["cc", "-O0", *STRICT, f"-I{one}", *sources, "-o", "run"], tmp_path)
        assert shell(["./run"], tmp_path) == learned()
    else:
        shell([*C99, "-c", one / "tinyflash.c"], tmp_path)


@needs("clang")
@SETS
def test_clang_has_nothing_to_say(name: str, products: Path) -> None:
    """It is in Arm's compiler and in Xcode."""
    source = products / "amalgamated" / name / "tinyflash.c"
    shell(["clang", *STRICT, "-fsyntax-only", source], source.parent)


@pytest.fixture(scope="module")
def compiled(products: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The object of the file of each set, without a warning on the set's core."""
    folder = tmp_path_factory.mktemp("objects")
    for name, core in CORES.items():
        source = products / "amalgamated" / name / "tinyflash.c"
        shell([ARM, *flags(core), *STRICT, "-O1", "-c", source, "-o", f"{name}.o"], folder)
    return {name: folder / f"{name}.o" for name in CORES}


@needs(ARM)
@pytest.mark.parametrize("name", CORES)
def test_it_has_the_functions_of_the_library(name: str, compiled: dict[str, Path]) -> None:
    text = "".join(path.read_text() for path in library_sources(ROOT, kernels(name)))
    defined = re.findall(r"^(?!static)[\w ]+[ *](tiny_\w+)\([^;{]*\) \{", text, re.MULTILINE)
    symbols = shell(["arm-none-eabi-nm", compiled[name]], ROOT)
    extern = set(re.findall(r" T (\w+)", symbols))
    assert len(defined) > 60
    assert set(defined) <= extern
    assert not re.findall(r" U (tiny_\w+)", symbols)
    assert all(function.startswith("tiny_") for function in extern)


@needs(ARM, QEMU)
def test_an_emulated_core_learns_the_same_bytes(
    compiled: dict[str, Path], products: Path, tmp_path: Path
) -> None:
    """With kernels of `dsp` in its assembly, as this computer with the reference."""
    shutil.copytree(MINIMAL, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build"))
    own = ["main.c", "sensor.c", "saved.c", "digits.c"]
    saved = []
    for name in ("dsp", "ref"):
        one = products / "amalgamated" / name
        network = compile_model(read(NETWORK), load_scheme(SCHEME), kernels=kernels(name))
        write_model(network, tmp_path, "digits")
        if name == "dsp":
            link = [*flags("cortex-m4"), *BARE.split(), compiled[name], "-o", "run"]
            shell([ARM, "-O1", f"-I{one}", "-I.", *own, *link], tmp_path)
            shell([QEMU, *EMULATE.split(), "-kernel", "run"], tmp_path)
        else:
            host = [*own, "port_host.c", one / "tinyflash.c"]
            shell(["cc", f"-I{one}", "-I.", *host, "-o", "run"], tmp_path)
            shell(["./run"], tmp_path)
        saved.append((tmp_path / "learned.bin").read_bytes())
        (tmp_path / "learned.bin").unlink()
    assert len(saved[0]) > 8264
    assert saved[0] == saved[1]


@pytest.mark.parametrize("compiler", [C99, *CXX], ids=" ".join)
def test_its_header_is_one_of_c_and_of_cxx(
    compiler: tuple[str, ...], products: Path, tmp_path: Path
) -> None:
    """Under its own name, and by the names of the library's headers."""
    names = ["tinyflash.h", *HEADERS, "tinyflash.h"]
    text = "".join(f'#include "{name}"\n' for name in names) + "tiny_session one;\n"
    (tmp_path / SOURCE_OF[compiler]).write_text(text)
    include = f"-I{products / 'amalgamated' / 'ref'}"
    shell([*compiler, include, "-fsyntax-only", SOURCE_OF[compiler]], tmp_path)


def test_its_page_says_how(products: Path) -> None:
    page = products / "amalgamated" / "README.md"
    (line,) = re.findall(r"^    (cc .*)$", page.read_text(), re.MULTILINE)
    assert shell(["sh", "-c", line], page.parent) == learned()
    (page.parent / "digits").unlink()


def test_names_of_a_file_are_found() -> None:
    text = """
#define MADE(name, other) static int name(int other) { return other; }
#define KERNEL(layer) void tiny_##layer##_forward(void) { }
typedef struct pair { int inside; } pair;
enum { SMALL, LARGE = 2 };
static const int table[2] = {1, 2}, *unused;
/* static int commented; */
static int declared(int a);
MADE(made, x)
KERNEL(conv2d)
static int defined(int (*call)(int), int b) { static int local; return call(b + local); }
INLINED void hidden(void) { }
"""
    found = {"made", "pair", "SMALL", "LARGE", "table", "declared", "defined", "hidden"}
    assert own_names(text) == found


def test_clashing_names_get_the_name_of_their_file(tmp_path: Path) -> None:
    """In code that names of the same spelling stand in: members, operands of assembly, strings."""
    folder = tmp_path / "lib" / "kernels" / "ref"
    (tmp_path / "include" / "tinyflash").mkdir(parents=True)
    folder.mkdir(parents=True)
    (tmp_path / "include" / "tinyflash" / "tinyflash.h").write_text(
        "typedef struct both { int move; } both;\nint tiny_a(both *b);\nint tiny_b(both *b);\n"
    )
    text = """#include "tinyflash/tinyflash.h"
#define STEP {step}
static int move(int by) {{ return by + STEP; }}
int tiny_{name}(both *b) {{
    const char *const text = "move"; /* move */
    b->move = move(text[0] == 'm');
    __asm__("# %[move]" : : [move] "r"(b->move));
    return b->move;
}}
"""
    for name, step in (("a", 10), ("b", 20)):
        (folder / f"{name}.c").write_text(text.format(name=name, step=step))
    header, source = amalgamation(tmp_path, "ref")
    (tmp_path / "tinyflash.h").write_text(header)
    main = "int main(void) { both x; return tiny_a(&x) + tiny_b(&x); }\n"
    (tmp_path / "one.c").write_text(source + main)
    shell(["cc", "one.c", "-o", "run"], tmp_path)
    assert attempt(["./run"], tmp_path).returncode == 11 + 21


def test_products_are_the_same_each_time_and_replace_older_ones(
    products: Path, tmp_path: Path
) -> None:
    """And nothing that is not a product is removed."""
    make(WAYS[0], tmp_path)
    (tmp_path / WAYS[0].folder / "stale.c").touch()
    shell(["scons", "-Q", "dist", f"BUILD={tmp_path}"], ROOT)
    made = {p.relative_to(products): p.read_bytes() for p in products.rglob("*") if p.is_file()}
    again = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert made == again
    assert all((path / "LICENSE").read_bytes() for path in products.iterdir())
    shutil.rmtree(tmp_path / "cmake")
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake" / "mine.txt").touch()
    refused = attempt(["scons", "-Q", "dist", f"BUILD={tmp_path}"], ROOT)
    assert refused.returncode == 2
    assert "is not a product" in refused.stderr
    assert (tmp_path / "cmake" / "mine.txt").exists()
