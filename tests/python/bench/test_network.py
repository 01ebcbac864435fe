"""bench network: counts repeat, and are of the board that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.bench import network
from tinyflash.boards import load_board
from tinyflash.boards.firmware import can_compile
from tinyflash.demo.task import load_task
from tinyflash.scheme import scheme

BOARD = "qemu_stm32f405"


@pytest.mark.skipif(not can_compile(load_board("qemu_stm32f405")), reason="no Arm compiler")
def test_counts_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = network.Subject("demo", "person_faces", load_task(0)[0], scheme("person_faces"))
    monkeypatch.setattr(network, "subjects", lambda names: [subject])
    path, picture = tmp_path / "n.json", tmp_path / "n.png"
    result = tinyflash(
        *("bench", "network", "--board", BOARD, "--breakdown", "--clock", 100),
        *("--json", path, "--picture", picture),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (row,) = json.loads(path.read_text())
    keys = ("board", "network", "scheme", "set", "infer", "step", "flash", "sram", "breakdown")
    assert tuple(row) == keys
    assert 4_000_000 < row["infer"] < row["step"]
    assert f"{row['step']:,}" in result.stdout
    again = network.measure(subject, load_board(BOARD)).row
    assert again.infer == pytest.approx(row["infer"], abs=100)
    assert again.step == pytest.approx(row["step"], abs=100)
    agrees_with_the_clock(row)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "modelled ms at 100 MHz" in result.stdout


def agrees_with_the_clock(row: dict[str, Any]) -> None:
    """The plugin sees, call by call, what the board's clock counts: a tick is an instruction."""
    for phase, total in (("inference", row["infer"]), ("step", row["step"])):
        found = row["breakdown"][phase]
        operators = found["operators"]
        assert 0 <= total - sum(one["instructions"] for one in operators) < 200
        for one in operators:
            kinds = ("sums", "requantisation", "unpacking", "overhead")
            assert sum(one[name] for name in kinds) == one["instructions"]
        names = {one["operator"] for one in operators}
        assert {"depthwise_forward", "fully_connected_forward", "executor"} <= names
        assert ("fully_connected_update" in names) == (phase == "step")
        cycles = found["modelled_cycles"]
        executed = sum(cycles["classes"].values())
        assert executed == sum(one["instructions"] for one in operators)
        assert executed < cycles["least"] < cycles["most"] < 2 * executed


def test_an_unknown_network_gets_one_line() -> None:
    assert "no network 'x'; choose one of mbv2" in refused("bench", "network", "--network", "x")
