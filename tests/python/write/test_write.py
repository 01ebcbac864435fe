"""The generated C: the same bytes every time, readable, and valid for a strict compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.random_graphs import random_graph
from tests.support.row_graphs import row_graph
from tests.support.streams import layer_by_layer, streamed

from tinyflash.compiler import compile_model
from tinyflash.paths import source_root
from tinyflash.write import c

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]


def said_of(folder: Path) -> str:
    """What a strict compiler says of the folder's model.c."""
    compiler = shutil.which("cc") or "gcc"
    include = f"-I{source_root() / 'include'}"
    command = [compiler, *STRICT, include, "-fsyntax-only", str(folder / "model.c")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def accepted(folder: Path) -> None:
    said = said_of(folder)
    assert not said, said


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_it_compiles_without_a_warning_and_is_reproducible(seed: int, tmp_path: Path) -> None:
    graph, scheme = random_graph(seed)
    compiled = compile_model(graph, scheme)
    compiled.write(tmp_path)
    again = compile_model(graph, scheme)
    assert c.source(again.program) == (tmp_path / "model.c").read_text()
    accepted(tmp_path)


def test_calls_by_rows_are_written_and_share_the_arrays_of_whole_layers(tmp_path: Path) -> None:
    graph, scheme = row_graph(0)
    compiled = compile_model(graph, scheme, row_source=True)
    rows, plain = streamed(compiled, seed=0), layer_by_layer(compiled, seed=0)
    texts = [c.source(program) for program in (plain, rows)]
    (tmp_path / "model.h").write_text(c.header(rows))
    (tmp_path / "model.c").write_text(texts[1])
    accepted(tmp_path)
    assert texts[0].count("static const int32_t") == texts[1].count("static const int32_t")
    first = rows.train_calls[0]
    assert f"train_calls[] = {{\n    {{{first.op}, {{{first.first}, {first.count}}}}}," in texts[1]
    assert "{0, &op_source,\n     {ARENA(0), NONE" in texts[1]
    assert rows.hash != plain.hash


def test_every_row_names_its_layer(tmp_path: Path) -> None:
    graph, scheme = random_graph(2)
    compiled = compile_model(graph, scheme)
    text = c.source(compiled.program)
    for row in compiled.program.train:
        assert f"{row.layer}: {row.note} */" in text
    assert max(len(line) for line in text.splitlines()) <= 120


HOSTILE = ('x*/ "\\ \n#error', "a??/", "??=", "/*", "é\0\x1b[2J", "%s%n", "", "a" * 5000)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_break_out_of_the_c(name: str, tmp_path: Path) -> None:
    graph, scheme = random_graph(2)
    compile_model(replace(graph, name=name), scheme).write(tmp_path)
    accepted(tmp_path)
    (line,) = re.findall(r"^#define MODEL_NAME .*$", (tmp_path / "model.h").read_text(), re.M)
    assert re.fullmatch(r'#define MODEL_NAME "[^"\\?]{0,63}"', line)


LAYERS = ("int", "model", "1x1", "a.b", "a b", "a_b", "é", "x*/", "a??/", "tiny_op", "x" * 999)


def test_layers_may_have_any_name(tmp_path: Path) -> None:
    """A C keyword, a number, a name of the generated file's own, two that become the same."""
    graph, scheme = random_graph(2)
    layers = dict.fromkeys(node.name for node in graph.nodes)
    names = dict(zip(layers, LAYERS, strict=False))
    nodes = [
        replace(n, name=names.get(n.name, n.name), layer=names.get(n.layer, n.layer))
        for n in graph.nodes
    ]
    rules = tuple(
        replace(rule, layers=tuple(names.get(n, n) for n in rule.layers)) for rule in scheme.rules
    )
    compiled = compile_model(replace(graph, nodes=tuple(nodes)), replace(scheme, rules=rules))
    compiled.write(tmp_path)
    accepted(tmp_path)
    assert len({record.name for record in compiled.program.records}) == len(
        compiled.program.records
    )


def test_table_and_header_of_two_compilations_do_not_build(tmp_path: Path) -> None:
    """Two that ran at once into one folder, or one that was cut off."""
    for seed in (2, 3):
        graph, scheme = random_graph(seed)
        compile_model(graph, scheme).write(tmp_path / str(seed))
    shutil.copy(tmp_path / "3" / "model.h", tmp_path / "2")
    assert "model.h is of another compilation" in said_of(tmp_path / "2")
