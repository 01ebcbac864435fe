"""README tells the truth: its Python example runs, its scheme is one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinyflash.compiler import compile_model
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import parse_scheme
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model

README = Path(__file__).resolve().parents[2] / "README.md"


def block(language: str, holding: str = "") -> str:
    """The one block in a language that holds a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if holding in block)
    return str(found)


def test_its_scheme_is_a_scheme() -> None:
    scheme = parse_scheme(block("toml"))
    assert scheme.head == 3
    assert [(r.last, r.weights, r.bias) for r in scheme.rules] == [
        (5, 0.25, True),
        (None, 0.0, None),
    ]


def test_its_python_runs(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    Path("s.toml").write_text("head = 3")
    samples = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)
    names = {
        "samples": samples,
        "labels": np.arange(6) % 3,
        "x": samples[0],
        "write_model": write_model,
    }
    exec(block("python") + 'write_model(compiled, "model")\n', names)
    assert (tmp_path / "model" / "model.c").exists()
    assert names["logits"].shape[-1] == 3


CAMERA = """
#include <stdio.h>
#include "tinyflash/tinyflash.h"
#include "model.h"
typedef struct camera { int lines; } camera;
static int camera_read_line(camera *from, int row, uint8_t *line) {
    for (uint32_t i = 0; i < MODEL_ROW_BYTES; i++) {
        line[i] = (uint8_t)(7 * row + 3 * (int)i);
    }
    return from->lines-- > 0;
}
"""
PROGRAM = """
static uint64_t weights[MODEL_WEIGHTS_BYTES / 8 + 1], state[MODEL_STATE_BYTES / 8 + 1];
static uint64_t arena[MODEL_ARENA_BYTES / 8 + 1];
int main(void) {
    const tiny_memory memory = {(uint8_t *)weights, (uint8_t *)state, (uint8_t *)arena,
                                sizeof weights, sizeof state, sizeof arena};
    const tiny_factor rate = {0x8000, -16};
    const uint32_t label = 1;
    camera camera = {8 + 5};
    tiny_session session;
    tiny_init(&session, &model, &memory);
    for (int step = 0; step < 2; step++) {
        TRAIN
    }
    fwrite(weights, 1, MODEL_WEIGHTS_BYTES, stdout);
    return 0;
}
"""


def test_its_row_source_is_one(tmp_path: Path, model: Path) -> None:
    """A camera of 13 lines: the first step has all of its 8, and the second fails."""
    compiled = compile_model(read(model), parse_scheme("head = 3"), row_source=True)
    write_model(compiled, tmp_path)
    statements = block("c", "tiny_set_source(").replace("\n", " ")
    program = PROGRAM.replace("TRAIN", statements)
    text = CAMERA + block("c", "camera_read_line") + program
    (tmp_path / "main.c").write_text(text)
    root = README.parent
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
    flags += [f"-I{root / 'include'}", f"-I{root / 'lib'}", f"-I{tmp_path}"]
    sources = [tmp_path / "main.c", tmp_path / "model.c", *library_sources(root)]
    subprocess.run(["cc", *flags, *sources, "-o", tmp_path / "main"], check=True)
    learned = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    session = HostSession(compiled.program)
    rows, columns = np.arange(8)[:, np.newaxis], np.arange(compiled.program.row_bytes)
    session.train_step((7 * rows + 3 * columns).astype(np.int8), 1, 0.5)
    assert learned == session.weights != compiled.program.weights
