"""--json: what a program reads is what a person reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set, sound_set

from tinyflash.boards.ports import SerialPort
from tinyflash.cli import main, packs, ports, system
from tinyflash.demo import Settings
from tinyflash.paths import source_root
from tinyflash.runtime.store import Stored, StoreReport
from tinyflash.training.open import Running

DEVELOPERS = {"test", "fuzz", "check"}  # ./run installs them


def printed(*arguments: object) -> Any:
    """The JSON on standard output, which has nothing else."""
    result = tinyflash(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


NONE = {("watch",), ("boards", "add"), ("packs", "remove")}  # docs/manual.md says why


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something itself, with its path."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)
    if not isinstance(command, click.Group) or (path and command.invoke_without_command):
        yield path, command


def test_every_command_that_a_script_calls_has_it() -> None:
    without = {p for p, one in commands(main) if not any("--json" in o.opts for o in one.params)}
    assert without == NONE
    manual = (source_root() / "docs" / "manual.md").read_text()
    assert "Three commands have none." in manual


def test_sources() -> None:
    found, root = printed("sources"), source_root()
    for name in ("include", "examples"):
        assert tinyflash("sources", f"--{name}").stdout.strip() == found[name]
    assert tinyflash("sources", "--sources").stdout.split() == found["sources"]
    assert found["include"] == str(root / "include")
    assert "leave it out" in refused("sources", "--cmake", "--json")


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


def test_packs_add(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fields = {"name": "A::B", "version": "1.0", "folder": str(tmp_path)}
    monkeypatch.setattr(packs, "add_pack", lambda _path: SimpleNamespace(**fields, sources=()))
    assert printed("packs", "add", tmp_path) == fields


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


def network(folder: Path) -> Path:
    file = File(3)
    path = folder / "m.tflite"
    path.write_bytes(file.finish(file.dense(file.input((1, 1, 1, 4)), 2)))
    return path


def test_compile_infer_export(tmp_path: Path) -> None:
    model = network(tmp_path)
    report = printed("compile", model, "-o", tmp_path / "out")
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert re.fullmatch("[0-9a-f]{8}", report["hash"])
    np.save(tmp_path / "x.npy", np.zeros((5, 1, 1, 4), np.int8))
    out = tmp_path / "y.npy"
    found = printed("infer", model, tmp_path / "x.npy", "-o", out)
    y = np.load(out)
    assert found == {"output": str(out), "shape": list(y.shape), "dtype": str(y.dtype)}
    out = tmp_path / "e.tflite"
    found = printed("export", model, "-o", out)
    assert found == {"output": str(out), "bytes": out.stat().st_size}


def test_data_export_and_features(tmp_path: Path) -> None:
    signal_set(tmp_path / "set")
    windows = tmp_path / "x.npz"
    command = ("data", "export", tmp_path / "set", "-o")
    found = printed(*command, windows, "--window", "20")
    count = len(np.load(windows)["y"])
    assert found == {"output": str(windows), "files": 1, "windows": count, "window": 20}
    assert printed(*command, tmp_path / "csv") == {"output": str(tmp_path / "csv"), "files": 8}
    sound_set(tmp_path / "sound", 4000)
    asked = ("--features", "spectrogram:bands=4")
    made = printed("data", "features", tmp_path / "sound", "-o", tmp_path / "made", *asked)
    assert made["rate"] == 50.0 and made["front_end"].startswith("spectrogram:rate=1600,")
    assert made["frames"] == (4000 - 48) // 32 + 1


@pytest.mark.parametrize(
    ("command", "called", "stored"),
    [(("save",), "save", 1), (("restore",), "load", 0), (("restore", "--factory"), "factory", 2)],
)
def test_save_and_restore(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], called: str, stored: int
) -> None:
    report = StoreReport(7, Stored(stored), 2)
    device = SimpleNamespace(**{called: lambda: report})
    monkeypatch.setattr(Running, "open", lambda _self: nullcontext(device))
    name = ("nothing", "learned", "factory")[stored]
    wanted = {"number": 7, "stored": name, "slots": 2}
    assert printed(*command, "--port", "somewhere") == wanted
    assert "record 7 in 2 slots" in tinyflash(*command, "--port", "somewhere").stdout


def test_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(settings: Settings, prints_table: bool) -> Settings:
        asked.append(prints_table)
        return settings

    monkeypatch.setattr("tinyflash.cli.demo.run", run)
    monkeypatch.setattr("tinyflash.cli.demo.asdict", lambda report: {"seed": report.seed})
    assert printed("demo", "--seed", "3") == {"seed": 3}
    assert tinyflash("demo").stdout == "" and asked == [False, True]


def test_build_and_flash(tmp_path: Path) -> None:
    network(tmp_path)
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
    written = printed("flash", tmp_path / "out", "--format", "bin")
    size = Path(written["output"]).stat().st_size
    assert written["board"] == one["board"] and written["bytes"] == size
    assert written["last"] - written["first"] + 1 == size
    runs = printed("flash", tmp_path / "out", "--exit-after", "0")
    assert runs["board"] == one["board"] and runs["port"].startswith("socket://")
