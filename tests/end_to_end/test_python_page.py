"""docs/python.md: its examples run, in order, each going on from those before it; and those of
other pages that need nothing but tinyflash."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from tests.support.onnxmodels import plain
from tests.support.pages import code, page

EXAMPLES = code(page("docs/python.md"), "python")
SCHEME = "head = 3\n[[update]]\nlast = 2\nbias = true\nweights = 0.5\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files that the page names, and firmware of the model."""
    folder = tmp_path_factory.mktemp("python")
    random = np.random.default_rng(0)
    y = np.arange(12) % 3
    x = (random.normal(0, 0.3, (12, 3, 12, 10)) + (y - 1.0)[:, None, None, None]).astype(np.float32)
    (folder / "model.onnx").write_bytes(plain())
    (folder / "scheme.toml").write_text(SCHEME)
    np.save(folder / "x.npy", x)
    np.savez(folder / "data.npz", x=x.transpose(0, 2, 3, 1), y=y)
    for line in (
        "quantize model.onnx --calibration x.npy -o model.tflite",
        "compile model.tflite --scheme scheme.toml --board qemu_stm32f405 -o firmware",
        "build firmware",
    ):
        subprocess.run([sys.executable, "-m", "tinyflash", *line.split()], cwd=folder, check=True)
    return folder


@contextmanager
def flashed(folder):
    """The port of the firmware, while it runs."""
    command = [sys.executable, "-m", "tinyflash", "flash", "firmware"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as flash:
        try:
            said = flash.stdout.readline()
            yield next(word for word in said.split() if word.startswith("socket://"))
        finally:
            flash.kill()


def module():
    """A PyTorch module that reads what x.npy holds."""
    torch = pytest.importorskip("torch")
    layers = torch.nn
    return layers.Sequential(
        layers.Conv2d(3, 4, 3, padding=1), layers.ReLU(), layers.Flatten(), layers.Linear(480, 3)
    )


def test_its_examples_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    *on_the_host, on_a_board = EXAMPLES
    names = {"module": module()}
    for number, example in enumerate(on_the_host, 1):
        exec(compile(example, f"docs/python.md, example {number}", "exec"), names)
    assert names["logits"].shape[-1] == 3
    assert (folder / "model" / "model.c").exists()
    assert (folder / "trained.tflite").exists()
    assert names["outcome"].error >= 0
    assert "DeviceSession(port" in on_a_board
    with flashed(folder) as names["port"]:
        exec(compile(on_a_board, "docs/python.md, on a board", "exec"), names)
    assert names["learned"] != names["compiled"].program.weights


@pytest.mark.parametrize("name", ["docs/tutorial.md", "python/tinyflash/zoo/README.md"])
def test_examples_of_other_pages_run(name, capsys):
    for example in code(page(name), "python"):
        exec(compile(example, name, "exec"), {})
