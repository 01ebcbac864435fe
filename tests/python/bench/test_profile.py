"""Kinds and modelled cycles of code that is written here, by hand-made sums."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.learner import learner

from tinyflash.bench.profile import Block, Call, Instruction, Profile
from tinyflash.bench.profile.code import instructions
from tinyflash.bench.profile.cycles import class_of, modelled
from tinyflash.bench.profile.kinds import KINDS, kind, parts
from tinyflash.bench.profile.run import profiled
from tinyflash.boards import load_board
from tinyflash.boards.firmware import can_compile
from tinyflash.boards.toolchain import ARM
from tinyflash.errors import BoardError
from tinyflash.program import Row


def code(*lines: str, function: str = "f") -> tuple[Instruction, ...]:
    words = [line.split(maxsplit=1) for line in lines]
    return tuple(
        Instruction(function, 4 * i, 4 * i + 4, name, more[0] if more else "")
        for i, (name, *more) in enumerate(words)
    )


@pytest.mark.skipif(not can_compile(load_board("qemu_stm32f405")), reason="no Arm compiler")
def test_instructions_of_helium_are_read(tmp_path: Path) -> None:
    source, built = tmp_path / "f.s", tmp_path / "f.o"
    lines = ("vldrb.u8 q0, [r1], #16", "vmladava.s8 r0, q2, q0", "bne.w f", "nop")
    text = "\n".join((".syntax unified", ".thumb", ".type f, %function", "f:", *lines, ""))
    source.write_text(text)
    subprocess.run([ARM, "-mcpu=cortex-m55", "-mthumb", "-c", source, "-o", built], check=True)
    found = list(instructions(built, helium=True).values())
    assert [one.name for one in found][2:] == ["bne", "nop"]
    assert found[0].name == "vldrb.u8"
    assert kind(found[:3]) == "sums"
    assert [one.next for one in found] == [4, 8, 12, 14]
    assert {one.function for one in found} == {"f"}


def test_a_core_that_is_not_an_arm_is_refused(tmp_path: Path) -> None:
    board = load_board("qemu_riscv32_virt")
    with pytest.raises(BoardError, match="qemu_riscv32_virt: only instructions of Arm cores"):
        profiled(learner().program, board, tmp_path / "none.elf", lambda _: None)


def profile(runs: int, jumps: int, *lines: str) -> Profile:
    return Profile((Call(None, (Block(code(*lines), runs, jumps),)),))


# Of sections 3.3.1 and 3.3.2 of the manual: its examples, and single lines of its table.
CYCLES = [
    (["ldr r0, [r1]", "ldr r1, [r2]"], 3),
    (["ldr r0, [r1, r2]", "str r0, [r3, #20]"], 3),
    (["ldr r0, [r1, r2]", "str r1, [r3, r2]"], 3),
    (["ldr r0, [r1, r5]", "ldr r1, [r2]", "ldr r2, [r3, #4]"], 4),
    (["ldr r0, [r1]", "ldr r2, [r0]"], 4),  # the second address is the first's result
    (["str r0, [r1, #4]"], 1),
    (["str r0, [r1, r2]"], 2),
    (["ldrd r0, r1, [r2]"], 3),
    (["ldmia r0!, {r1, r2, r3}"], 4),
    (["push {r4, r5, lr}"], 4),
    (["strd r0, r1, [sp, #8]"], 3),
    (["add r0, r1, #4", "ldr r2, [r0]"], 4),  # stalls for its address
    (["add r3, r1, #4", "ldr r2, [r0]"], 3),
    (["smlad r0, r1, r2, r0", "smull r0, r1, r2, r3"], 2),
    (["bne 8000000"], 1),
    (["tbb [pc, r0]"], 2),
    (["mov r0, r1", "sxtb16 r0, r1", "nop"], 3),
]


@pytest.mark.parametrize(("lines", "cycles"), CYCLES)
def test_cycles_are_those_of_the_manual(lines: Sequence[str], cycles: int) -> None:
    found = modelled(profile(7, 0, *lines))
    assert (found.least, found.most) == (7 * cycles, 7 * cycles)
    assert sum(found.classes.values()) == 7 * len(lines)


def test_taken_branches_and_divisions_take_a_range() -> None:
    found = modelled(profile(10, 9, "udiv r0, r1, r2", "subs r0, #1", "bne 8000000"))
    assert found.least == 10 * (2 + 1 + 1) + 9
    assert found.most == 10 * (12 + 1 + 1) + 9 * 3
    assert found.milliseconds(0.001) == (found.least, found.most)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ldrsb", "loads"), ("ldmia", "loads"), ("pop", "loads"), ("strb", "stores"),
        ("stmdb", "stores"), ("b", "branches"), ("bls", "branches"), ("blx", "branches"),
        ("cbnz", "branches"), ("bic", "other"), ("bfi", "other"), ("smmlar", "multiply"),
        ("umull", "multiply"), ("mul", "multiply"), ("mls", "multiply"), ("sdiv", "divide"),
        ("smlad", "multiply"), ("usada8", "other"), ("ssat", "other"),
    ],
)  # fmt: skip
def test_classes(name: str, expected: str) -> None:
    (one,) = code(f"{name} r0, r1, r2")
    assert class_of(one) == expected


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        ("sums", ["ldr r0, [r1]", "smlad r2, r3, r0, r2", "bne 0"]),
        ("sums", ["vldrb.u8 q0, [r1]", "vmladava.s8 r0, q0, q1", "le lr, 0"]),
        ("sums", ["ldrsb r0, [r1]", "ldrsb r2, [r3]", "mla r4, r0, r2, r4", "cmp r1, r5", "bne 0"]),
        ("requantisation", ["smmulr r0, r1, r2", "asr r0, r0, #3", "ssat r0, #8, r0"]),
        ("requantisation", ["vqrdmulh.s32 q0, q1, q2", "vrshl.s32 q0, q3"]),
        ("unpacking", ["ldr r0, [r1]", "sxtab16 r2, r3, r0", "pkhbt r2, r2, r4", "str r2, [r5]"]),
        ("unpacking", ["ldr r0, [r1], #4", "str r0, [r2], #4", "subs r3, #4", "bne 0"]),
        ("overhead", ["add r0, r1, #4", "cmp r0, r2", "bne 0"]),
    ],
)
def test_kinds(expected: str, lines: Sequence[str]) -> None:
    assert kind(code(*lines)) == expected


def test_kinds_of_a_kernel_add_up() -> None:
    row = Row("conv2d_forward", 0, (), "layer", "", kernel_set="dsp")
    sums, loop = code("smlad r2, r3, r0, r2"), code("cmp r0, r1", "bne 0")
    walk = Call(None, (Block(code("smlad r2, r3, r0, r2"), 3, 0),))
    calls = (
        walk,
        Call(row, (Block(sums, 5, 0), Block(loop, 2, 2))),
        Call(row, (Block(sums, 1, 0),)),
    )
    kernel, executor = parts(Profile(calls))
    assert (kernel.kernel, kernel.set) == ("conv2d_forward", "dsp")
    assert kernel.kinds == {**dict.fromkeys(KINDS, 0), "sums": 6, "overhead": 4}
    assert executor.kinds == {**dict.fromkeys(KINDS, 0), "overhead": 3}  # whatever it executes
    assert Profile(calls).executed == 13
