"""The memories of a board, and their parts: the same figures in text and page, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyflash.boards.fits import Fit
from tinyflash.boards.memory import RAM

Fields = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of a memory."""

    name: str
    nbytes: int
    text: str


@dataclass(frozen=True)
class Memory:
    """A memory of the board, and its parts. `limit`: None without a board. `missing`: what the
    parts do not count, if anything."""

    name: str
    parts: tuple[Part, ...]
    limit: int | None
    missing: str = ""

    @property
    def used(self) -> int:
        return sum(part.nbytes for part in self.parts)

    @property
    def whole(self) -> int:
        """The bytes of the whole bar."""
        return max(self.used, self.limit or 0, 1)


def memories(report: Fields) -> tuple[Memory, Memory]:
    """Returns SRAM and flash with their parts."""
    return _sram(report), _flash(report)


def _sram(report: Fields) -> Memory:
    in_use = max(plan["in_use_bytes"] for plan in report["plans"].values())
    model = (
        Part("arena", report["arena_bytes"], f"reserved; at most {in_use:,} in use"),
        Part("trained", report["trainable_bytes"], _listed(_trained(report))),
        Part("state", report["state_bytes"], "exponents, counters, random numbers"),
    )
    limits = report["limits"]
    if limits is None:
        return Memory("SRAM", model, None, "without firmware and stack")
    stack = limits["stack_bytes"]
    rest = report["sram_bytes"] - report["replay_bytes"] - stack
    rest -= sum(part.nbytes for part in model)
    parts = (
        *model,
        Part("firmware", rest, _listed(_firmware(report, rest))),
        Part("stack", stack, _stack(report)),
        *_replay(report),
        *_guard(report),
    )
    missing = "" if report["static_bytes"] is not None else "without library and firmware"
    return Memory("SRAM", parts, limits["sram_bytes"], missing)


def _trained(report: Fields) -> dict[str, int]:
    """Returns what WEIGHTS holds."""
    use = {name: report[f"{key}_bytes"] for name, key in _USES.items()}
    return {**use, "alignment": report["trainable_bytes"] - sum(use.values())}


_USES = {"weights": "weight", "biases": "bias", "optimizer": "optimizer"}


def _firmware(report: Fields, whole: int) -> dict[str, int]:
    """Returns what the variables of a firmware are; nothing if its compiler is missing."""
    if report["static_bytes"] is None:
        return {"alignment": whole}
    use = {"library": report["static_bytes"], "firmware": report["firmware_static_bytes"]}
    return {**use, "alignment": whole - sum(use.values())}


def _stack(report: Fields) -> str:
    deepest = report["firmware_stack_bytes"]
    return "reserved" if deepest is None else f"reserved; at most {deepest:,} in use"


def _replay(report: Fields) -> tuple[Part, ...]:
    """Returns the replay buffer: of the linked image, or the one that was compiled for."""
    nbytes = (report["linked"] or report)["replay_bytes"]
    return (Part("replay", nbytes, "kept samples of each class"),) if nbytes else ()


def _guard(report: Fields) -> tuple[Part, ...]:
    """Returns what a linked image has in addition, if it has a guard."""
    linked = report["linked"]
    extra = 0 if linked is None else linked["sram_bytes"] - report["sram_bytes"]
    extra -= 0 if linked is None else linked["replay_bytes"] - report["replay_bytes"]
    return (Part("guard", extra, "held-out samples, best weights"),) if extra > 0 else ()


def _flash(report: Fields) -> Memory:
    limit = None if report["limits"] is None else report["limits"]["flash_bytes"]
    parts = (
        Part("frozen", report["frozen_bytes"], "frozen weights and biases, tables of functions"),
        Part(
            "start",
            report["trainable_bytes"] + report["state_bytes"],
            "initial trained weights and state",
        ),
    )
    if report["linked"] is None:
        return Memory("Flash", parts, limit, "without code, which is known once it is built")
    rest = report["linked"]["flash_bytes"] - sum(part.nbytes for part in parts)
    return Memory("Flash", (*parts, Part("code", rest, "code, tables of operations")), limit)


def _listed(parts: dict[str, int]) -> str:
    """Returns the parts of a part that are there."""
    return ", ".join(f"{name} {nbytes:,}" for name, nbytes in parts.items() if nbytes)


def regions(fit: Fit) -> list[Fields]:
    """Returns the regions of a board, and what a model takes of them with its firmware. What code
    takes of flash is known once it is built: `used` is null."""
    board = fit.board
    return [
        {
            "name": region.name,
            "kind": region.kind,
            "origin": region.origin,
            "size": region.size,
            "used": fit.used_of(region.name) if region.kind == RAM else None,
            "parts": list(board.place.parts_in(region.name)),
        }
        for region in board.regions
    ]


def region_lines(report: Fields) -> list[str]:
    """Returns the regions as text; nothing without a board."""
    if report["regions"] is None:
        return []
    return ["", "Regions, in bytes:", *map(_region_line, report["regions"])]


def _region_line(region: Fields) -> str:
    parts = ", ".join(region["parts"]) or "nothing"
    name, size, used = region["name"], region["size"], region["used"]
    if used is None:
        return f"  {name:<9} {size:>10,}, of which the build takes some: {parts}"
    return f"  {name:<9} {size:>10,}, of which {used:,} used, {size - used:,} free: {parts}"
