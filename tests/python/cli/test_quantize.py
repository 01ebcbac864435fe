"""tinyflash quantize: a file for all other commands, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import Result
from tests.support.commands import refused, tinyflash
from tests.support.floatfiles import floated
from tests.support.networks import NETWORKS as TFLITE
from tests.support.onnxfile import OnnxFile
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
    command = ("quantize", folder / "net.onnx", "--calibration", folder / data)
    more = ("--ranges", "percentile", "-o", folder / "net.tflite", "--json")
    assert json.loads(tinyflash(*command, *more).stdout) == {
        "output": str(folder / "net.tflite"),
        "bytes": (folder / "net.tflite").stat().st_size,
        "layers": errors,
    }
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
    assert "(ArgMax): is not supported; " in result.output
    assert "net.tflite ends before it" in result.output
    assert "--output" not in result.output  # nothing is left to do
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
    assert "samples have shape (3, 12, 10, 3); the model reads (samples, 3, 12, 10)" in line


def quantized(folder: Path, x: np.ndarray) -> Result:
    np.save(folder / "other.npy", x.astype(np.float32))
    return tinyflash(
        "quantize", folder / "net.onnx", "--calibration", folder / "other.npy",
        "--errors", folder / "e.json", "-o", folder / "net.tflite",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros((30, 3, 12, 10)), "every number of the samples is 0: they carry no signal"),
        (np.zeros((1, 3, 12, 10)), "every number of the samples is 0: they carry no signal"),
        (np.random.default_rng(0).uniform(9, 9.01, (30, 3, 12, 10)), "and use 0.1 % of the input"),
        (np.tile(np.random.default_rng(0).normal(size=(3, 12, 10)), (20, 1, 1, 1)), "15 samples"),
    ],
)
def test_samples_without_signal_are_told_and_get_no_figure(
    folder: Path, x: np.ndarray, complaint: str
) -> None:
    result = quantized(folder, x)
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert complaint in line
    errors = json.loads((folder / "e.json").read_text())
    assert "no signal" in result.stdout
    assert all(e["snr_db"] is None and e["constant"] for e in errors)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(9, 9.5, True), (-1e-7, 1e-6, True), (20, 30, False), (-1e-3, 1e-3, False)],
)
def test_samples_that_use_few_levels_are_told(
    folder: Path, low: float, high: float, *, said: bool
) -> None:
    x = np.random.default_rng(0).uniform(low, high, (30, 3, 12, 10))
    found = [line for line in quantized(folder, x).stderr.splitlines() if "levels, from" in line]
    assert len(found) == said


def test_the_table_is_of_samples_that_did_not_choose_the_ranges(folder: Path) -> None:
    """Samples ten times as large among those held out: what they lose is in the table."""
    x = np.random.default_rng(0).normal(size=(32, 3, 12, 10))
    held = np.linspace(0, 31, 8).astype(int)
    clean = quantized(folder, x)
    usual = min(e["snr_db"] for e in json.loads((folder / "e.json").read_text()))
    assert "on 8 samples that did not choose the ranges" in clean.stdout
    x[held] *= 10
    assert quantized(folder, x).exit_code == 0
    worst = min(e["snr_db"] for e in json.loads((folder / "e.json").read_text()))
    assert worst < usual - 10
    assert "on samples that also chose the ranges" in quantized(folder, x[:15]).stdout


def test_axes_of_length_1_may_be_left_out_of_calibration(tmp_path: Path) -> None:
    f = OnnxFile((1, 1, 1, 40))
    (tmp_path / "net.onnx").write_bytes(f.finish(f.conv("x", 4, 1, 1, 5)))
    for shape in ((20, 40), (20, 1, 40), (20, 1, 1, 40)):
        result = quantized(tmp_path, np.random.default_rng(0).normal(size=shape))
        assert result.exit_code == 0, result.output
    assert "(samples, 1, 1, 40)" in quantized(tmp_path, np.zeros((20, 2, 20))).stderr


def test_calibration_in_other_units_than_a_quantized_model_reads_is_told(tmp_path: Path) -> None:
    f = OnnxFile((1, 4))
    scale, zero = f.constant(1 / 255), f.constant(-128, np.int8)
    x = f.node("DequantizeLinear", f.node("QuantizeLinear", "x", scale, zero), scale, zero)
    (tmp_path / "net.onnx").write_bytes(f.finish(f.gemm(x, 3, 4)))
    pixels = np.random.default_rng(0).uniform(0, 255, (20, 4))
    assert "the samples range from " in quantized(tmp_path, pixels).stderr
    assert "the model reads 0 to 1" in quantized(tmp_path, pixels).stderr
    assert "warning: " not in quantized(tmp_path, pixels / 255).stderr


def test_a_layer_that_is_dead_on_all_samples_is_told(tmp_path: Path) -> None:
    f = OnnxFile((1, 2, 8, 8))
    dead = f.node("Relu", f.node("Conv", "x", f.normal(3, 2, 1, 1), f.constant([-90.0] * 3)))
    both = f.node("Concat", dead, f.conv("x", 3, 2, 1, 1), axis=1)
    (tmp_path / "net.onnx").write_bytes(f.finish(f.conv(both, 4, 6, 1, 1)))
    result = quantized(tmp_path, np.random.default_rng(0).normal(size=(20, 2, 8, 8)))
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert "is the same for every sample measured, so its range may not suit others" in line
    errors = json.loads((tmp_path / "e.json").read_text())
    (name,) = [e["layer"] for e in errors if e["constant"]]
    assert f"the output of {name} is" in line


@pytest.mark.parametrize("sides", [(3, 21931), (2, 32897)])
def test_a_network_whose_sums_overflow_is_not_written(
    sides: tuple[int, int], tmp_path: Path
) -> None:
    """In no runtime would the file compute what the table says."""
    file, inputs = OnnxFile((1, *sides), 1), sides[0] * sides[1]
    y = file.gemm(file.node("Flatten", "x"), 2, inputs)
    (tmp_path / "net.onnx").write_bytes(file.finish(y))
    samples = np.random.default_rng(2).normal(size=(8, *sides)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    given = ("quantize", tmp_path / "net.onnx", "--calibration", tmp_path / "x.npy")
    target = tmp_path / "net.tflite"
    if inputs == 65793:
        assert tinyflash(*given, "-o", target).exit_code == 0
        return
    said = refused(*given, "-o", target)
    assert "65,794 products per output element could overflow 32 bits" in said
    assert not target.exists()
