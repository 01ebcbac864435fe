"""tinyflash quantize: a file for all other commands, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.floatfiles import floated
from tests.support.networks import NETWORKS as TFLITE
from tests.support.onnxmodels import NETWORKS

from tinyflash.read import read
from tinyflash.read.onnx import maps, reader
from tinyflash.read.tflite.floating import read_float_tflite


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


def test_a_misread_model_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reader._RULES, "Relu", maps.same)
    given = ("quantize", folder / "net.onnx", "--calibration", folder / "x.npy")
    target = ("-o", folder / "net.tflite")
    assert "computed by node Relu" in refused(*given, *target)
    assert not (folder / "net.tflite").exists()
    assert tinyflash(*given, "--no-compare", *target).exit_code == 0


def test_other_commands_say_how_to_quantize(folder: Path) -> None:
    line = refused("inspect", folder / "net.onnx")
    assert "a float model; give samples to calibrate with (tinyflash quantize" in line


def test_a_float_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(TFLITE["residual"]())
    path.write_bytes(floated(path))
    shape = read_float_tflite(path).source.given
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, *shape)))
    target = tmp_path / "net.tflite"
    result = tinyflash("quantize", path, "--calibration", tmp_path / "x.npy", "-o", target)
    assert result.exit_code == 0, result.output
    assert read(target).input.shape == (1, *shape)
    line = refused("inspect", path)
    assert "tinyflash quantize MODEL --calibration" in line
    assert "give samples to calibrate" in refused("quantize", path, "-o", target)


def test_one_of_several_outputs(folder: Path) -> None:
    model = onnx.load_from_string(NETWORKS["plain"]())
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("v3", onnx.TensorProto.FLOAT, None)
    )
    (folder / "two.onnx").write_bytes(model.SerializeToString())
    given = ("quantize", folder / "two.onnx", "--calibration", folder / "x.npy")
    target = folder / "net.tflite"
    assert "has 2 outputs; choose one with --output: 0 (v7), 1 (v3)" in refused(
        *given, "-o", target
    )
    for chosen, op in (("1", "max_pool"), ("v0", "conv2d"), ("0", "fully_connected")):
        assert tinyflash(*given, "--output", chosen, "-o", target).exit_code == 0
        assert read(target).nodes[-1].op == op
    last = read(target).nodes[-2].name
    for command in (
        ("inspect",),
        ("compile", "-o", folder / "build"),
        ("export", "-o", folder / "e.tflite"),
    ):
        assert tinyflash(command[0], target, "--output", last, *command[1:]).exit_code == 0
    assert "has no output 'nowhere'; it has 0 (" in refused(
        "inspect", target, "--output", "nowhere"
    )


def test_an_end_that_is_left_out_is_said(folder: Path) -> None:
    model = onnx.load_from_string(NETWORKS["plain"]())
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["v7"], ["answer"], axis=1))
    model.graph.output[0].name = "answer"
    (folder / "end.onnx").write_bytes(model.SerializeToString())
    given = ("quantize", folder / "end.onnx", "--calibration", folder / "x.npy")
    result = tinyflash(*given, "-o", folder / "net.tflite")
    assert result.exit_code == 0, result.output
    assert "(ArgMax): is not supported" in result.output
    assert "net.tflite ends there" in result.output
    assert read(folder / "net.tflite").nodes[-1].op == "fully_connected"


def test_mistakes_end_in_a_line(folder: Path) -> None:
    target = ("-o", folder / "net.tflite")
    assert "cannot be read" in refused("quantize", folder / "other.tflite", *target)
    (folder / "other.tflite").write_bytes(TFLITE["residual"]())
    line = refused("quantize", folder / "other.tflite", *target)
    assert "is quantized, or mostly so; all other commands read it" in line
    line = refused("quantize", folder / "net.onnx", *target)
    assert "a float model; give samples" in line
    np.savez(folder / "y.npz", y=np.zeros(3))
    line = refused("quantize", folder / "net.onnx", "--calibration", folder / "y.npz", *target)
    assert "has no array 'x'" in line
    np.save(folder / "x.npy", np.zeros((3, 12, 10, 3)))
    line = refused("quantize", folder / "net.onnx", "--calibration", folder / "x.npy", *target)
    assert "have shape (3, 12, 10, 3); net reads (samples, 3, 12, 10)" in line
