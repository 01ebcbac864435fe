"""What nothing needs is not read: dead branches, second outputs, and the end of a network behind
the classifier where a scheme replaces that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.support.flatfile import FileOperator
from tests.support.models import File
from tests.support.networks import silent_channels
from tests.support.onnxfile import OnnxFile

from tinyflash.compiler import compile_model, prepare
from tinyflash.errors import ModelError
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import parse_scheme
from tinyflash.write.tflite import write_tflite

HEAD = parse_scheme("head = 3")
MAP = (1, 4, 4, 2)


# ---- .tflite ------------------------------------------------------------------------------------


def body(classes: int = 5) -> tuple[File, int]:
    file = File(7)
    return file, file.dense(file.conv(file.input(MAP), (3, 3)), classes)


def several(file: File, code: str, inputs: list[int], *outputs: int, kind: str = "") -> None:
    file.operators.append(FileOperator(code, inputs, list(outputs), kind))


def wide_softmax() -> bytes:
    file, y = body(1000)
    return file.finish(file.softmax(y))


def arg_max() -> bytes:
    file, y = body()
    axis = file.constant(1)
    answer = file.tensor((1,), type="INT64")
    return file.finish(file.operator("ARG_MAX", [y, axis], answer, "ArgMaxOptions"))


def top_two() -> bytes:
    """Both outputs of one operator are the model's."""
    file, y = body()
    values, places = file.tensor((1, 2), 0.1), file.tensor((1, 2), type="INT32")
    several(file, "TOPK_V2", [y, file.constant(2)], values, places, kind="TopKV2Options")
    return file.finish(values, places)


def custom() -> bytes:
    file, y = body()
    file.custom = b"OwnDecision"
    return file.finish(file.operator("CUSTOM", [y], file.tensor((1, 5), 0.1)))


def float_softmax() -> bytes:
    """The converter left the end in float."""
    file, y = body()
    real = file.operator("DEQUANTIZE", [y], file.tensor((1, 5), type="FLOAT32"))
    end = file.tensor((1, 5), type="FLOAT32")
    return file.finish(file.operator("SOFTMAX", [real], end, "SoftmaxOptions", Beta=1.0))


ENDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "softmax over 1,000 classes": (wide_softmax, r"softmax_\d+ \(SOFTMAX\): has 1000 classes"),
    "the largest": (arg_max, r"\(ARG_MAX\): is not supported; it only"),
    "the two largest": (top_two, r"\(TOPK_V2\): is not supported"),
    "an operator of its own": (custom, r"\(CUSTOM OwnDecision\): is not supported; it only"),
    "softmax in float": (float_softmax, r"\(DEQUANTIZE\): continues in float"),
}


@pytest.mark.parametrize("what", ENDS)
def test_an_end_that_a_new_head_replaces_need_not_be_read(what: str, tmp_path: Path) -> None:
    make, words = ENDS[what]
    path = tmp_path / "net.tflite"
    path.write_bytes(make())
    graph = read(path)
    compiled = compile_model(graph, HEAD)
    assert compiled.graph.output.shape == (1, 3)
    HostSession(compiled.program).infer(np.zeros(MAP[1:], np.int8))
    for refuses in (prepare, compile_model, write_tflite):
        with pytest.raises(ModelError, match=words) as caught:
            refuses(graph)
        assert "head = CLASSES" in str(caught.value)
        assert str(caught.value).count("--output") == 1
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ENDS)
def test_it_can_be_left_out(what: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(ENDS[what][0]())
    graph = read(path, output="fully_connected_1")
    assert not graph.unread
    assert graph.output.dtype == "int8"
    file, y = body(graph.output.shape[-1])
    path.write_bytes(file.finish(y))
    wanted = read(path)
    assert [n.op for n in graph.nodes] == [n.op for n in wanted.nodes]
    assert compile_model(graph).program.hash == compile_model(wanted).program.hash


def boxes() -> bytes:
    """Made of two tensors: no classifier's end."""
    file, y = body()
    file.custom = b"TFLite_Detection_PostProcess"
    anchors = file.constant(np.zeros((5, 4)), "FLOAT32")
    shapes = ((1, 2, 4), (1, 2), (1, 2), (1,))
    found = [file.tensor(shape, type="FLOAT32") for shape in shapes]
    several(file, "CUSTOM", [y, file.dense(y, 5), anchors], *found)
    return file.finish(*found)


def test_one_of_the_outputs_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(boxes())
    with pytest.raises(ModelError, match=r"has 4 outputs; choose one with --output: 0 \(tensor 8"):
        read(path)
    with pytest.raises(ModelError, match=r"CUSTOM TFLite_Detection_PostProcess\): is not"):
        read(path, output=1)
    assert read(path, output="fully_connected_2").output.shape == (1, 5)
    with pytest.raises(ModelError, match=r"has no output '4'; it has 0 \(tensor 8\), 1"):
        read(path, output="4")
    with pytest.raises(ModelError, match=r"has no output 'nowhere'"):
        read(path, output="nowhere")


def test_an_operator_with_weights_is_not_cut_off(tmp_path: Path) -> None:
    """The first layer would otherwise become the classifier."""
    file = File(3)
    y = file.conv(file.input(MAP), (3, 3))
    y = file.operator("FLOOR", [y], file.tensor(file.shape(y), 0.1))
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(file.dense(y, 5)))
    with pytest.raises(ModelError, match=r"floor_1 \(FLOOR\): is not supported"):
        read(path)


