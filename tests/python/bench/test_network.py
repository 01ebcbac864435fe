"""bench network: counts repeat, and are of the board that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.bench import network
from tinyflash.boards import load_board
from tinyflash.boards.firmware import can_compile
from tinyflash.demo.task import load_task
from tinyflash.scheme import scheme

BOARD = "qemu_stm32f405"


@pytest.mark.skipif(not can_compile(), reason="no Arm compiler")
def test_counts_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = network.Subject("demo", "person_faces", load_task(0)[0], scheme("person_faces"))
    monkeypatch.setattr(network, "subjects", lambda names: [subject])
    path = tmp_path / "n.json"
    result = tinyflash("bench", "network", "--board", BOARD, "--json", path)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(path.read_text())
    keys = ("board", "network", "scheme", "set", "infer", "step", "flash", "sram")
    assert tuple(row) == keys
    assert 4_000_000 < row["infer"] < row["step"]
    assert f"{row['step']:,}" in result.stdout
    again = network.measure(subject, load_board(BOARD))
    assert again.infer == pytest.approx(row["infer"], abs=100)
    assert again.step == pytest.approx(row["step"], abs=100)


def test_an_unknown_network_gets_one_line() -> None:
    assert "no network 'x'; choose one of mbv2" in refused("bench", "network", "--network", "x")
