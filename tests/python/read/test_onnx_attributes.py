"""Every attribute of every operator in every opset is read, changes nothing, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.support.onnxfile import OnnxFile

from tinyflash.errors import ModelError
from tinyflash.read.onnx.attributes import FIXED, IGNORED, READ, check_attributes
from tinyflash.read.onnx.expanding import EXPANSIONS, expanded
from tinyflash.read.onnx.file import OnnxModel, OnnxNode
from tinyflash.read.onnx.importing import Importer, Layer
from tinyflash.read.onnx.reader import OPERATORS, parse_onnx

OLDEST = 7
TABLES: tuple[Any, ...] = (READ, IGNORED, FIXED)


def attributes(operator: str) -> dict[str, int]:
    """Attributes of an operator in the opsets that are read, with the newest that has each."""
    newest = onnx.defs.onnx_opset_version()
    found: dict[str, int] = {}
    for opset in range(OLDEST, newest + 1):
        try:
            schema = onnx.defs.get_schema(operator, opset)
        except onnx.defs.SchemaError:
            continue
        found.update(dict.fromkeys(schema.attributes, opset))
    return found


def accounted(operator: str) -> list[str]:
    return [name for table in TABLES for name in table.get(operator, ())]


@pytest.mark.parametrize("operator", sorted(OPERATORS - set(EXPANSIONS)))
def test_each_attribute_is_in_one_table(operator: str) -> None:
    assert sorted(attributes(operator)) == sorted(accounted(operator))


@pytest.mark.parametrize("operator", sorted(EXPANSIONS))
def test_the_attributes_of_operators_on_integers_are_those_of_their_pieces(operator: str) -> None:
    inputs = tuple(f"x{i}" for i in range(9))
    node = OnnxNode(0, operator, "one", inputs, ("y",), {"invented": 1}, "")
    pieces = expanded(OnnxModel("net", 18, (node,), {}, (), ("y",))).nodes
    (piece,) = (p for p in pieces if p.attributes.get("invented") == 1)
    assert piece.op in OPERATORS


def test_tables_have_no_other_operators() -> None:
    assert set().union(*TABLES) <= OPERATORS


def checked(operator: str, name: str, value: Any) -> None:
    node = OnnxNode(0, operator, "one", ("x",), ("y",), {name: value}, "")
    check_attributes(Layer(Importer("net", OnnxModel("net", 18, (node,), {}, (), ())), node))


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_unknown_attribute_is_refused_by_name(operator: str) -> None:
    with pytest.raises(ModelError, match=rf"one \({operator}\): has an attribute invented"):
        checked(operator, "invented", 1)


@pytest.mark.parametrize(
    ("operator", "name"), [(op, name) for op, names in FIXED.items() for name in names]
)
def test_what_is_assumed_is_refused_at_other_values(operator: str, name: str) -> None:
    for value in FIXED[operator][name]:
        checked(operator, name, value)
    with pytest.raises(ModelError, match=f"has an attribute {name} of 77"):
        checked(operator, name, 77)


@pytest.mark.parametrize(
    ("opset", "operator", "values", "text"),
    [
        (13, "Squeeze", {"axes": [2]}, "an attribute axes, which opset 13 has not"),
        (18, "AveragePool", {"kernel_shape": [2, 2], "dilations": [2]}, "an attribute dilations"),
        (9, "MaxPool", {"kernel_shape": [2, 2], "ceil_mode": 1}, "an attribute ceil_mode"),
        (18, "MaxPool", {}, "no attribute kernel_shape"),
        (13, "HardSwish", {}, "an operator that opset 13 has not"),
        (18, "Relu", {"alpha": 1.0}, "an attribute alpha"),
    ],
)  # fmt: skip
def test_what_another_opset_has_is_refused(
    opset: int, operator: str, values: dict[str, Any], text: str
) -> None:
    f = OnnxFile((1, 4, 6, 6), opset=opset)
    content = f.finish(f.node(operator, "x", **values))
    with pytest.raises(ModelError, match=text):
        parse_onnx(content, "net")


def test_inputs_of_another_opset_are_refused() -> None:
    f = OnnxFile((1, 4, 1, 6), opset=11)
    content = f.finish(f.node("Squeeze", "x", f.integers(2)))
    with pytest.raises(ModelError, match="has 2 inputs, more than opset 11 knows"):
        parse_onnx(content, "net")


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_dilated_pools_are_refused(operator: str) -> None:
    def content(kernel: list[int]) -> bytes:
        f = OnnxFile((1, 1, 4, 4), opset=19)
        return f.finish(f.node(operator, "x", kernel_shape=kernel, dilations=[2, 1]))

    with pytest.raises(ModelError, match=r"dilations \[2, 1\]; pools without dilation"):
        parse_onnx(content([2, 2]), "net")
    assert parse_onnx(content([1, 2]), "net").nodes[0].window.dilation == (1, 1)


REFUSED: dict[str, tuple[Any, str]] = {
    "dropout that trains": (
        lambda f: f.node("Dropout", "x", f.constant(0.5), f.constant(True, np.bool_)),
        "is in training mode",
    ),
    "a third operand of Max": (
        lambda f: f.node("Max", "x", f.constant(0.0), f.constant(1.0)),
        "supported with two inputs",
    ),
    "a kernel_shape of other weights": (
        lambda f: f.conv("x", 3, 4, 3, 3, kernel_shape=[2, 2]),
        "kernel_shape \\[2, 2\\] is not its weights'",
    ),
    "a constant with more dimensions": (
        lambda f: f.node("Add", "x", f.constant(np.ones((1, 1, 1, 1, 1)))),
        "constant of 5 dimensions",
    ),
    "a bound with more dimensions": (
        lambda f: f.node("Min", "x", f.constant(np.ones((1, 1, 1, 1, 1)))),
        "more dimensions than its map",
    ),
    "a graph": (
        lambda f: f.node("Relu", "x", inside=helper.make_graph([], "g", [], [])),
        "an attribute inside that holds a graph",
    ),
    "another scale": (
        lambda f: f.node(
            "DequantizeLinear",
            f.node("QuantizeLinear", "x", f.constant(0.1), f.constant(0, np.int8)),
            f.constant(0.2),
            f.constant(0, np.int8),
        ),
        "another scale or zero point",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_rule_takes_into_account(what: str) -> None:
    build, text = REFUSED[what]
    f = OnnxFile((1, 4, 6, 6))
    with pytest.raises(ModelError, match=text):
        parse_onnx(f.finish(build(f)), "net")


def test_a_scale_without_zero_point_is_that_of_its_type() -> None:
    """int8 by output_dtype, and what reads it says no zero point, either."""
    f = OnnxFile((1, 4, 6, 6), opset=21)
    step = f.constant(0.1)
    kept = f.node("QuantizeLinear", "x", step, output_dtype=onnx.TensorProto.INT8)
    graph = parse_onnx(f.finish(f.conv(f.node("DequantizeLinear", kept, step), 3, 4, 1, 1)), "net")
    assert graph.codings["input"].zero == 0
