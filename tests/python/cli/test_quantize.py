"""tinyflash quantize: a file for all other commands, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.onnxmodels import NETWORKS

from tinyflash.read import read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.onnx").write_bytes(NETWORKS["plain"]())
    samples = np.random.default_rng(0).normal(size=(30, 3, 12, 10)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    np.savez(tmp_path / "x.npz", x=samples)
    return tmp_path


def test_it_writes_a_file_and_tells_the_error(folder: Path) -> None:
    for data in ("x.npy", "x.npz"):
        result = tinyflash(
            "quantize", folder / "net.onnx", "--calibration", folder / data,
            "--ranges", "percentile", "--errors", folder / "e.json", "-o", folder / "net.tflite",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert "net.tflite: " in result.stderr
        assert "wrote " in result.stderr
    graph = read(folder / "net.tflite")
    assert graph.input.shape == (1, 12, 10, 3)
    assert graph.input.dtype == graph.output.dtype == "float32"
    errors = json.loads((folder / "e.json").read_text())
    names = [e["layer"] for e in errors]
    assert names == [n.name for n in graph.nodes if n.op != "pad"]
    assert all(name in result.output for name in names)
    assert all(20 < e["snr_db"] < 70 for e in errors)


def test_other_commands_say_how_to_quantize(folder: Path) -> None:
    line = refused("inspect", folder / "net.onnx")
    assert "a float model; give samples to calibrate with (tinyflash quantize" in line


def test_mistakes_end_in_a_line(folder: Path) -> None:
    target = ("-o", folder / "net.tflite")
    line = refused("quantize", folder / "other.tflite", *target)
    assert "expected an .onnx file" in line
    line = refused("quantize", folder / "net.onnx", *target)
    assert "a float model; give samples" in line
    np.savez(folder / "y.npz", y=np.zeros(3))
    line = refused("quantize", folder / "net.onnx", "--calibration", folder / "y.npz", *target)
    assert "has no array 'x'" in line
    np.save(folder / "x.npy", np.zeros((3, 12, 10, 3)))
    line = refused("quantize", folder / "net.onnx", "--calibration", folder / "x.npy", *target)
    assert "have shape (3, 12, 10, 3); net reads (samples, 3, 12, 10)" in line
