"""Worst-case stacks from the compiler's figures: what is counted, and what is refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.support.learner import learner

from tinyflash.boards import boards, load_board
from tinyflash.boards import firmware as build
from tinyflash.boards.footprint import compiled, footprint
from tinyflash.boards.footprint.callgraph import (
    ARMV6M_FRAMES,
    LIBRARY_FRAMES,
    CallGraph,
    held_functions,
    read_call_graph,
)
from tinyflash.boards.footprint.compiled import size_of
from tinyflash.boards.footprint.objects import read_unit
from tinyflash.boards.toolchain import ARM
from tinyflash.compiler import Compiled
from tinyflash.errors import InternalError

BOARD = load_board("qemu_stm32f405")
FLAGS = [*BOARD.cpu_flags, "-O2", "-g", "-ffunction-sections", "-fcallgraph-info=su", "-c"]
OUTER = "void use(volatile char *);\n"


def compile_c(folder: Path, text: str, name: str = "unit") -> Path:
    source = folder / f"{name}.c"
    source.write_text(text)
    target = source.with_suffix(".o")
    subprocess.run([ARM, *FLAGS, str(source), "-o", str(target)], check=True)
    return target


def graph_of(folder: Path, text: str) -> CallGraph:
    return read_call_graph([compile_c(folder, text)])


def test_the_deepest_chain_counts(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        "#define F __attribute__((noinline, noclone))\n"
        'F void use(volatile char *p) { *p = 1; __asm volatile(""); }\n'
        "F static void small(void) { volatile char a[16]; use(a); use(a); }\n"
        "F static void large(void) { volatile char a[200]; use(a); use(a); }\n"
        'void root(int n) { if (n) small(); else large(); __asm volatile(""); }\n',
    )
    assert graph.depth("use") == 0
    assert 200 + 4 <= graph.depth("root") <= 200 + 24


def test_recursion_is_refused(tmp_path: Path) -> None:
    text = "__attribute__((noinline)) static void a(int n, volatile char *p);\n"
    text += "void b(int n) { volatile char s[8]; a(n, s); s[0] = 1; }\n"
    text += "static void a(int n, volatile char *p) { *p = 1; if (n) b(n - 1); *p = 2; }\n"
    with pytest.raises(
        InternalError, match=r"recursion needs unlimited stack: .*unit\.c:a -> .*unit\.c:a$"
    ):
        graph_of(tmp_path, text).depth("b")


def test_a_frame_of_changing_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="frame of grow has no fixed size"):
        graph_of(tmp_path, OUTER + "void grow(int n) { volatile char s[n]; use(s); use(s); }")


def test_an_unknown_function_is_refused(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, OUTER + "void root(void) { volatile char s[8]; use(s); use(s); }")
    with pytest.raises(InternalError, match=r"the stack use of use\(\) is unknown"):
        graph.depth("root")


def test_what_the_compiler_calls_on_its_own_is_seen(tmp_path: Path) -> None:
    """A division of 64 bits is a call of which nothing in the source says so."""
    text = "unsigned long long divide(unsigned long long a, unsigned long long b) { return a / b; }"
    with pytest.raises(InternalError, match="__aeabi_uldivmod"):
        graph_of(tmp_path, text).depth("divide")


def test_calls_through_a_table_of_the_unit_reach_what_it_holds(tmp_path: Path) -> None:
    path = compile_c(
        tmp_path,
        OUTER + "static void little(void) { }\n"
        "static void much(void) { volatile char s[300]; s[0] = 1; s[299] = 2; }\n"
        "static void (*const table[])(void) = {little, much};\n"
        'void root(unsigned n) { table[n](); __asm volatile(""); }\n',
    )
    held = [name.rpartition(":")[2] for name in held_functions(path)]
    assert held == ["little", "much"]
    assert 300 <= read_call_graph([path]).depth("root") <= 324


def test_calls_through_other_tables_reach_the_kernels(tmp_path: Path) -> None:
    text = "void kernel(void) { volatile char s[100]; s[0] = 1; s[99] = 1; }\n"
    text += 'void run(void (*f)(void)) { f(); __asm volatile(""); }\n'
    graph = graph_of(tmp_path, text)
    alone = graph.depth("run")
    assert graph.depth("run", ["kernel"]) == alone + graph.depth("kernel") >= alone + 100


def test_objects_tell_their_variables_and_types(tmp_path: Path) -> None:
    path = compile_c(
        tmp_path, "typedef struct pair { int a, b; } pair;\nstatic pair p; pair *q = &p;"
    )
    assert sum(read_unit(path).variables.values()) == 8 + 4


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_the_size_of_a_struct(board: build.Board, tmp_path: Path) -> None:
    """Of four pointers of 4 bytes, and three more."""
    assert size_of(board, "tiny_session", tmp_path) == 28


# Of Armv6-M: under which name the linker's own has the code.
OTHER_NAMES = {"__aeabi_idiv": "__divsi3", "__aeabi_uidiv": "__udivsi3"}
INNER = r"\tbl\t\w+ <__aeabi_idiv0>"  # which takes nothing
DIVISIONS = """
int divide(int a, int b) { return a / b; }
int rest(int a, int b) { return a % b; }
unsigned divide_unsigned(unsigned a, unsigned b) { return a / b; }
unsigned rest_unsigned(unsigned a, unsigned b) { return a % b; }
long long multiply(long long a, long long b) { return a * b; }
void *const more[] = {divide, rest, divide_unsigned, rest_unsigned, multiply};
"""


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_frames_of_the_c_library(board: build.Board, tmp_path: Path) -> None:
    """The pushes in the code that is linked."""
    small = board.core in ("cortex-m0", "cortex-m0plus")
    frames = ARMV6M_FRAMES if small else LIBRARY_FRAMES
    calls = "".join(f"(void *){name}, " for name in LIBRARY_FRAMES)
    source = tmp_path / "main.c"
    source.write_text(
        f"#include <string.h>\n{DIVISIONS * small}"
        f"void *const all[] = {{{calls}{'(void *)more' * small}}};"
    )
    flags = [*board.cpu_flags, "-nostartfiles", board.cross.libc]
    elf = tmp_path / "all.elf"
    command = [board.cross.gcc, *flags, "-O2", "-Wl,--entry=all", str(source), "-o", str(elf)]
    subprocess.run(command, check=True)
    dump = [board.cross.gcc.replace("gcc", "objdump"), "-d", str(elf)]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    for name, frame in frames.items():
        code = text.partition(f"<{OTHER_NAMES.get(name, name)}>:\n")[2].partition("\n\n")[0]
        assert code, name
        code = re.sub(INNER, "", code)
        more = r"\tblx?\t|sub\w*\tsp|\tjal\b|addi?\tsp"
        assert not re.search(more, code), f"{name} does more than push"
        lists = re.findall(r"\t(?:push|stmdb\tsp!,)\s*\{([^}]*)\}", code)
        pushed = sum(4 * len(registers.split(",")) for registers in lists)
        pushed += sum(map(int, re.findall(r"\[sp, #-(\d+)\]!", code)))
        assert pushed <= frame, name


def test_a_division_on_an_m0_is_on_the_stack(tmp_path: Path) -> None:
    """The compiler's graph does not say that its caller calls it."""
    source = tmp_path / "unit.c"
    source.write_text("int root(int a, int b) { volatile int c[4]; return c[0] = a / b; }")
    target = source.with_suffix(".o")
    flags = ["-mcpu=cortex-m0", "-mthumb", "-O2", "-ffunction-sections", "-fcallgraph-info=su"]
    subprocess.run([ARM, *flags, "-c", str(source), "-o", str(target)], check=True)
    graph = read_call_graph([target])
    assert graph.depth("root") == graph.frames["root"] + ARMV6M_FRAMES["__aeabi_idiv"] > 24


