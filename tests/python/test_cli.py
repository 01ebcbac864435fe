"""The command line: what each command does, and that a user's mistake costs one line, no more."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.python.models import File
from tests.python.networks import NETWORKS, everything, float_ends, uint8_ends

from tinyflash import toolchain
from tinyflash.cli import COMMANDS, main
from tinyflash.errors import InternalError

SCHEME = 'head = 3\n[[update]]\nlast = 1\nbias = true\nweights = 0.5\n'  # fmt: skip


def tinyflash(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments):
    """The one line of a refusal, without its 'error: '."""
    result = tinyflash(*arguments)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1, result.output
    assert lines, "nothing said"
    assert lines[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in result.output
    return lines[-1].removeprefix("error: ")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(float_ends())
    return path


@pytest.fixture
def scheme(tmp_path):
    path = tmp_path / "scheme.toml"
    path.write_text(SCHEME)
    return path


@pytest.fixture
def data(tmp_path):
    """Two classes of three, easy to tell apart."""
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = random.normal(0, 0.3, (40, 8, 8, 3)) + np.where(y, 1.0, -1.0)[:, None, None, None]
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path / "data.npz"


def files_in(folder: Path):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


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
    assert tinyflash("infer", model, tmp_path / "x.npy", "-o", tmp_path / "y.npy").exit_code == 0
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


# ---- Models that cannot be used -----------------------------------------------------------------


def float_model():
    file = File(1)
    x = file.input((1, 4), type="FLOAT32")
    return file.finish(file.operator("RELU", [x], file.tensor((1, 4), type="FLOAT32")))


def unsupported():
    file = everything()
    file.operators[1].code = "TRANSPOSE_CONV"
    return file.finish()


def batch_of_two():
    file = File(1)
    return file.finish(file.dense(file.input((2, 4)), 3, rows=2, keep=(2,)))


def nan_scale():
    file = everything()
    file.tensors[file.operators[1].inputs[1]].scale[0] = float("nan")
    return file.finish()


BAD_MODELS = {
    "empty": lambda: b"",
    "not a tflite": lambda: b"hello" * 100,
    "truncated": lambda: float_ends()[: len(float_ends()) // 2],
    "float": float_model,
    "unsupported operator": unsupported,
    "batch of two": batch_of_two,
    "NaN scale": nan_scale,
}
COMPLAINTS = {"unsupported operator": "TRANSPOSE_CONV", "batch of two": "batch"}


@pytest.mark.parametrize("name", BAD_MODELS)
@pytest.mark.parametrize("command", ["inspect", "compile", "train"])
def test_a_model_that_cannot_be_used_gets_one_line(tmp_path, data, scheme, name, command):
    path, out = tmp_path / "bad.tflite", tmp_path / "out"
    path.write_bytes(BAD_MODELS[name]())
    rest = {
        "inspect": [],
        "compile": ["-o", out],
        "train": ["--scheme", scheme, "--data", data, "-o", out],
    }
    line = refused(command, path, *rest[command])
    assert str(path) in line
    assert COMPLAINTS.get(name, "") in line
    assert not out.exists()


def test_a_missing_model_gets_one_line(tmp_path):
    assert "none.tflite" in refused("inspect", tmp_path / "none.tflite")
    assert str(tmp_path) in refused("inspect", tmp_path)


# ---- compile ------------------------------------------------------------------------------------


def test_compile_writes_table_header_and_reports(tmp_path, model, scheme):
    out = tmp_path / "out"
    result = tinyflash("compile", model, "--scheme", scheme, "--board", "qemu_stm32f405", "-o", out)
    assert result.exit_code == 0, result.output
    assert files_in(out) == ["model.c", "model.h", "report.json", "report.txt"]
    report = json.loads((out / "report.json").read_text())
    assert report["board"] == "qemu_stm32f405"
    assert report["hash"] in result.stdout


def test_compile_twice_gives_the_same_bytes(tmp_path, model, scheme):
    for out in ("a", "b"):
        tinyflash("compile", model, "--scheme", scheme, "-o", tmp_path / out)
    for name in files_in(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_compile_refuses_a_board_that_is_too_small(tmp_path):
    file = File(3)
    x = file.input((1, 96, 96, 8))
    y = file.conv(x, (3, 3), out=16)
    (tmp_path / "large.tflite").write_bytes(file.finish(file.mean(y, [1, 2], 0.05, 0)))
    out = tmp_path / "out"
    line = refused("compile", tmp_path / "large.tflite", "--board", "qemu_stm32f405", "-o", out)
    assert "bytes of SRAM too small" in line
    assert "147,456" in line  # the convolution's output, which stands at the peak
    assert not out.exists()


def test_compile_refuses_an_unknown_board(tmp_path, model):
    line = refused("compile", model, "--board", "abacus", "-o", tmp_path / "out")
    assert "abacus" in line
    assert "qemu_stm32f405" in line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("head =", "TOML"),
        ("heed = 2", "heed"),
        ('[[update]]\nlayers = ["conv2d_77"]\nbias = true', "conv2d_77"),
        ("[[update]]\nlast = 99\nbias = true", "99"),
        ("[[update]]\nlast = 1\nweights = 1.5", "weights"),
        ("head = 1", "head"),
    ],
)
def test_a_scheme_that_does_not_fit_gets_one_line(tmp_path, model, text, complaint):
    (tmp_path / "s.toml").write_text(text)
    out = tmp_path / "out"
    line = refused("compile", model, "--scheme", tmp_path / "s.toml", "-o", out)
    assert complaint in line
    assert not out.exists()


def test_a_missing_scheme_gets_one_line(tmp_path, model):
    line = refused("compile", model, "--scheme", tmp_path / "none.toml", "-o", tmp_path / "out")
    assert "none.toml" in line


# ---- train --------------------------------------------------------------------------------------


def train(model, scheme, data, out, *more):
    return "train", model, "--scheme", scheme, "--data", data, "-o", out, *more


def test_train_learns_and_keeps_what_it_learned(tmp_path, model, scheme, data):
    out = tmp_path / "out"
    result = tinyflash(*train(model, scheme, data, out, "--rate", "0.05", "--epochs", "5"))
    assert result.exit_code == 0, result.output
    course = json.loads((out / "training.json").read_text())
    assert course["accuracy_after"] > course["accuracy_before"]
    assert course["accuracy_after"] >= 90
    assert f"accuracy after: {course['accuracy_after']:.1f} %" in result.stdout
    assert len(course["losses"]) == 5 * 32
    with np.load(out / "learned.npz") as learned:
        assert set(learned) == {"hash", "weights", "state"}


def test_train_goes_on_from_what_was_learned(tmp_path, model, scheme, data):
    """The step counter counts on, and the accuracy begins where it ended."""
    first, second = tmp_path / "first", tmp_path / "second"
    tinyflash(*train(model, scheme, data, first, "--rate", "0.05"))
    more = ("--resume", first / "learned.npz", "--rate", "0.001", "--epochs", "1")
    assert tinyflash(*train(model, scheme, data, second, *more)).exit_code == 0
    before = json.loads((second / "training.json").read_text())["accuracy_before"]
    assert before == json.loads((first / "training.json").read_text())["accuracy_after"]
    with np.load(second / "learned.npz") as learned:
        assert int.from_bytes(learned["state"].tobytes()[4:8], "little") == 4 * 32


def test_train_without_validation_uses_every_sample(tmp_path, model, scheme, data):
    out = tmp_path / "out"
    tinyflash(*train(model, scheme, data, out, "--validation", "0", "--epochs", "1"))
    course = json.loads((out / "training.json").read_text())
    assert len(course["losses"]) == 40
    assert course["accuracy_after"] is None


def test_train_is_repeatable(tmp_path, model, scheme, data):
    for out in ("a", "b"):
        tinyflash(*train(model, scheme, data, tmp_path / out, "--seed", "7"))
    a, b = (np.load(tmp_path / out / "learned.npz") for out in ("a", "b"))
    assert (a["weights"] == b["weights"]).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"y": np.full(40, 3)}, "3 classes"),
        ({"x": np.zeros((40, 8, 8))}, "shape"),
        ({"x": np.full((40, 8, 8, 3), np.nan)}, "finite"),
        ({"y": np.zeros(39, int)}, "40 samples and 39 labels"),
        ({"y": np.linspace(0, 1, 40)}, "whole numbers"),
    ],
)
def test_train_refuses_other_data(tmp_path, model, scheme, data, change, complaint):
    with np.load(data) as whole:
        np.savez(data, **{**whole, **change})
    out = tmp_path / "out"
    assert complaint in refused(*train(model, scheme, data, out))
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [("--rate", "nan", "rate"), ("--rate", "-1", "rate"), ("--validation", "1", "fraction")],
)
def test_train_refuses_numbers_out_of_range(
    tmp_path, model, scheme, data, option, value, complaint
):
    assert complaint in refused(*train(model, scheme, data, tmp_path / "out", option, value))


def test_train_refuses_what_another_model_learned(tmp_path, model, scheme, data):
    tinyflash(*train(model, scheme, data, tmp_path / "out", "--epochs", "1"))
    scheme.write_text(SCHEME.replace("0.5", "1.0"))
    more = ("--resume", tmp_path / "out" / "learned.npz")
    line = refused(*train(model, scheme, data, tmp_path / "other", *more))
    assert "belongs to another model" in line


# ---- build, flash -------------------------------------------------------------------------------


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


def lacking(tool):
    return toolchain.Tool("flux capacitor", "time", tool.group, lambda: None, tool.packages)


def test_doctor_is_content_where_these_tests_run():
    assert tinyflash("doctor").exit_code == 0


def test_a_mistyped_option_is_a_usage_error():
    assert tinyflash("boards", "--all").exit_code == 2
    assert tinyflash("bords").exit_code == 2


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
    assert "defect of tinyflash" in refused("boards")
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
