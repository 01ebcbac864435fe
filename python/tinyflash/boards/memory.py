"""The memories of a board, and what is in which: its regions, and a placement.

A region is a range of addresses with a name. Each part of an image is in one region: `code` and the
`vectors` in flash; `stack`, `variables` (of library and firmware), and the `arena`, `weights` and
`state` of the model in RAM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

FLASH, RAM = "flash", "ram"  # kinds of regions
IN_FLASH = ("code", "vectors")
MODEL = ("arena", "weights", "state")  # what firmware/main.c has for its model
IN_RAM = ("stack", "variables", *MODEL)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")
_END = 1 << 32
_UNIT = 32  # bytes: what aligns a stack with its guard aligns everything


@dataclass(frozen=True)
class Region:
    """A memory at [origin, origin + size). parts: the only parts that it takes; empty: all that its
    kind allows."""

    name: str
    kind: str
    origin: int
    size: int
    parts: tuple[str, ...] = ()

    @property
    def addresses(self) -> range:
        return range(self.origin, self.origin + self.size)

    def takes(self, part: str) -> bool:
        """Whether a part may be here."""
        of_kind = IN_FLASH if self.kind == FLASH else IN_RAM
        return part in of_kind and (not self.parts or part in self.parts)


@dataclass(frozen=True)
class Placement:
    """The region of each part, by name."""

    code: str
    vectors: str
    stack: str
    variables: str
    arena: str
    weights: str
    state: str

    def parts_in(self, region: str) -> tuple[str, ...]:
        """Returns the parts in a region."""
        return tuple(part for part in (*IN_FLASH, *IN_RAM) if getattr(self, part) == region)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The parts of a model that are not beside the variables."""
        return tuple(part for part in MODEL if getattr(self, part) != self.variables)


def read_regions(given: Any) -> tuple[Region, ...]:
    """Returns the regions of a board.toml. Raises ValueError or TypeError."""
    regions = tuple(_region(entry) for entry in given)
    names = [region.name for region in regions]
    for kind in (FLASH, RAM):
        if all(region.kind != kind for region in regions):
            raise ValueError(f"regions: none is of kind {kind!r}")
    for index, region in enumerate(regions):
        if region.name in names[:index]:
            raise ValueError(f"regions: two are named {region.name!r}")
        for other in regions[:index]:
            a, b = region.addresses, other.addresses
            if a.start < b.stop and b.start < a.stop:
                raise ValueError(f"regions: {other.name} and {region.name} overlap")
    return regions


def _region(entry: Any) -> Region:
    region = Region(**{**entry, "parts": tuple(entry.get("parts", ()))})
    if not isinstance(region.name, str) or not _NAME.fullmatch(region.name):
        raise ValueError(
            f"regions: {region.name!r} is not a name of up to 16 small letters, digits and '_'"
        )
    if region.kind not in (FLASH, RAM):
        raise ValueError(f"regions: kind = {region.kind!r} of {region.name} is not flash or ram")
    for key, number in (("origin", region.origin), ("size", region.size)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0 or number % _UNIT:
            raise ValueError(
                f"regions: {key} = {number!r} of {region.name} is not a multiple of {_UNIT}"
            )
    if not region.size or region.origin + region.size > _END:
        raise ValueError(f"regions: {region.name} is empty, or ends above 4 GB")
    _check_parts(region)
    return region


def _check_parts(region: Region) -> None:
    allowed = IN_FLASH if region.kind == FLASH else IN_RAM
    for part in region.parts:
        if part not in allowed:
            raise ValueError(
                f"regions: {region.name} is {region.kind}, which takes {_listed(allowed)}, "
                f"not {part!r}"
            )


def default_placement(regions: Sequence[Region], chosen: dict[str, str]) -> Placement:
    """Returns where a board.toml puts the parts: where `chosen` says, else in the first region of
    their kind that takes them. Raises ValueError."""
    first = {}
    for part in (*IN_FLASH, *IN_RAM):
        found = [region.name for region in regions if region.takes(part)]
        if not found:
            raise ValueError(f"regions: none takes {part}")
        first[part] = found[0]
    return moved(Placement(**first), regions, chosen.items())


def moved(
    placement: Placement, regions: Sequence[Region], moves: Iterable[tuple[str, str]]
) -> Placement:
    """Returns the placement with some parts in other regions. Raises ValueError with one line."""
    by_name = {region.name: region for region in regions}
    for part, name in moves:
        if part not in {field.name for field in fields(Placement)}:
            raise ValueError(
                f"{part!r} is not a part of an image; choose from {_listed((*IN_RAM, *IN_FLASH))}"
            )
        fitting = [region.name for region in regions if region.takes(part)]
        if name not in by_name:
            raise ValueError(f"there is no region {name!r}; {part} can be in {_listed(fitting)}")
        if name not in fitting:
            raise ValueError(f"region {name} takes no {part}, which can be in {_listed(fitting)}")
        placement = replace(placement, **{part: name})
    return placement


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