@pytest.fixture(scope="module", name="learner")
def _learner() -> Compiled:
    return learner()


def test_a_program_takes_what_its_kernels_take(
    learner: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path))
    used = footprint(learner.program, BOARD)
    assert set(used.kernels) == {
        row.kernel for row in learner.program.infer + learner.program.train
    }
    deepest = max(used.kernels.values())
    assert deepest < used.stack_bytes < deepest + 150
    assert used.stack_bytes + 50 < used.firmware_stack_bytes < used.stack_bytes + 400
    assert used.static_bytes == 28  # a session: seven pointers
    assert used.scratch_bytes == 0
    monkeypatch.setattr(build, "compile_objects", None)  # the second time nothing is compiled
    assert footprint(learner.program, BOARD) == used
    (kept,) = (tmp_path / "footprint").iterdir()
    kept.write_text("{")
    with pytest.raises(TypeError):
        footprint(learner.program, BOARD)


def test_the_library_has_no_variables() -> None:
    assert compiled.compiled_code(BOARD).library_bytes == 0


def test_every_kernel_is_within_its_budget_of_stack() -> None:
    """640 bytes: what a kernel may take of a board's stack."""
    graph = compiled.compiled_code(BOARD).graph
    kernels = [name for name in graph.frames if name.startswith("tiny_op_")]
    assert len(kernels) > 30
    assert max(map(graph.depth, kernels)) <= 640
