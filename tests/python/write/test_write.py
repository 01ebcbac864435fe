"""The generated C: the same bytes every time, readable, and valid for a strict compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.page import rows_of
from tests.support.random_graphs import random_graph
from tests.support.row_graphs import row_graph
from tests.support.streams import layer_by_layer, streamed

from tinyflash.compiler import compile_model
from tinyflash.paths import source_root
from tinyflash.write import c
from tinyflash.write.model import write_model

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
    write_model(compiled, tmp_path)
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
    order = texts[1].split("model_train_calls[] = {\n")[1].splitlines()
    assert re.fullmatch(r" {4}/\* 0 \S+( to .*)?: (whole|some rows by turns) \*/", order[0])
    assert order[1].startswith(f"    {{{first.op}, {{{first.first}, {first.count}}}}},")
    assert rows_of(texts[1], "train")[0].record == "op_source"
    assert rows.hash == plain.hash  # they learn the same


def test_every_row_names_its_layer_its_operation_and_its_shapes() -> None:
    graph, scheme = random_graph(2)
    compiled = compile_model(graph, scheme)
    rows = rows_of(c.source(compiled.program), "train")
    assert [row.title for row in rows] == [
        f"{index} {row.layer}: {row.about}".strip()
        for index, row in enumerate(compiled.program.train)
    ]


HOSTILE = ('x*/ "\\ \n#error', "a??/", "??=", "/*", "é\0\x1b[2J", "%s%n", "", "a" * 5000)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_break_out_of_the_c(name: str, tmp_path: Path) -> None:
    graph, scheme = random_graph(2)
    write_model(compile_model(replace(graph, name=name), scheme), tmp_path)
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
    write_model(compiled, tmp_path)
    accepted(tmp_path)
    assert len({record.name for record in compiled.program.records}) == len(
        compiled.program.records
    )
    assert max(map(len, (tmp_path / "model.c").read_text().splitlines())) <= 100


@pytest.mark.parametrize("name", HOSTILE)
def test_tensors_may_have_any_name(name: str, tmp_path: Path) -> None:
    """Images and gradients are described by them."""
    graph, scheme = random_graph(2)
    names = {old: f"{name}{i}{name}" for i, old in enumerate(graph.tensors)}

    def renamed(roles: Mapping[str, str]) -> Mapping[str, str]:
        return {role: names[tensor] for role, tensor in roles.items()}

    hostile = replace(
        graph,
        tensors={names[k]: replace(t, name=names[k]) for k, t in graph.tensors.items()},
        nodes=tuple(
            replace(n, inputs=renamed(n.inputs), outputs=renamed(n.outputs)) for n in graph.nodes
        ),
        input=replace(graph.input, tensor=names[graph.input.tensor]),
        output=replace(graph.output, tensor=names[graph.output.tensor]),
        logits=names[graph.logits],
        target=names.get(graph.target, ""),
    )
    write_model(compile_model(hostile, scheme), tmp_path)
    accepted(tmp_path)
    assert max(map(len, (tmp_path / "model.c").read_text().splitlines())) <= 100


def test_table_and_header_of_two_compilations_do_not_build(tmp_path: Path) -> None:
    """Two that ran at once into one folder, or one that was cut off."""
    for seed in (2, 3):
        graph, scheme = random_graph(seed)
        write_model(compile_model(graph, scheme), tmp_path / str(seed))
    shutil.copy(tmp_path / "3" / "model.h", tmp_path / "2")
    assert "model.h is of another compilation" in said_of(tmp_path / "2")
