"""What instructions are for: sums, requantisation, unpacking, or what goes on around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyflash.bench.profile.code import Instruction
from tinyflash.bench.profile.run import Profile

KINDS = ("sums", "requantisation", "unpacking", "overhead")
EXECUTOR = "executor"

# By the beginnings of names. Products that are added up, of Armv7E-M and of Helium.
_SUMS = re.compile(r"mla|smla[bdtw]|smlsd|smuad|smul[bw]|vml[as]|vrmlal|vaddv|vaddlv|vaba")
# Upper halves of products, 64-bit products and sums, rounding shifts, saturation.
_REQUANTISED = re.compile(
    r"smm|smull|umull|[su]mlal$|ssat|usat|adc|sbc|vq?r?dmulh|vr?mulh|v[qr]+shl|vq?r?shrn|vqmovn"
)
# Functions that rescale, and move weights, with ordinary instructions.
_REQUANTISING = re.compile(r"rescale|store_masked|_move_|moved")
# Bytes made halves, and halves or bytes put together.
_UNPACKED = re.compile(r"[su]xta?b16|pkh|vmovl|vmovn|vrev|vins")
_MOVED = re.compile(r"v?(ldr|str|ldm|stm|st[24]|ld[24])")
_LEAST = 0.1  # of a block's instructions: one `mla` for an address makes no sum


@dataclass(frozen=True)
class Part:
    """The instructions of all calls of a kernel, by kind."""

    kernel: str
    set: str
    kinds: Mapping[str, int]

    @property
    def executed(self) -> int:
        """All of them."""
        return sum(self.kinds.values())


def parts(profile: Profile) -> list[Part]:
    """Returns what each kernel of a profile executed, the most first; the executor is EXECUTOR."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for call in profile.calls:
        key = (call.row.kernel, call.row.kernel_set) if call.row else (EXECUTOR, "")
        kinds = found.setdefault(key, Counter())
        for block in call.blocks:
            kinds["overhead" if call.row is None else kind(block.code)] += block.executed
    every = [Part(*key, {name: kinds[name] for name in KINDS}) for key, kinds in found.items()]
    return sorted(every, key=lambda part: -part.executed)


def kind(code: Sequence[Instruction]) -> str:
    """Returns the kind of a block of code, by the instructions that are in it.

    Sums are products that are added up, with the loads beside them. Requantisation is multiplying
    by a scale, rounding and saturating: of outputs, gradients and steps of weights. Unpacking is
    widening, pairing, transposing and copying. Overhead is all else: loops, addresses, calls.
    A block that sums and requantises is of the kind that more of its instructions are of. A kind is
    of a whole block, so shares are estimates; the sum of all kinds is exact.
    """
    sums, requantised, unpacked, moved = (
        sum(pattern.match(one.name) is not None for one in code)
        for pattern in (_SUMS, _REQUANTISED, _UNPACKED, _MOVED)
    )
    least = _LEAST * len(code)
    if _REQUANTISING.search(code[0].function) or requantised >= max(sums, 1):
        return "requantisation"
    if sums >= least:
        return "sums"
    return "unpacking" if unpacked >= least or 2 * moved >= len(code) else "overhead"
