"""tinyflash choose: a scheme within its limits, compared with simple rules; results are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.compiler import compile_uncalibrated, prepare
from tinyflash.read import read
from tinyflash.scheme import load_scheme
from tinyflash.zoo.networks import path_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    y = np.arange(16) % 2
    x = (rng.random((16, 8, 8, 1)) * 0.2 + 0.6 * y[:, None, None, None]).astype(np.float32)
    np.savez(folder / "data.npz", x=np.round(x * 128).clip(-128, 127).astype(np.int8), y=y)
    (folder / "head.toml").write_text("head = 2\n")
    return folder


def chosen(data: Path, output: Path, *more: str) -> dict[str, object]:
    result = tinyflash(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "9000", "--epochs", "1", "--seeds", "1",
        "--workers", "1", "--json", "-o", str(output), *more,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_scheme_by_probes_fits(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scheme.toml"
    found = chosen(data, output)
    rows = found["rows"]
    assert isinstance(rows, list) and rows[0]["method"] == found["chosen"]
    assert {"probe"} <= {row["method"] for row in rows}
    losses = [row["loss"] for row in rows]
    assert losses == sorted(losses)
    program = compile_uncalibrated(prepare(read(path_of("digits")), load_scheme(output))).program
    sram = program.arena_bytes + len(program.weights) + len(program.state)
    assert rows[0]["sram"] == sram <= 9000
    results = (tmp_path / "scheme.results.jsonl").read_text().splitlines()
    assert chosen(data, output)["rows"] == rows
    assert (tmp_path / "scheme.results.jsonl").read_text().splitlines() == results


def test_a_scheme_by_fisher_fits(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scheme.toml"
    found = chosen(data, output, "--by", "fisher")
    assert [row["method"] for row in found["rows"]] == ["fisher"]  # type: ignore[attr-defined]
    assert load_scheme(output).rules
    assert not (tmp_path / "scheme.results.jsonl").exists()


def test_too_small_a_budget_is_refused(data: Path, tmp_path: Path) -> None:
    line = refused(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "100", "-o", str(tmp_path / "s.toml"),
    )  # fmt: skip
    assert "training only the classifier takes" in line
