"""Attacks on memory and time end in one clear line, and the process stays small."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.support.hostile import ATTACKS, make_all

MOST_MEMORY = 450  # MB; weights of 64 M floats are 256 of them

Outcomes = dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("hostile")
    make_all(folder)
    command = [sys.executable, "-m", "tests.support.hostile", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: Outcomes = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_one_line_and_little_memory(name: str, outcomes: Outcomes) -> None:
    line, megabytes = outcomes[name]
    assert ATTACKS[name].words in line
    assert len(line.splitlines()) == 1
    assert megabytes < MOST_MEMORY
