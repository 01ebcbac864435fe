"""How firmware starts, and what it says where it cannot run, on this computer under sanitizers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.firmware import MODEL, build_for_host
from tests.support.pipes import PipePort, exchange

from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Frame
from tinyflash.runtime.device.protocol import Type

REFUSED, FAULT = 71, 70  # exit codes


def said_by(program: Path, exit_code: int) -> Frame:
    """The one frame that a program sends before it ends."""
    port = PipePort(program)
    (frame,) = exchange(port, b"", 1)
    port.process.communicate()
    assert port.process.returncode == exit_code
    return frame


def test_a_stack_that_is_too_small(tmp_path: Path) -> None:
    program = build_for_host(MODEL, tmp_path / "firmware", "-DSTACK_NEEDED=640")
    assert said_by(program, REFUSED) == Frame(Type.REFUSAL, 0, protocol.REFUSAL.pack(640, 0))


@pytest.mark.parametrize("space", ["WEIGHTS", "STATE", "ARENA"])
def test_a_memory_that_is_too_small(space: str, tmp_path: Path) -> None:
    """The sizes in model.h are not those of model.c."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    tables = (folder / "model.c").read_text(encoding="utf-8")
    larger = tables.replace(f"= MODEL_{space}_BYTES,", f"= MODEL_{space}_BYTES + 64,")
    assert larger != tables
    (folder / "model.c").write_text(larger, encoding="utf-8")
    program = build_for_host(folder, tmp_path / "firmware")
    assert said_by(program, REFUSED) == Frame(Type.REFUSAL, 0, protocol.REFUSAL.pack(0, 0))


def test_a_fault_is_told(tmp_path: Path) -> None:
    program = build_for_host(MODEL, tmp_path / "firmware", "-DFAULTS=1")
    port = PipePort(program)
    ready, fault = exchange(port, b"", 2)
    port.process.communicate()
    assert ready.type == Type.READY
    assert fault == Frame(Type.FAULT, 0, protocol.FAULT.pack(3, 0x82, 0x20000000, 0x1234, 1))
    assert port.process.returncode == FAULT
