"""Constants are computed by the rules of the model's own opset."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from tests.support.onnxfile import OnnxFile

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.file import Attribute, OnnxModel, OnnxNode
from tinyflash.read.onnx.folding import FOLDED, fold
from tinyflash.read.onnx.importing import Constant, Importer, Layer
from tinyflash.read.onnx.judge import evaluator
from tinyflash.read.onnx.reader import parse_onnx

OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)
X = np.array([[[1.5, -2.5, 3.0]], [[-4.0, 0.5, 0.0]]], np.float32)  # (2, 1, 3)
FLAGS, OTHERS = np.array([True, False]), np.array([True, True])
WHOLE = np.array([7, 5, 9], np.int64)


@dataclass(frozen=True)
class Case:
    """What an operator makes of constants. `settings`: attributes or operands, as the opset has
    them."""

    inputs: tuple[np.ndarray, ...]
    wanted: Any
    settings: Mapping[str, Any] = field(default_factory=dict)


def both(function: Any) -> Case:
    return Case((X, X[:1] + 2), function(X, X[:1] + 2))


def reduced(function: Any) -> tuple[Case, ...]:
    return (
        Case((X,), function(X, axis=(0, 2), keepdims=True), {"axes": [0, -1]}),
        Case((X,), function(X, axis=1), {"axes": [1], "keepdims": 0}),
        Case((X,), np.reshape(function(X), (1, 1, 1))),
    )


CASES: dict[str, Case | tuple[Case, ...]] = {
    "Abs": Case((X,), np.abs(X)),
    "Add": both(np.add),
    "And": Case((FLAGS, OTHERS), FLAGS & OTHERS),
    "Cast": Case((X,), X.astype(np.int64), {"to": 7}),
    "Clip": Case((X,), np.clip(X, -2, 1), {"min": -2.0, "max": 1.0}),
    "Ceil": Case((X,), np.ceil(X)),
    "Concat": Case((X, X), np.concatenate([X, X], 1), {"axis": 1}),
    "Constant": Case((), WHOLE, {"value": WHOLE}),
    "ConstantOfShape": Case((np.array([2, 3]),), np.full((2, 3), 7), {"value": WHOLE[:1]}),
    "Div": both(np.divide),
    "Equal": both(np.equal),
    "Exp": Case((X,), np.exp(X)),
    "Expand": Case((X, np.array([2, 4, 3])), np.broadcast_to(X, (2, 4, 3))),
    "Flatten": Case((X,), X.reshape(2, 3), {"axis": 2}),
    "Floor": Case((X,), np.floor(X)),
    "Gather": Case((X, np.array([2, 0])), X[:, :, [2, 0]], {"axis": 2}),
    "Greater": both(np.greater),
    "Identity": Case((X,), X),
    "Less": both(np.less),
    "Log": Case((abs(X) + 1,), np.log(abs(X) + 1)),
    "MatMul": Case((X, np.ones((2, 3, 2), np.float32)), X @ np.ones((2, 3, 2), np.float32)),
    "Max": both(np.maximum),
    "Min": both(np.minimum),
    "Mod": Case((WHOLE, np.array([4, 2, 5])), [3, 1, 4]),
    "Mul": both(np.multiply),
    "Neg": Case((X,), -X),
    "Not": Case((FLAGS,), ~FLAGS),
    "Or": Case((FLAGS, OTHERS), FLAGS | OTHERS),
    "Pow": Case((X, np.float32(2)), X**2),
    "Range": Case((np.int64(2), np.int64(9), np.int64(3)), [2, 5, 8]),
    "Reciprocal": Case((X - 10,), 1 / (X - 10)),
    "ReduceMax": reduced(np.max),
    "ReduceMean": reduced(np.mean),
    "ReduceMin": reduced(np.min),
    "ReduceProd": reduced(np.prod),
    "ReduceSum": reduced(np.sum),
    "Relu": Case((X,), np.maximum(X, 0)),
    "Reshape": Case((X, np.array([3, -1])), X.reshape(3, 2)),
    "Round": Case((X,), [[[2, -2, 3]], [[-4, 0, 0]]]),
    "Shape": Case((X,), [2, 1, 3]),
    "Sign": Case((X,), np.sign(X)),
    "Size": Case((X,), 6),
    "Slice": Case((X,), X[1:, :, :2], {"starts": [1, 0], "ends": [9, 2], "axes": [0, 2]}),
    "Split": Case((X,), X[:, :, :1], {"split": [1, 2], "axis": 2}),
    "Sqrt": Case((abs(X),), np.sqrt(abs(X))),
    "Squeeze": (Case((X,), X[:, 0], {"axes": [1]}), Case((X[:1],), X[0, 0], {"axes": [1, 0]})),
    "Sub": both(np.subtract),
    "Transpose": Case((X,), X.transpose(2, 0, 1), {"perm": [2, 0, 1]}),
    "Unsqueeze": (
        Case((WHOLE,), WHOLE[:, None], {"axes": [1]}),
        Case((np.int64(3),), [3], {"axes": [0]}),
        Case((WHOLE,), WHOLE[None, :, None], {"axes": [2, 0]}),
    ),
    "Where": Case((X > 0, X, -X), np.abs(X)),
}


def folded(op: str, case: Case, schema: Any, opset: int) -> np.ndarray:
    attributes: dict[str, Attribute] = {}
    inputs = list(case.inputs)
    operands = [operand.name for operand in schema.inputs]
    for name, value in case.settings.items():
        if name in schema.attributes:
            attributes[name] = tuple(value) if isinstance(value, list) else value
        else:
            assert operands.index(name) == len(inputs)
            inputs.append(np.array(value, np.float32 if isinstance(value, float) else None))
    made = ("y", "z") if op == "Split" else ("y",)
    names = tuple(f"x{i}" for i in range(len(inputs)))
    node = OnnxNode(0, op, "one", names, made, attributes, "")
    importer = Importer("net", OnnxModel("net", opset, (node,), {}, (), ()))
    importer.values.update({n: Constant(np.asarray(x)) for n, x in zip(names, inputs, strict=True)})
    assert fold(Layer(importer, node))
    found = importer.values["y"]
    assert isinstance(found, Constant)
    return found.data


def test_each_operator_has_a_case() -> None:
    assert set(CASES) == set(FOLDED)


@pytest.mark.parametrize("opset", OPSETS)
def test_constants_are_folded_as_of_the_opset(opset: int) -> None:
    for op, cases in CASES.items():
        try:
            schema = onnx.defs.get_schema(op, opset)
        except onnx.defs.SchemaError:
            continue  # younger
        for case in cases if isinstance(cases, tuple) else (cases,):
            found = folded(op, case, schema, opset)
            np.testing.assert_allclose(found, case.wanted, rtol=1e-6, err_msg=f"{op} of {opset}")
            assert found.shape == np.shape(case.wanted), op


@pytest.mark.parametrize(
    ("start", "end", "step", "wanted"),
    [
        (-1, -(2**63), -1, [9, 5, 7]),
        (2**31 - 1, -4, -2, [9, 7]),
        (-9, -9, -1, [7]),  # ONNX begins at the first place, where Python takes nothing
        (1, 0, -1, [5]),
        (-9, 2, 1, [7, 5]),
    ],
)
def test_a_slice_begins_and_ends_by_the_rule_of_onnx(
    start: int, end: int, step: int, wanted: list[int]
) -> None:
    case = Case((WHOLE,), wanted, {"starts": [start], "ends": [end], "axes": [0], "steps": [step]})
    found = folded("Slice", case, onnx.defs.get_schema("Slice", 13), 13)
    assert found.tolist() == wanted
    f = OnnxFile((1, 3), opset=13)
    row = f.constant(WHOLE.astype(np.float32))
    y = f.node("Slice", row, *(f.integers(n) for n in (start, end, 0, step)))
    y = f.node("Add", "x", f.node("ReduceSum", y))
    for by in ("reference", "runtime")[: 1 + (importlib.util.find_spec("onnxruntime") is not None)]:
        judge = evaluator(f.finish(y), None, [y], by)
        assert judge.values(np.zeros((1, 3), np.float32))[y].ravel()[0] == sum(wanted), by


def test_a_slice_back_to_where_runtimes_differ_is_refused() -> None:
    settings = {"starts": [-1], "ends": [2**31 - 1], "axes": [0], "steps": [-1]}
    with pytest.raises(ModelError, match="goes back to 2147483647 from an axis of 3"):
        folded("Slice", Case((WHOLE,), [], settings), onnx.defs.get_schema("Slice", 13), 13)


def test_a_range_keeps_its_type() -> None:
    ends = tuple(np.float32(n) for n in (0.37554488, -2.6244552, -1.5))
    found = folded("Range", Case(ends, []), onnx.defs.get_schema("Range", 16), 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ends[0] - 1.5 * np.arange(3), rtol=1e-6)
    whole = tuple(np.int32(n) for n in (3, 6, 1))
    found = folded("Range", Case(whole, []), onnx.defs.get_schema("Range", 16), 16)
    assert found.dtype == np.int32


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 17])
def test_flattening_by_the_shape_of_an_open_batch(opset: int) -> None:
    """As by PyTorch's exporter, with `x.view(x.size(0), -1)`."""
    f = OnnxFile(("n", 3, 4, 5), 3, opset=opset)
    first = f.node("Gather", f.node("Shape", "x"), f.constant(0, np.int64), axis=0)
    if opset < 13:
        rows = f.node("Unsqueeze", first, axes=[0])
    else:
        rows = f.node("Unsqueeze", first, f.integers(0))
    x = f.node("Reshape", "x", f.node("Concat", rows, f.integers(-1), axis=0))
    graph = parse_onnx(f.finish(f.gemm(x, 4, 60)), "net")
    assert graph.nodes[-1].shape == (1, 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13])
def test_a_module_from_the_older_exporter_of_torch(opset: int) -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.conv = torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 4, 3)
            self.head = torch.nn.Linear(4 * 4 * 3, 5)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv(self.norm(x)))
            return self.head(x.view(x.size(0), -1))

    torch.manual_seed(opset)
    net, x, file = Net().eval(), torch.randn(6, 3, 6, 5), io.BytesIO()
    torch.onnx.export(
        net, (x[:1],), file, dynamo=False, opset_version=opset,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )  # fmt: skip
    graph = parse_onnx(file.getvalue(), "net", x.numpy())
    found = outputs(graph, graph.source.arrange(x.numpy()))
    np.testing.assert_allclose(found, net(x).detach().numpy(), rtol=1e-4, atol=1e-5)
