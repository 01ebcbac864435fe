"""What the coverage script calls a fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.coverage.judgement import Reason, judge, load_reasons
from tests.coverage.measure import Counts, Coverage
from tests.sanitized.build import ROOT

TEXT = "a;\nif (b) {\nc;\n}\n"
WHY = Reason("lib/x.c", "if (b) {", 1, "there is no b")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "x.c").write_text(TEXT)
    return tmp_path


def coverage(third: int = 1, other: int = 0) -> Coverage:
    """Of TEXT, and of a first line with many branches."""
    return {
        ("lib/x.c", 1): Counts(9, {"f": [1] * 40}),
        ("lib/x.c", 2): Counts(9, {"f": [9, other]}),
        ("lib/x.c", 3): Counts(third),
    }


def test_all_is_well(root: Path) -> None:
    found = judge(coverage(), [WHY], root)
    assert found.faults == ()
    assert found.listed == ("lib/x.c:2: there is no b",)
    assert "3 of 3 lines" in found.summary
    assert "41 of 42 branches" in found.summary


def test_a_line_that_never_runs(root: Path) -> None:
    assert judge(coverage(third=0), [WHY], root).faults == ("lib/x.c:3: never runs: c;",)


def test_a_branch_without_a_reason(root: Path) -> None:
    (fault,) = judge(coverage(), [], root).faults
    assert fault == "lib/x.c:2: 1 branches are never taken: if (b) {"


def test_a_reason_for_what_is_taken(root: Path) -> None:
    (fault,) = judge(coverage(other=1), [WHY], root).faults
    assert "0 branches are never taken, the reason is for 1: if (b) {" in fault


def test_too_few_branches(root: Path) -> None:
    few: Coverage = {("lib/x.c", 2): Counts(9, {"f": [9, 0]})}
    assert judge(few, [WHY], root).faults == ("50.0% of branches are taken, below 95%",)


def test_reasons_are_of_lines_that_exist() -> None:
    for reason in load_reasons():
        lines = (ROOT / reason.file).read_text(encoding="utf-8").splitlines()
        assert reason.line in {line.strip() for line in lines}, reason
        assert reason.why and reason.branches > 0
