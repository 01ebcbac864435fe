"""The code of a firmware image: its instructions by address, and where its functions are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards.symbols import Function, functions
from tinyflash.boards.toolchain import ARM
from tinyflash.errors import BuildError, InternalError

# The executor's file, of which all static functions count; what it offers; and what calls it.
_EXECUTOR = "executor.c"
_RUNS = ("tiny_infer", "tiny_run", "tiny_train")
_OUTSIDE = ("command_infer", "command_train")
_KERNEL = "tiny_op_"
# An instruction that objdump does not know has no name: long shifts of Helium in binutils 2.40.
_LINE = re.compile(r" *([0-9a-f]+):\t((?:[0-9a-f]{4} )+) *\t([a-z][\w.]*|)(?:\t(.*))?")
_LABEL = re.compile(r"[0-9a-f]+ <(.+)>:$")


@dataclass(frozen=True)
class Instruction:
    """name: as objdump writes it, without .n and .w: `ldr`, `bne`, `vmladava.s8`; "" if it does not
    know the instruction. next: the address behind it. function: that it is in."""

    function: str
    address: int
    next: int
    name: str
    operands: str


Known = Mapping[int, Instruction]  # by address
Names = Mapping[int, str]


def instructions(elf: Path, helium: bool) -> Known:
    """Returns the instructions of an image by address, disassembled by objdump.

    helium: for a core with it; objdump does not tell by the image, and takes Helium's instructions
    for those of a coprocessor."""
    tool = ARM.removesuffix("gcc") + "objdump"
    command = [tool, "-d", *(("-m", "armv8.1-m.main") if helium else ()), str(elf)]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"{tool} cannot disassemble {elf}; install binutils of {ARM}") from error
    found, function = {}, ""
    for line in text.splitlines():
        if match := _LINE.match(line):
            one = _instruction(function, *match.groups())
            found[one.address] = one
        elif label := _LABEL.match(line):
            function = label[1]
    return found


def _instruction(
    function: str, address: str, halves: str, name: str, operands: str | None
) -> Instruction:
    plain = re.split(r"\s*[@;]", operands or "")[0].strip()
    place = int(address, 16)
    name = name.removesuffix(".n").removesuffix(".w")
    return Instruction(function, place, place + 2 * len(halves.split()), name, plain)


def marks(elf: Path) -> str:
    """Returns what the plugin is to know of an image: see blocks.c. Raises InternalError if the
    functions that it counts between have other names."""
    every = list(functions(elf))
    names = {one.name for one in every}
    missing = [name for name in (*_RUNS, *_OUTSIDE) if name not in names]
    if missing and missing != ["tiny_train"]:
        raise InternalError(f"{elf}: has no function {missing[0]}, between which calls are counted")
    kinds = ((one, _kind(one)) for one in every)
    return "".join(f"{kind} {one.begin:x} {one.end:x}\n" for one, kind in kinds if kind)


def _kind(function: Function) -> str:
    if function.name.startswith(_KERNEL):
        return "kernel"
    if function.name in _RUNS or function.file == _EXECUTOR:
        return "executor"
    return "outside" if function.name in _OUTSIDE else ""


def kernels(elf: Path) -> Names:
    """Returns the names of the kernels of an image by address."""
    return {f.begin: f.name for f in functions(elf) if f.name.startswith(_KERNEL)}
