"""Runs the worker and reads what it says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.sanitized.build import ROOT, environment

NETWORKS = 400  # of a process: sanitizers keep what was freed


@dataclass(frozen=True)
class Outcome:
    """What became of the networks; `finding`: what stopped the worker, if anything did."""

    counts: Counter[str]
    finding: str

    @property
    def text(self) -> str:
        counted = ", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items()))
        return f"{counted}\n{self.finding}".strip()


def train_networks(extension: Path, first: int, count: int) -> Outcome:
    """Trains networks [first, first + count), up to the first finding."""
    counts: Counter[str] = Counter()
    for start in range(first, first + count, NETWORKS):
        outcome = _run(extension, start, min(NETWORKS, first + count - start))
        counts += outcome.counts
        if outcome.finding:
            return Outcome(counts, outcome.finding)
    return Outcome(counts, "")


def _run(extension: Path, first: int, count: int) -> Outcome:
    """The same in one process."""
    command = [sys.executable, "-m", "tests.sanitized.worker", str(extension)]
    environ = environment()
    done = subprocess.run(
        [*command, str(first), str(count)], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    ends = [line.split(":")[0] for line in lines if not line.startswith("seed ")]
    finding = f"{lines[-1] if lines else 'no network'}:\n{done.stderr}" if done.returncode else ""
    return Outcome(Counter(ends), finding)
