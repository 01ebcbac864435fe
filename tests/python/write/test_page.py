"""What model.c tells its reader is what the program does: roles, names, sizes, tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.page import PageRow, columns_agree, rows_of
from tests.support.random_graphs import random_graph
from tests.support.row_graphs import row_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.lower.geometry import Fields
from tinyflash.compiler.lower.layout import Layout, lay_out
from tinyflash.compiler.lower.names import Draft, named
from tinyflash.compiler.lower.program import Planned
from tinyflash.graph import Graph, Node
from tinyflash.paths import source_root
from tinyflash.program import Buffer, Space
from tinyflash.read import read
from tinyflash.scheme import scheme
from tinyflash.write import c
from tinyflash.write.c.operands import OPERANDS
from tinyflash.zoo.networks import path_of


def digits() -> Compiled:
    return compile_model(read(path_of("digits")), scheme("digits"))


def randoms(seed: int) -> Compiled:
    return compile_model(*random_graph(seed))


def by_rows(seed: int) -> Compiled:
    return compile_model(*row_graph(seed), row_source=True)


MODELS = {
    "digits": digits,
    **{f"random {seed}": lambda seed=seed: randoms(seed) for seed in range(14)},
    **{f"by rows {seed}": lambda seed=seed: by_rows(seed) for seed in (0, 4)},
}


@pytest.fixture(scope="module", params=MODELS)
def compiled(request: pytest.FixtureRequest) -> Compiled:
    return MODELS[request.param]()  # type: ignore[no-any-return]


# ---- Roles ---------------------------------------------------------------------------------------

# What the header calls otherwise than the graph does.
_ROLES = {"logits": "x", "da": "dx", "db": "dx"}


def test_roles_are_those_of_the_header() -> None:
    text = (source_root() / "include" / "tinyflash" / "ops.h").read_text()
    found: dict[str, tuple[str, ...]] = {}
    for comment, names in re.findall(r"^/\* (.*?) \*/\n((?:TINY_OP\(\w+\);\n)+)", text, re.M):
        roles = tuple(re.sub(r"[\[\]]|(?<=w) kept", "", r) for r in comment.split(", "))
        roles = tuple(role.replace(" ", "_") for role in roles)
        found.update(dict.fromkeys(re.findall(r"\((\w+)\)", names), roles))
    assert len(found) == len(re.findall(r"^TINY_OP\(", text, re.MULTILINE))
    assert {**found, "source": ("y",)} == OPERANDS


def test_each_commented_role_is_the_tensor_in_that_role(compiled: Compiled) -> None:
    """Against the graph and the plan, which the table was made from; not against the rows."""
    page = c.source(compiled.program)
    assert columns_agree(page)
    train = compiled.train.graph if compiled.train else None
    layout = lay_out(compiled.infer.graph, train, seed=0)
    for table, planned in (("infer", compiled.infer), ("train", compiled.train)):
        rows = rows_of(page, table)
        assert bool(rows) == bool(planned)
        if planned is not None:
            nodes = list(_nodes(planned.graph))
            assert len(nodes) == len(rows)
            for (node, part), row in zip(nodes, rows, strict=True):
                _check(layout, planned, node, part, row)


def _nodes(graph: Graph) -> Iterator[tuple[Node, str]]:
    """The node of each row, and the input that it copies, where it is one of several."""
    for node in graph.nodes:
        if node.op == "concatenate":
            yield from ((node, tensor) for tensor in node.inputs.values())
        elif not node.operator.view_of:
            yield node, ""


def _check(layout: Layout, planned: Planned, node: Node, part: str, row: PageRow) -> None:
    assert row.title.split(" ", 1)[1].startswith(f"{node.name}: {node.op}")
    assert all(buffer is None for buffer in row.buffers[len(row.roles) :])
    present = set()
    for role, buffer in zip(row.roles, row.buffers, strict=False):
        present.add(_ROLES.get(role, role))
        if role == "state":
            assert buffer == Buffer(Space.STATE, 0)
        elif role.startswith("s_"):
            tensor = _tensor(node, role.removeprefix("s_"))
            assert buffer == (layout.scales[tensor] if tensor else None), (row, role)
        else:
            _check_place(layout, planned, (node, role), part, buffer)
    if not part:  # no operand is left out
        other = {"x"} if row.kernel.startswith("mul_backward") else set()
        assert {*node.inputs, *node.outputs} - other <= present, row


def _tensor(node: Node, role: str) -> str | None:
    """The tensor that a node has in a role of the header."""
    role = _ROLES.get(role, role)
    if node.op == "mul_backward_input" and role in ("a", "b"):
        role = "x"
    return node.inputs.get(role) or node.outputs.get(role)


def _check_place(
    layout: Layout, planned: Planned, at: tuple[Node, str], part: str, buffer: Buffer | None
) -> None:
    node, role = at
    tensor = part if part and role == "x" else _tensor(node, role)
    if tensor is None:
        weights = role in ("w", "w_frozen") and not node.op.endswith("_update")
        assert buffer == (Buffer(Space.FLASH, 0) if weights else None), at
        return
    place = layout.buffer(planned.graph, planned.plan, tensor)
    assert buffer is not None
    strip = "concatenate" in node.op and role in ("y", "dy")
    inside = range(planned.graph.tensors[tensor].nbytes) if strip else range(1)
    assert buffer.space == place.space and buffer.offset - place.offset in inside, at


# ---- Names ---------------------------------------------------------------------------------------


def test_layers_have_their_plain_names_and_others_say_what_they_are(compiled: Compiled) -> None:
    assert compiled.train is not None
    names = {node.name for node in compiled.train.graph.nodes}
    own = {f"op_{re.sub(r'[^A-Za-z0-9_]+', '_', name)}" for name in names}
    suffix = r"(kept|mask|bias|rows|gradient|fisher|x\d+|backward_input|infer)"
    for record in compiled.program.records:
        plain = re.sub(rf"(_{suffix})+$", "", record.name)
        assert record.name in own or plain in own, record.name
    weighted = re.compile(r"(conv2d|depthwise|fully_connected)_(update|backward_input)")
    for row in rows_of(c.source(compiled.program), "train"):
        if weighted.fullmatch(row.kernel):
            layer = row.title.split(" ", 1)[1].split(":")[0]
            assert row.record == f"op_{layer}"


def _draft(layer: str, meaning: str = "", infer: bool = False) -> Draft:
    fields: Fields = {"count": 1}
    return Draft("tiny_copy", layer, meaning, infer, fields)


def _names(*drafts: Draft) -> list[str]:
    return [record.name for record in named(drafts)]


def test_a_copy_that_comes_first_leaves_the_layer_its_name() -> None:
    assert _names(_draft("c", "kept"), _draft("c")) == ["op_c_kept", "op_c"]
    assert _names(_draft("c", "kept"), _draft("c_kept")) == ["op_c_kept_2", "op_c_kept"]


def test_records_of_the_infer_table_say_so() -> None:
    drafts = _draft("c"), _draft("c", infer=True), _draft("c", "rows"), _draft("c", "rows", True)
    assert _names(*drafts) == ["op_c", "op_c_infer", "op_c_rows", "op_c_rows_infer"]


def test_layers_that_become_the_same_are_numbered() -> None:
    assert _names(_draft("a.b"), _draft("a b"), _draft("a_b")) == ["op_a_b", "op_a_b_2", "op_a_b_3"]


def test_a_long_layer_loses_its_end_and_not_its_meaning() -> None:
    (name,) = _names(_draft("x" * 999, "mask"))
    assert len(name) == 50 and name.endswith("x_mask")


# ---- Sizes, ports and images ---------------------------------------------------------------------


def test_the_top_gives_sizes_operations_and_hash(compiled: Compiled) -> None:
    program = compiled.program
    top = c.source(program).split("*/")[0]
    sizes = {"FLASH": len(program.flash), "WEIGHTS": len(program.weights)}
    sizes |= {"STATE": len(program.state), "ARENA": program.arena_bytes}
    assert dict(re.findall(r"^ \*   ([A-Z]+) +(\d+) bytes", top, re.M)) == {
        space: str(size) for space, size in sizes.items()
    }
    infer, train = program.infer, program.train
    assert f"infer   {len(infer)} operations in {len(program.infer_calls)} calls" in top
    assert f"train   {len(train)} operations in {len(program.train_calls)} calls" in top
    assert f"hash    0x{program.hash:08X}u" in top
    assert ("by rows from a source" in top) == (program.input is None)
    assert ("target" in top) == (program.target is not None)
    assert (f"label   0 to {program.classes - 1}" in top) == (program.classes > 0)


def test_sizes_in_the_header_are_lines_of_their_own(compiled: Compiled) -> None:
    """A build reads them (build.py)."""
    program = compiled.program
    lines = c.header(program).splitlines()
    assert f"#define MODEL_WEIGHTS_BYTES {len(program.weights)}u" in lines
    assert f"#define MODEL_ARENA_BYTES {program.arena_bytes}u" in lines


def test_the_top_says_what_the_bytes_of_input_and_output_mean() -> None:
    program = digits().program
    for text in (c.source(program), c.header(program)):
        assert " *   input   int8 [8][8][1], real = 0.0078125 * stored\n" in text
        assert re.search(r" \*   output  int8 \[10\], real = 0\.\d+ \* stored, logits\n", text)


def test_the_top_gives_the_unit_of_the_file_where_the_compiler_chose_another() -> None:
    """Who scales sensor values needs the file's: `encode` uses it, too."""
    compiled = compile_model(read(path_of("activity")), scheme("activity"))
    quant, port = compiled.graph.tensors[compiled.graph.input.tensor].quant, compiled.graph.input
    assert quant is not None
    assert port.quant is not None
    assert quant.scale != port.quant.scale == (1 / 64,)
    text = c.header(compiled.program)
    assert " *   input   int8 [1][128][6], real = 0.015625 * stored\n" in text


