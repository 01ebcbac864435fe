"""The generated C: the same bytes every time, readable, and valid for a strict compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.agree.random_graphs import random_graph

from tinyflash.compiler import compile_model
from tinyflash.paths import source_root
from tinyflash.write import c

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_it_compiles_without_a_warning_and_is_reproducible(seed: int, tmp_path: Path) -> None:
    graph, scheme = random_graph(seed)
    compiled = compile_model(graph, scheme)
    compiled.write(tmp_path)
    again = compile_model(graph, scheme)
    assert c.source(again.program) == (tmp_path / "model.c").read_text()
    compiler = shutil.which("cc") or "gcc"
    include = f"-I{source_root() / 'include'}"
    command = [compiler, *STRICT, include, "-fsyntax-only", str(tmp_path / "model.c")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_row_names_its_layer(tmp_path: Path) -> None:
    graph, scheme = random_graph(2)
    compiled = compile_model(graph, scheme)
    text = c.source(compiled.program)
    for row in compiled.program.train:
        assert f"{row.layer}: {row.note} */" in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_names_cannot_break_out_of_the_c(tmp_path: Path) -> None:
    graph, _ = random_graph(2)
    hostile = type(graph)(**{**graph.__dict__, "name": 'x*/ "\\ \n#error'})
    compile_model(hostile).write(tmp_path)
    header = (tmp_path / "model.h").read_text()
    assert header.splitlines()[0].count("*/") == 1
    (name,) = [line for line in header.splitlines() if line.startswith("#define MODEL_NAME")]
    assert name == '#define MODEL_NAME "x*/ __ _#error"'
