"""Placements that earlier runs have searched for: taken for the same problem, searched for
otherwise."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.problems import is_placement, random_problem

from tinyflash.compiler.plan import place as module
from tinyflash.compiler.plan.place import Effort, place
from tinyflash.compiler.plan.problem import Problem

LITTLE = Effort(300, 5, 3000)
DAY_S = 24 * 3600


@pytest.fixture
def problem() -> Problem:
    """One that no greedy order solves."""
    return random_problem(1, storages=40, times=40, units=30)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Problem]:
    """What was searched for, with a cache of its own."""
    asked: list[Problem] = []
    search = module._searched

    def counted(problem: Problem, *rest):  # type: ignore[no-untyped-def]
        asked.append(problem)
        return search(problem, *rest)

    monkeypatch.setattr(module, "_searched", counted)
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path / "cache"))
    return asked


def kept(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("cache/placements/??/*"))


def test_the_same_problem_is_searched_once(problem: Problem, searched: list[Problem]) -> None:
    first = place(problem, LITTLE)
    renamed = [replace(s, name=f"{s.name}.") for s in problem.storages]
    overlaps = [replace(o, over=f"{o.over}.", under=f"{o.under}.") for o in problem.overlaps]
    again = place(Problem(tuple(renamed), tuple(overlaps)), LITTLE)
    assert len(searched) == 1
    assert [p.offset for p in again.placements] == [p.offset for p in first.placements]
    assert again.lower_bound == first.lower_bound
    assert is_placement(problem, [p.offset for p in again.placements])


def test_another_problem_or_effort_is_searched(problem: Problem, searched: list[Problem]) -> None:
    place(problem, LITTLE)
    place(problem, replace(LITTLE, looks=4000))
    *most, last = problem.storages
    place(Problem((*most, replace(last, last=last.last + 1)), problem.overlaps), LITTLE)
    place(Problem((*most, replace(last, nbytes=last.nbytes + 64)), problem.overlaps), LITTLE)
    place(Problem(problem.storages, problem.overlaps[:-1]), LITTLE)
    assert len(searched) == 5


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[[1, 2], 3]", b"[3, 3]", b"{}"])
def test_what_is_no_placement_is_not_taken(
    problem: Problem, searched: list[Problem], content: bytes, tmp_path: Path
) -> None:
    first = place(problem, LITTLE)
    (file,) = kept(tmp_path)
    file.write_bytes(content)
    assert place(problem, LITTLE) == first
    assert len(searched) == 2
    assert place(problem, LITTLE) == first
    assert len(searched) == 2


def test_without_a_cache_it_is_searched(
    problem: Problem, searched: list[Problem], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("not a folder")
    assert place(problem, LITTLE) == place(problem, LITTLE)
    assert len(searched) == 2


def test_what_nobody_takes_is_deleted(
    problem: Problem, searched: list[Problem], tmp_path: Path
) -> None:
    place(problem, LITTLE)
    (old,) = kept(tmp_path)
    for path in (old, tmp_path / "cache" / "placements" / "looked"):
        os.utime(path, (time.time() - 15 * DAY_S,) * 2)
    place(problem, replace(LITTLE, looks=4000))
    assert not old.exists() and len(kept(tmp_path)) == 1