def test_images_name_their_tensors_and_offsets(compiled: Compiled) -> None:
    assert compiled.train is not None
    page = c.source(compiled.program)
    layout = lay_out(compiled.infer.graph, compiled.train.graph, seed=0)
    tensors = compiled.infer.graph.tensors | compiled.train.graph.tensors
    for name, places in (("flash", layout.constants), ("weights", layout.trainables)):
        found = _stretches(page, name)
        assert found.keys() == {buffer.offset for buffer in places.values()}
        for tensor, buffer in places.items():
            text, words = found[buffer.offset]
            shape = "".join(f"[{d}]" for d in tensors[tensor].shape)
            assert text.startswith(f"{tensor}, {tensors[tensor].dtype} {shape}")
            assert words == -(-tensors[tensor].nbytes // 4)
    assert _stretches(page, "state").keys() == {
        0,
        *(buffer.offset for buffer in layout.scales.values()),
    }


def _stretches(page: str, image: str) -> dict[int, tuple[str, int]]:
    """By offset: the comment, and how many words follow; of none if there is no image."""
    found = re.search(
        rf"^static const uint32_t model_{image}_image.*?\{{\n(.*?)^\}};", page, re.M | re.S
    )
    parts = re.split(r"^ {4}/\* (\d+): (.*) \*/\n", found[1] if found else "", flags=re.M)
    assert not parts[0]
    return {
        int(offset): (text, words.count("0x"))
        for offset, text, words in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def test_a_program_without_notes_has_the_same_images() -> None:
    program = digits().program
    bare = replace(program, contents={}, input_note="", output_note="")
    images = [re.findall(r"0x[0-9A-F]{8},", c.source(p)) for p in (program, bare)]
    assert images[0] == images[1]
    assert f"input   {program.input_bytes} bytes" in c.source(bare)


def test_no_line_is_longer_than_a_page(compiled: Compiled) -> None:
    for text in (c.source(compiled.program), c.header(compiled.program)):
        assert max(map(len, text.splitlines())) <= 100
