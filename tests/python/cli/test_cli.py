"""The command line: looking, inferring, building; and that a mistake costs one line, no more."""

import json
import sys

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.networks import NETWORKS, uint8_ends

from tinyflash.boards import toolchain
from tinyflash.cli import COMMANDS, system
from tinyflash.errors import InternalError

# ---- inspect ------------------------------------------------------------------------------------


def test_inspect_says_what_each_layer_costs(model):
    content = json.loads(tinyflash("inspect", model, "--json").stdout)
    conv, dense = content["layers"][0], content["layers"][-1]
    assert conv["op"] == "conv2d"
    assert conv["macs"] == 4 * 4 * 4 * 3 * 3 * 3
    assert (conv["weight_bytes"], conv["bias_bytes"]) == (4 * 3 * 3 * 3, 4 * 4)
    assert (conv["saved_bytes"], conv["mask_bytes"]) == (8 * 8 * 3, 4 * 4 * 4 // 8)
    assert dense["op"] == "fully_connected"
    assert dense["macs"] == dense["weight_bytes"] == 5 * 64
    assert content["total"]["macs"] == sum(layer["macs"] for layer in content["layers"])


def test_inspect_prints_every_layer(model):
    result = tinyflash("inspect", model)
    assert result.exit_code == 0
    for layer in json.loads(tinyflash("inspect", model, "--json").stdout)["layers"]:
        assert layer["name"] in result.stdout


# ---- infer --------------------------------------------------------------------------------------


def test_infer_of_float_ends_writes_floats(tmp_path, model):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 8, 8, 3)))
    result = tinyflash("infer", model, tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert result.exit_code == 0
    assert "y.npy: 3 outputs" in " ".join(result.stderr.split())
    assert not result.stdout
    y = np.load(tmp_path / "y.npy")
    assert (y.shape, y.dtype) == ((3, 5), np.float32)
    assert len(np.unique(y, axis=0)) == 3


def test_infer_of_bytes_writes_bytes(tmp_path):
    (tmp_path / "m.tflite").write_bytes(uint8_ends())
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)))
    result = tinyflash("infer", tmp_path / "m.tflite", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert result.exit_code == 0
    assert np.load(tmp_path / "y.npy").dtype == np.uint8


def test_infer_of_no_samples_writes_none(tmp_path, model):
    np.save(tmp_path / "x.npy", np.zeros((0, 8, 8, 3)))
    assert tinyflash("infer", model, tmp_path / "x.npy", "-o", tmp_path / "y.npy").exit_code == 0
    assert np.load(tmp_path / "y.npy").shape == (0, 5)


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros((1, 8, 8)), "shape"),
        (np.full((1, 8, 8, 3), np.inf), "finite"),
        (np.full((1, 8, 8, 3), "a"), "numbers"),
    ],
)
def test_infer_refuses_other_samples(tmp_path, model, x, complaint):
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "out" / "y.npy"
    assert complaint in refused("infer", model, tmp_path / "x.npy", "-o", out)
    assert not out.parent.exists()


def test_infer_refuses_a_damaged_file_of_samples(tmp_path, model):
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    line = refused("infer", model, tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert "x.npy is not a whole" in line
    assert not (tmp_path / "y.npy").exists()


# ---- build, flash -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["build", "flash"])
def test_a_file_is_no_folder(model, command):
    line = refused(command, model)
    assert "model.tflite is not a folder; give one that tinyflash compile -o wrote" in line


def test_build_without_a_compiled_model_gets_one_line(tmp_path):
    assert "tinyflash compile" in refused("build", tmp_path)
    assert "tinyflash compile" in refused("build", tmp_path, "--board", "qemu_stm32f405")


def test_flash_without_firmware_gets_one_line(tmp_path):
    line = refused("flash", tmp_path, "--board", "qemu_stm32f405")
    assert "firmware.elf" in line
    assert "tinyflash build" in line


# ---- boards, doctor, errors ---------------------------------------------------------------------


def test_boards_are_listed():
    listing = tinyflash("boards").stdout
    assert "qemu_stm32f405" in listing
    assert "qemu_mps2_an500" in listing


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setattr(toolchain, "TOOLS", [*toolchain.TOOLS, lacking(toolchain.TOOLS[0])])
    result = tinyflash("doctor")
    assert result.exit_code == 1
    assert "flux capacitor" in result.stdout
    assert "flux capacitor missing; install with: " in result.stderr


def test_doctor_says_how_to_get_onnx(monkeypatch):
    monkeypatch.setattr(system, "_version", lambda name: None if name == "onnx" else "1")
    result = tinyflash("doctor")
    assert result.exit_code == 0
    assert "missing, optional" in result.stdout
    assert f"{sys.executable} -m pip install onnx" in result.stdout


def lacking(tool):
    return toolchain.Tool("flux capacitor", "time", tool.group, lambda: None, tool.packages)


def test_doctor_is_content_where_these_tests_run():
    assert tinyflash("doctor").exit_code == 0


def test_a_mistyped_option_is_a_usage_error():
    assert "--all" in refused("boards", "--all")
    assert "bords" in refused("bords")


@pytest.mark.parametrize("command", ["infer", "compile", "train"])
def test_where_to_write_must_be_said(tmp_path, model, command):
    data = {"infer": [tmp_path / "x.npy"], "train": ["--data", tmp_path / "d.npz"]}
    line = refused(command, model, *data.get(command, []))
    assert "Missing option '-o'" in line
    assert "--help" in line


def test_nothing_but_a_file_is_overwritten(tmp_path, model):
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 3)))
    (tmp_path / "link.npy").symlink_to(tmp_path / "y.npy")
    assert tinyflash("infer", model, tmp_path / "x.npy", "-o", tmp_path / "link.npy").exit_code == 0
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "y.npy").shape == (1, 5)
    for place in (tmp_path, "/dev/null"):
        line = refused("infer", model, tmp_path / "x.npy", "-o", place)
        assert "is not a regular file" in line
    line = refused("compile", model, "-o", tmp_path / "x.npy" / "deep")
    assert "x.npy is not a folder" in line


def test_help_and_version():
    listing = tinyflash("--help").stdout
    for command in COMMANDS:
        assert f"  {command} " in listing
        assert tinyflash(command, "--help").exit_code == 0
    assert "0.1.0" in tinyflash("--version").stdout


def test_a_defect_gets_one_line_unless_debugging(monkeypatch):
    def fail():
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("tinyflash.cli.system.known_boards", fail)
    assert "bug in tinyflash" in refused("boards")
    monkeypatch.setenv("TINYFLASH_DEBUG", "1")
    assert isinstance(tinyflash("boards").exception, ZeroDivisionError)


def test_internal_errors_are_one_line_too(monkeypatch):
    def fail():
        raise InternalError("two\nlines")

    monkeypatch.setattr("tinyflash.cli.system.known_boards", fail)
    assert refused("boards") == "two lines"


def test_an_output_that_cannot_be_written_gets_one_line(tmp_path, model):
    (tmp_path / "file").write_text("in the way")
    assert "file" in refused("compile", model, "-o", tmp_path / "file" / "out")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_tests_can_be_inspected_and_compiled(tmp_path, name):
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(NETWORKS[name]())
    assert tinyflash("inspect", path).exit_code == 0
    assert tinyflash("compile", path, "-o", tmp_path / "out").exit_code == 0
