"""tinyflash compile: what it writes, and models, schemes and boards that it refuses."""

import json

import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.networks import everything, float_ends


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


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
    assert files_in(out) == ["model.c", "model.h", "report.html", "report.json", "report.txt"]
    report = json.loads((out / "report.json").read_text())
    assert report["board"] == "qemu_stm32f405"
    assert report["hash"] in result.stdout


def test_compile_for_rows_says_how_long_they_are(tmp_path, model, scheme):
    tinyflash("compile", model, "--scheme", scheme, "--rows", "-o", tmp_path / "out")
    assert "#define MODEL_ROW_BYTES 24u\n" in (tmp_path / "out" / "model.h").read_text()


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


def test_a_scheme_that_does_not_fit_the_model_is_named(tmp_path, model, scheme):
    scheme.write_text("[[update]]\nlast = 99\nbias = true\n")
    line = refused("compile", model, "--scheme", scheme, "-o", tmp_path / "out")
    assert line.startswith(f"{scheme}: last = 99, but the model has")


def test_it_says_what_it_wrote(tmp_path, model):
    result = tinyflash("compile", model, "-o", tmp_path / "out")
    assert "wrote model.c, model.h and report.html, .json and .txt to" in result.stderr