def test_an_input_that_is_cut_off_from_all_layers_is_refused(tmp_path: Path) -> None:
    file = File(3)
    y = file.operator("FLOOR", [file.input((1, 6))], file.tensor((1, 6), 0.1))
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(y))
    with pytest.raises(ModelError, match=r"floor_0 \(FLOOR\): is not supported"):
        read(path)


def test_dead_branches_are_not_read(tmp_path: Path) -> None:
    """Operators, inputs and tensors that nothing here can read, on the way to nowhere."""
    file, y = body()
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(y))
    wanted = compile_model(read(path)).program
    file.custom = b"Unknown"
    other = file.input((1, 9), type="FLOAT32")
    dead = file.operator("CUSTOM", [y, other], file.tensor((1, 5), type="FLOAT32"))
    several(file, "TOPK_V2", [dead], file.tensor((2,)), file.tensor((2,)))
    path.write_bytes(file.finish(y))
    assert compile_model(read(path)).program.hash == wanted.hash


def test_a_channel_of_scale_0_trains_with_the_others(tmp_path: Path) -> None:
    """It can learn nothing itself."""
    path = tmp_path / "net.tflite"
    path.write_bytes(silent_channels())
    scheme = parse_scheme("loss = 'mean_squared_error'\n[[update]]\nweights = 1.0\nbias = true")
    compiled = compile_model(read(path), scheme)
    host = HostSession(compiled.program)
    x = np.random.default_rng(0).integers(-128, 128, (9, 7, 3)).astype(np.int8)
    target = np.full(6, 50, np.int8)
    before = host.infer(x)
    for _ in range(5):
        host.train_on_target(x, target, rate=0.01)
    after = host.infer(x)
    assert (before != after).any()


# ---- ONNX ---------------------------------------------------------------------------------------

SHAPE = (1, 2, 4, 4)
Build = Callable[[OnnxFile, str], str]


def onnx_body(classes: int = 5, opset: int = 18) -> tuple[OnnxFile, str]:
    f = OnnxFile(SHAPE, opset=opset)
    x = f.node("Flatten", f.node("Relu", f.conv("x", 3, 2, 3, 3)))
    return f, f.gemm(x, classes, 12)


def samples() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (20, *SHAPE[1:])).astype(np.float32)


def own(f: OnnxFile, y: str) -> str:
    end = f.node("OwnDecision", y)
    f.nodes[-1].domain = "com.example"
    return end


def non_zero(f: OnnxFile, y: str) -> str:
    return f.node("NonZero", f.node("Softmax", y))


ONNX_ENDS: dict[str, tuple[Build, str]] = {
    "softmax over 1,000 classes": (lambda f, y: f.node("Softmax", y), "has 1000 classes"),
    "the largest": (
        lambda f, y: f.node("ArgMax", y, axis=1),
        r"\(ArgMax\): is not supported; it only",
    ),
    "of another domain": (own, r"\(com.example.OwnDecision\): is not supported"),
    "two nodes": (non_zero, "is not supported|has 1000 classes"),
}


