"""Some of the random networks; `python -m tests.sanitized` trains as many as you like."""

from __future__ import annotations

import subprocess
import sysconfig
from ctypes import CDLL
from pathlib import Path

import pytest
from tests.sanitized.build import ROOT, build_sanitized
from tests.sanitized.workers import train_networks

from tinyflash.runtime.host.build import builder

NETWORKS = 60


def test_random_networks_have_no_undefined_behaviour(tmp_path: Path) -> None:
    outcome = train_networks(build_sanitized(tmp_path), 0, NETWORKS)
    assert not outcome.finding, outcome.text
    assert outcome.counts["as usual"] == NETWORKS // 2
    assert outcome.counts["at its ends"] > NETWORKS // 3


def test_the_host_library_is_compiled_as_on_a_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed overflow does not wrap, even if it does in Python's own flags."""
    monkeypatch.chdir(ROOT)
    own = builder()._assigned_source[3]["extra_compile_args"]
    source, program = tmp_path / "overflow.c", tmp_path / "overflow.so"
    source.write_text("int is_larger(int x) { return x + 1 > x; }\n")
    compiler, *flags = str(sysconfig.get_config_var("CC")).split()
    flags += [*str(sysconfig.get_config_var("CFLAGS")).split(), "-fwrapv", *own]
    command = [compiler, *flags, "-fPIC", "-shared", source, "-o", program]
    subprocess.run(command, check=True)
    assert CDLL(str(program)).is_larger(2**31 - 1) == 1
