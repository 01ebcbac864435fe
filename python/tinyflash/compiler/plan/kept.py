"""What searches for placements have found, kept for later runs.

A search takes seconds, and `compile`, `train` and `evaluate` of the same model would repeat it. It
is deterministic: of the same problem, by the same code, the answer is the same. `check` judges each
plan all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tinyflash import files
from tinyflash.compiler.plan.problem import Problem
from tinyflash.errors import DataError

Found = tuple[tuple[int, ...], int]  # the offsets of all storages, and the proven lower bound


def kept(problem: Problem, effort: Sequence[int], search: Callable[[], Found]) -> Found:
    """Returns what `search` finds, or has found of this problem with this effort. A cache that
    cannot be written is not used."""
    name = _digest(problem, effort)
    try:
        path = files.cache_dir() / "placements" / name[:2] / name
    except RuntimeError:  # nobody's home folder
        return search()
    found = _read(path, problem)
    if found is None:
        found = search()
        with suppress(DataError, OSError):
            files.write_bytes(path, json.dumps(found).encode())
            files.forget(path.parents[1])
    return found


def _digest(problem: Problem, effort: Sequence[int]) -> str:
    """The names of storages decide nothing."""
    lives = [(s.first, s.last) for s in problem.storages]
    parts = (_code(), tuple(effort), problem.sizes, lives, problem.pairs)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@cache
def _code() -> str:
    """The digest of all that decides what a search finds."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _read(path: Path, problem: Problem) -> Found | None:
    """None if there is no such file, or another content than this module writes."""
    with suppress(OSError, ValueError, TypeError):
        offsets, bound = json.loads(path.read_bytes())
        if len(offsets) == len(problem.sizes):
            os.utime(path)  # `forget` deletes what nobody takes
            return tuple(map(int, offsets)), int(bound)
    return None
