"""A few seconds of fuzzing the firmware's side of the link."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.firmware.build import build, counts, fuzz, seeds

SECONDS = 4


def test_nothing_on_the_line_harms_the_firmware(tmp_path: Path) -> None:
    program = build(tmp_path, "whole")
    executions, cases, edges = counts(fuzz(program, SECONDS, tmp_path / "corpus", "whole"))
    assert executions > 500
    assert cases > 2 * len(list(seeds("whole")))  # it finds what reaches more than the seeds do
    assert edges > 500
