"""A model of a Cortex-M4's cycles: executed instructions, times what Arm's table says.

Table and rules: Cortex-M4 Technical Reference Manual r0p1 (Arm DDI 0439), sections 3.3.1 and 3.3.2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyflash.bench.profile.code import Instruction
from tinyflash.bench.profile.run import Profile

CORE = "cortex-m4"
CLASSES = ("loads", "stores", "branches", "multiply", "divide", "other")
IGNORED = (
    "The model takes memory without wait states and accesses at aligned addresses. It ignores that "
    "flash is slower than the core, that code and data may share a bus, that literals are fetched "
    "from flash, that IT may be folded, and interrupts."
)
_REFILL = (1, 3)  # P: cycles that a taken branch adds
_DIVISION = (2, 12)

_IF = "(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?$"
_SINGLE_LOAD = re.compile(r"ldr(s?[bh])?t?" + _IF)
_SINGLE_STORE = re.compile(r"str[bh]?t?" + _IF)
_BRANCH = re.compile(r"(b|bl|bx|blx)" + _IF + r"|cbn?z|tb[bh]")
_MULTIPLY = re.compile(r"mul|ml[as]|sm[lmu]|um[lua]")
_DIVIDE = re.compile(r"[su]div")
_REGISTER = re.compile(r"\b(?:r\d+|sl|fp|ip|sp|lr|pc|sb)\b")


@dataclass(frozen=True)
class Cycles:
    """Executed instructions by class, and the modelled cycles: at least and at most, since Arm's
    table gives ranges for taken branches and divisions."""

    classes: Mapping[str, int]
    least: int
    most: int

    def milliseconds(self, megahertz: float) -> tuple[float, float]:
        """Returns the modelled time at a clock, at least and at most."""
        return self.least / megahertz / 1000, self.most / megahertz / 1000


def modelled(profile: Profile) -> Cycles:
    """Models the cycles of an inference or a training step on a Cortex-M4.

    Cycles: a load 2, behind a load that its address does not depend on 1; a store 1 if its address
    is a register and a constant, or behind a load, else 2; several registers 1 more than their
    number; a branch 1, taken P more, which is 1 to 3; a product 1; a division 2 to 12; all else 1.
    An address that the instruction before has calculated takes 1 more.
    """
    classes: Counter[str] = Counter()
    least = most = 0
    costs: dict[tuple[Instruction, ...], tuple[Counter[str], int, int]] = {}
    for call in profile.calls:
        for block in call.blocks:
            if block.code not in costs:
                costs[block.code] = _cost(block.code)
            counts, low, high = costs[block.code]
            for name, number in counts.items():
                classes[name] += number * block.runs
            least += low * block.runs + _REFILL[0] * block.jumps
            most += high * block.runs + _REFILL[1] * block.jumps
    return Cycles({name: classes[name] for name in CLASSES}, least, most)


def class_of(one: Instruction) -> str:
    """Returns the class of an instruction."""
    if _BRANCH.match(one.name):
        return "branches"
    if re.match(r"ldr|ldm|pop|vldr|vldm|vpop", one.name):
        return "loads"
    if re.match(r"str|stm|push|vstr|vstm|vpush", one.name):
        return "stores"
    if _MULTIPLY.match(one.name):
        return "multiply"
    return "divide" if _DIVIDE.match(one.name) else "other"


def _cost(code: Sequence[Instruction]) -> tuple[Counter[str], int, int]:
    """Returns classes and the least and most cycles of a block, without refills of the pipeline."""
    counts = Counter(class_of(one) for one in code)
    sure = sum(_cycles(before, one) for before, one in _pairs(code))
    low, high = (division * counts["divide"] for division in _DIVISION)
    return counts, sure + low, sure + high


def _pairs(code: Sequence[Instruction]) -> Iterator[tuple[Instruction | None, Instruction]]:
    return zip((None, *code), code, strict=False)


def _cycles(before: Instruction | None, one: Instruction) -> int:
    """Returns the cycles of an instruction behind another; none of a division."""
    kind = class_of(one)
    if kind == "divide":
        return 0
    if one.name.startswith(("tbb", "tbh")):
        return 2
    if kind not in ("loads", "stores"):
        return 1
    waits = _depends(before, one)
    if not _single(one):
        return 1 + _registers(one) + waits
    behind_load = before is not None and _SINGLE_LOAD.match(before.name) is not None
    if behind_load and not _uses(one, _made(before)):
        return 1
    if kind == "stores" and len(_address(one)) == 1:
        return 1 + waits
    return 2 + waits


def _single(one: Instruction) -> bool:
    return bool(_SINGLE_LOAD.match(one.name) or _SINGLE_STORE.match(one.name))


def _registers(one: Instruction) -> int:
    """Returns how many registers an instruction moves: two, or those in braces."""
    listed = re.search(r"\{(.*)\}", one.operands)
    return len(_REGISTER.findall(listed[1])) if listed else 2


def _depends(before: Instruction | None, one: Instruction) -> bool:
    """Whether the address of a load or store is the result of the data processing before it."""
    if before is None or class_of(before) not in ("other", "multiply"):
        return False
    return not before.name.startswith(("cmp", "cmn", "tst", "teq", "it")) and _uses(
        one, _made(before)
    )


def _uses(one: Instruction, register: str) -> bool:
    return register in _address(one)


def _made(before: Instruction | None) -> str:
    """Returns the register that an instruction writes: its first."""
    found = _REGISTER.findall(before.operands) if before else []
    return str(found[0]) if found else ""


def _address(one: Instruction) -> tuple[str, ...]:
    """Returns the registers of which an address is computed: those in brackets, or the base of a
    load or store of several registers."""
    if one.operands.startswith("{"):  # push and pop
        return ("sp",)
    inside = re.search(r"\[(.*?)\]", one.operands)
    text = inside[1] if inside else one.operands.split(",")[0]
    return tuple(_REGISTER.findall(text))
