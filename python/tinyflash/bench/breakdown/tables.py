"""Tables of where the instructions of a whole network go, and of modelled cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tinyflash.bench.network import Measured
from tinyflash.bench.profile import Profile
from tinyflash.bench.profile.cycles import CLASSES, CORE, IGNORED, modelled
from tinyflash.bench.profile.kinds import KINDS, Part, parts
from tinyflash.show.console import table


def phases(measured: Measured) -> dict[str, Profile]:
    """Returns the profiles of an inference and of a training step, if there are."""
    both = {"inference": measured.infer, "step": measured.step}
    return {name: profile for name, profile in both.items() if profile is not None}


def breakdown_table(measured: Measured) -> Table:
    """Returns the instructions of each operator in millions, by kind."""
    row = measured.row
    title = f"{row.network}, {row.scheme}, {row.board}: millions of instructions"
    rows = table(title, "", "operator", "set", *(f">{name}" for name in KINDS), ">all")
    for phase, profile in phases(measured).items():
        every = parts(profile)
        for part in every:
            numbers = [_millions(n) for n in (*part.kinds.values(), part.executed)]
            rows.add_row(phase, part.kernel, part.set, *numbers)
        sums = [_millions(sum(part.kinds[name] for part in every)) for name in KINDS]
        rows.add_row(phase, "all", "", *sums, _millions(profile.executed), end_section=True)
    return rows


def modelled_table(measured: Sequence[Measured], clock: float | None) -> Table:
    """Returns instructions by class, and modelled cycles. clock: in MHz, to show milliseconds."""
    more = () if clock is None else (f">modelled ms at {clock:g} MHz",)
    names = (f">{name}" for name in CLASSES)
    title = "Cortex-M4: millions of instructions by class, and of modelled cycles"
    rows = table(title, "network", "", *names, ">modelled cycles", *more)
    for one in measured:
        for phase, profile in phases(one).items():
            cycles = modelled(profile)
            numbers = [_millions(cycles.classes[name]) for name in CLASSES]
            between = f"{_millions(cycles.least)} to {_millions(cycles.most)}"
            times = [] if clock is None else [_span(cycles.milliseconds(clock))]
            rows.add_row(one.row.network, phase, *numbers, between, *times)
    rows.caption = (
        "Modelled by Arm's timing table of the Cortex-M4, not measured. A taken branch takes 1 to "
        f"3 cycles more, and a division 2 to 12, hence two figures. {IGNORED}"
    )
    return rows


def is_modelled(measured: Measured) -> bool:
    """Whether there is a model of the cycles of the board's core."""
    return measured.core == CORE


def as_json(measured: Measured) -> dict[str, Any]:
    """Returns a row for a JSON file; with profiles, also instructions by phase, operator and kind,
    and modelled cycles."""
    found: dict[str, Any] = {}
    for phase, profile in phases(measured).items():
        found[phase] = {"operators": [_part(part) for part in parts(profile)]}
        if is_modelled(measured):
            found[phase]["modelled_cycles"] = asdict(modelled(profile))
    return asdict(measured.row) | ({"breakdown": found} if found else {})


def _part(part: Part) -> dict[str, Any]:
    return {"operator": part.kernel, "set": part.set, **part.kinds, "instructions": part.executed}


def _millions(number: int) -> str:
    return f"{number / 1e6:.2f}"


def _span(times: tuple[float, float]) -> str:
    return f"{times[0]:.0f} to {times[1]:.0f}"
