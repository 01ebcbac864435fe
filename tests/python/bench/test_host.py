"""bench host compares with PyTorch in one run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyflash.cli import main


def test_one_run_gives_both_ratios(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "host.json"
    arguments = ["bench", "host", "--network", "mbv2-w0.35", "--steps", "1", "--json", str(file)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text(encoding="utf-8"))
    for ratio, unit in (("time_ratio", "milliseconds"), ("memory_ratio", "bytes")):
        assert found[ratio] == pytest.approx(found["pytorch"][unit] / found["tinyflash"][unit])
    assert (found["network"], found["scheme"], found["steps"]) == ("mbv2-w0.35", "49kb", 1)


def test_without_torch_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(main, ["bench", "host", "--steps", "1"])
    assert done.exit_code == 1
    assert "pip install torch" in done.output