@pytest.mark.parametrize("what", ONNX_ENDS)
def test_an_onnx_end_that_a_new_head_replaces(what: str) -> None:
    build, words = ONNX_ENDS[what]
    f, y = onnx_body(1000)
    network = parse_onnx(f.finish(build(f, y)), "net", samples())
    graph = quantize(network, samples())
    assert compile_model(graph, HEAD).graph.output.shape == (1, 3)
    with pytest.raises(ModelError, match=words) as caught:
        compile_model(graph)
    assert f"--output {y!r}" in str(caught.value)
    cut = quantize(parse_onnx(f.finish(build(f, y)), "net", samples(), output=y), samples())
    assert compile_model(cut).graph.output.shape == (1, 1000)


def test_two_ends_of_one_tensor_are_one_end() -> None:
    f, y = onnx_body()
    f.nodes.append(helper.make_node("TopK", [y, f.integers(2)], ["values", "places"]))
    model = f.model("values")
    model.graph.output.append(helper.make_tensor_value_info("places", TensorProto.INT64, None))
    network = parse_onnx(model.SerializeToString(), "net", samples())
    assert "TopK" in network.unread
    assert network.shape(network.output) == (1, 5)


def test_one_of_several_onnx_outputs_is_chosen() -> None:
    f, y = onnx_body()
    model = f.model(f.node("Sigmoid", y))
    model.graph.output.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, None))
    content = model.SerializeToString()
    with pytest.raises(ModelError, match=rf"has 2 outputs; choose .*0 \(v4\), 1 \({y}\)"):
        parse_onnx(content, "net", samples())
    node = f.nodes[2].name
    wanted = ((0, "logistic"), ("1", "fully_connected"), (y, "fully_connected"), (node, "reshape"))
    for chosen, last in wanted:
        network = parse_onnx(content, "net", samples(), output=chosen)
        assert network.nodes[-1].op == last


def dead(f: OnnxFile, y: str) -> str:
    own(f, y)
    f.node("Loop", "", "", y)
    f.nodes[-1].attribute.append(
        helper.make_attribute("body", helper.make_graph([], "body", [], []))
    )
    return y


def mask(f: OnnxFile, y: str) -> str:
    f.nodes.append(helper.make_node("Dropout", [y], ["kept", "mask"]))
    return "kept"


def places(f: OnnxFile, y: str) -> str:
    x = f.node("Reshape", y, f.integers(1, 1, 1, 5))
    f.nodes.append(helper.make_node("MaxPool", [x], ["largest", "where"], kernel_shape=[1, 2]))
    return "largest"


UNREAD: dict[str, Build] = {"dead branches": dead, "mask": mask, "places": places}


@pytest.mark.parametrize("opset", [9, 11, 18])
@pytest.mark.parametrize("what", UNREAD)
def test_what_nobody_reads_is_no_reason_to_refuse(what: str, opset: int) -> None:
    """Nor is it for the judge."""
    f, y = onnx_body(opset=opset)
    network = parse_onnx(f.finish(UNREAD[what](f, y)), "net", samples())
    assert not network.unread


def test_results_of_training_that_nobody_reads() -> None:
    """Before opset 14 they are what says that a node trains."""
    for opset, refused in ((9, True), (15, False)):
        f = OnnxFile(SHAPE, opset=opset)
        y = f.norm("x", 2)
        more = 4 if opset < 14 else 2
        f.nodes[-1].output.extend(f"{y}.{i}" for i in range(more))
        content = f.finish(f.gemm(f.node("Flatten", y), 3, 32))
        if refused:
            with pytest.raises(ModelError, match="is in training mode; export for inference"):
                parse_onnx(content, "net", samples())
        else:
            parse_onnx(content, "net", samples())


def test_the_output_that_torch_names() -> None:
    torch = pytest.importorskip("torch")
    from tinyflash import from_torch

    class Two(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(6, 4)

        def forward(self, x: Any) -> Any:
            y = self.layer(x)
            return y, torch.sigmoid(y)

    x = np.random.default_rng(0).normal(0, 1, (8, 6)).astype(np.float32)
    with pytest.raises(ModelError, match="has 2 outputs"):
        from_torch(Two(), torch.from_numpy(x[:1]), x)
    graph = from_torch(Two(), torch.from_numpy(x[:1]), x, output=1)
    assert [n.op for n in graph.nodes] == ["fully_connected", "lookup"]
