"""--json: what a program reads is what a person reads."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set

from tinyflash.boards.ports import SerialPort
from tinyflash.cli import ports, system
from tinyflash.paths import source_root

DEVELOPERS = {"test", "fuzz", "check"}  # ./run installs them


def printed(*arguments: object) -> Any:
    """The JSON on standard output, which has nothing else."""
    result = tinyflash(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_boards() -> None:
    found = printed("boards")
    lines = tinyflash("boards").stdout.splitlines()
    assert any(one["emulated"] for one in found) and not all(one["emulated"] for one in found)
    for one in found:
        (line,) = (line for line in lines if line.split()[:1] == [one["name"]])
        assert line.split()[1:3] == [f"{one['sram_bytes']:,}", f"{one['flash_bytes']:,}"]
        assert one["description"] in line
    assert "--json" in refused("boards", "--json", "add", "--device", "x")


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    have = system._version
    monkeypatch.setattr(system, "_version", lambda name: None if name == "onnx" else have(name))
    found = {one["name"]: one for one in printed("doctor")}
    assert found["onnx"] == {"name": "onnx", "found": None, "optional": True, "for": ".onnx files"}
    assert found["numpy"]["found"] == have("numpy") and not found["numpy"]["optional"]
    shown = tinyflash("doctor").stdout
    for one in found.values():
        assert one["name"] in shown and (one["found"] or "missing, optional") in shown


def test_doctor_that_fails_prints_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    have = system._version
    monkeypatch.setattr(system, "_version", lambda name: None if name == "numpy" else have(name))
    result = tinyflash("doctor", "--json")
    assert result.exit_code == 1
    (numpy,) = (one for one in json.loads(result.stdout) if one["name"] == "numpy")
    assert numpy["found"] is None and not numpy["optional"]


def test_doctor_knows_every_package_of_every_extra() -> None:
    project = tomllib.loads((source_root() / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras) > DEVELOPERS
    wanted = {
        re.split(r"[^\w-]", package)[0]
        for extra in set(extras) - DEVELOPERS
        for package in extras[extra]
    }
    assert set(system._EXTRAS) == wanted


def test_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    one = SerialPort("/dev/ttyACM0", "ST-LINK", "0483:374b", ("stm32f746_disco",))
    monkeypatch.setattr(ports, "serial_ports", lambda: (one,))
    keys = {"device": one.device, "what": one.what, "usb": one.usb, "boards": list(one.boards)}
    assert printed("ports") == [keys]
    monkeypatch.setattr(ports, "serial_ports", lambda: ())
    assert printed("ports") == []


def test_packs() -> None:
    for one in printed("packs", "list"):
        assert list(one) == ["name", "version", "folder"]
        assert one["name"] in tinyflash("packs", "list").stdout


def test_split_and_import(tmp_path: Path) -> None:
    signal_set(tmp_path / "set")
    command = ("data", "split", tmp_path / "set", "--by", "subject", "--test", "0.5")
    found = printed(*command)
    lines = tinyflash(*command).stdout.splitlines()
    assert found["by"] == "subject" and set(found["parts"]) == {"train", "test"}
    for part, one in found["parts"].items():
        (line,) = (line for line in lines if line.split()[:1] == [part])
        assert line.split()[1:3] == [str(len(one["recordings"])), f"{one['frames']:,}"]
    csv = tmp_path / "a.csv"
    csv.write_text("x,y\n" + "1,2\n" * 30)
    out = tmp_path / "new"
    arguments = ("data", "import", csv, "--rate", "10", "--label", "still", "-o", out)
    assert printed(*arguments, "--quiet") == {
        "files": 1,
        "folder": str(out),
        "recordings": 1,
        "frames": 30,
        "classes": ["still"],
    }


def test_build(tmp_path: Path) -> None:
    file = File(3)
    (tmp_path / "m.tflite").write_bytes(file.finish(file.dense(file.input((1, 1, 1, 4)), 2)))
    board = ("--board", "qemu_stm32f405")
    done = tinyflash("compile", tmp_path / "m.tflite", *board, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    one = printed("build", tmp_path / "out")
    assert one["board"] == "qemu_stm32f405" and Path(one["image"]).is_file()
    shown = tinyflash("build", tmp_path / "out").stdout
    assert f"{one['image']}: flash {one['flash_bytes']:,} of " in shown
    assert f"SRAM {one['sram_bytes']:,} of " in shown
    assert f"stack {one['stack_bytes']:,}, of which {one['stack_use_bytes']:,} can" in shown
    for region, used in one["regions"].items():
        assert len(one["regions"]) == 1 or f"{region} {used:,} of " in shown
