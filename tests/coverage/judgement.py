"""Holds what gcov counted against the list of reasons: what is missing without one, what has one
and is not missing."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.coverage.measure import Coverage
from tests.sanitized.build import ROOT

REASONS = Path(__file__).with_name("reasons.toml")
LEAST_BRANCHES = 0.95


@dataclass(frozen=True)
class Reason:
    """Why branches of the lines with this text are never taken. `branches`: how many, in all."""

    file: str
    line: str
    branches: int
    why: str


@dataclass(frozen=True)
class Judgement:
    """`faults`: lines for a person, none if all is well. Explained branches are in `listed`."""

    summary: str
    faults: tuple[str, ...]
    listed: tuple[str, ...]


def load_reasons(path: Path = REASONS) -> list[Reason]:
    """Reads reasons.toml."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Reason(**entry) for entry in table["reason"]]


def judge(coverage: Coverage, reasons: list[Reason], root: Path = ROOT) -> Judgement:
    """Judges what ran of the files below `root`."""
    missing: dict[tuple[str, str], int] = defaultdict(int)
    places: dict[tuple[str, str], str] = {}
    faults = []
    for (file, number), counts in sorted(coverage.items()):
        text = _text(root, file, number)
        if counts.ran == 0:
            faults.append(f"{file}:{number}: never runs: {text}")
        elif counts.missing:
            missing[file, text] += counts.missing
            places.setdefault((file, text), f"{file}:{number}")
    known = {(reason.file, reason.line): reason for reason in reasons}
    faults += _unexplained(missing, places, known)
    faults += _stale(missing, known)
    lines, ran = len(coverage), sum(counts.ran > 0 for counts in coverage.values())
    branches = sum(counts.total for counts in coverage.values())
    taken = branches - sum(counts.missing for counts in coverage.values())
    if taken < LEAST_BRANCHES * branches:
        faults.append(f"{taken / branches:.1%} of branches are taken, below {LEAST_BRANCHES:.0%}")
    summary = (
        f"{ran:,} of {lines:,} lines run ({ran / lines:.1%}), "
        f"{taken:,} of {branches:,} branches are taken ({taken / branches:.1%})"
    )
    listed = (f"{places[at]}: {known[at].why}" for at in sorted(missing) if at in known)
    return Judgement(summary, tuple(faults), tuple(listed))


def _text(root: Path, file: str, number: int) -> str:
    return (root / file).read_text(encoding="utf-8").splitlines()[number - 1].strip()


def _unexplained(
    missing: dict[tuple[str, str], int],
    places: dict[tuple[str, str], str],
    known: dict[tuple[str, str], Reason],
) -> Iterator[str]:
    for at, count in sorted(missing.items()):
        explained = known[at].branches if at in known else 0
        if count > explained:
            of = f", {explained} of them with a reason" if explained else ""
            yield f"{places[at]}: {count} branches are never taken{of}: {at[1]}"


def _stale(
    missing: dict[tuple[str, str], int], known: dict[tuple[str, str], Reason]
) -> Iterator[str]:
    for at, reason in sorted(known.items()):
        if missing.get(at, 0) < reason.branches:
            yield (
                f"{reason.file}: {missing.get(at, 0)} branches are never taken, the reason is for "
                f"{reason.branches}: {reason.line}"
            )
