"""What ONNX models cannot be read for ends in one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.support.onnxfile import OnnxFile
from tests.support.onnxmodels import NETWORKS

from tinyflash.errors import ModelError
from tinyflash.read import read
from tinyflash.read.onnx.reader import parse_onnx, read_onnx


def edited(edit: Callable[[Any], None], name: str = "plain") -> bytes:
    model = onnx.load_from_string(NETWORKS[name]())
    edit(model)
    return model.SerializeToString()  # type: ignore[no-any-return]


def attribute(index: int, name: str, value: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        node = model.graph.node[index]
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return edit


def swap(model: Any) -> None:
    """A node comes before what it reads: a cycle would look the same."""
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[::-1])


def rename(index: int, op: str, domain: str = "") -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        model.graph.node[index].op_type = op
        model.graph.node[index].domain = domain

    return edit


def huge_constant(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20, 1 << 20]


def short_constant(model: Any) -> None:
    model.graph.initializer[0].raw_data = b"1234"


def infinite(model: Any) -> None:
    w = model.graph.initializer[0]
    w.raw_data = np.full(tuple(w.dims), np.inf, np.float32).tobytes()


def opset(version: int) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        model.opset_import[0].version = version

    return edit


def sized(*shape: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        model.graph.input[0].CopyFrom(value)

    return edit


def two_outputs(model: Any) -> None:
    model.graph.output.append(helper.make_tensor_value_info("v0", TensorProto.FLOAT, None))


def no_such_output(model: Any) -> None:
    model.graph.output[0].name = "nowhere"


def loop(model: Any) -> None:
    body = helper.make_graph([], "body", [], [])
    node = helper.make_node("Loop", ["", "", "x"], ["looped"], body=body, name="again")
    model.graph.node.insert(0, node)
    model.graph.node[1].input[0] = "looped"


def function(model: Any) -> None:
    model.functions.append(
        helper.make_function("own", "F", ["a"], ["b"], [], [helper.make_opsetid("", 18)])
    )


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.append(onnx.SparseTensorProto())


def twice(model: Any) -> None:
    model.graph.node.insert(1, model.graph.node[0])


def indices(model: Any) -> None:
    model.graph.node[3].output.append("i")
    model.graph.node[4].input[0] = "i"


def integers(model: Any) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.INT64, (1, 3, 12, 10))
    model.graph.input[0].CopyFrom(value)


REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "unordered": (swap, "which no earlier node computes"),
    "unknown operator": (rename(3, "LpPool"), "LpPool.* is not supported; build the network"),
    "other domain": (
        rename(0, "Conv", "com.example"),
        "com.example.Conv.* is not supported; build the network without",
    ),
    "loop": (loop, "again .Loop.*is a loop or a branch"),
    "function": (function, "functions of its own; inline them"),
    "sparse": (sparse, "sparse constants"),
    "huge constant": (huge_constant, "constant c0 has shape .*too large"),
    "short constant": (short_constant, "constant c0 is damaged"),
    "infinite weights": (infinite, "holds infinite numbers"),
    "old opset": (opset(3), "opset 3; 7 to"),
    "new opset": (opset(999), "opset 999; 7 to"),
    "batch": (sized(4, 3, 12, 10), "batch of 4; export with a batch of 1"),
    "open sides": (sized("n", 3, "h", "w"), r"\['n', 3, 'h', 'w'\]; only the batch may vary"),
    "huge input": (sized(1, 3, 1 << 40, 8), "fixed sides below 65536"),
    "rank": (sized(1, 3, 4, 4, 4), "has 5 dimensions"),
    "integers": (integers, "input x is int64; float32"),
    "two outputs": (two_outputs, r"has 2 outputs; choose one with --output: 0 \(v7\), 1"),
    "no output": (no_such_output, "output 'nowhere' does not come from its input"),
    "made twice": (twice, "computes 'v0' again"),
    "stride": (attribute(0, "strides", [0, 1]), "each must be 1 to 255"),
    "negative pads": (attribute(0, "pads", [-1, 0, 0, 0]), "each must be 0 to 255"),
    "groups": (attribute(0, "group", 2), "in 2 groups do not fit 3 input channels"),
    "no groups": (attribute(0, "group", 0), "in 0 groups do not fit"),
    "padding scheme": (attribute(0, "auto_pad", "AROUND"), "padding scheme AROUND"),
    "wrong type": (attribute(0, "group", "two"), "attribute group is of the wrong type"),
    "training": (attribute(1, "training_mode", 1), "is in training mode"),
    "indices": (indices, "outputs indices"),
    "weights at run time": (lambda m: m.graph.node[4].input.__setitem__(1, "v0"), "a constant"),
    "missing input": (lambda m: m.graph.node[4].input.__setitem__(1, ""), "input 1 is missing"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_one_line_says_what_is_wrong(what: str) -> None:
    edit, text = REFUSED[what]
    with pytest.raises(ModelError, match=text) as caught:
        parse_onnx(edited(edit), "net")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("net: ")


def normalised(f: OnnxFile) -> str:
    """By its own mean, as a layer without running statistics."""
    mean = f.node("ReduceMean", f.node("Transpose", "x", perm=[1, 0, 2, 3]), f.integers(1, 2, 3))
    ones = f.constant(np.ones(4))
    return f.node(
        "BatchNormalization", "x", ones, ones, f.node("Reshape", mean, f.integers(4)), ones
    )


def layers() -> dict[str, tuple[bytes, str]]:
    """Models with one node that asks too much."""
    found: dict[str, tuple[bytes, str]] = {}

    def case(what: str, text: str, build: Callable[[OnnxFile], str]) -> None:
        f = OnnxFile((1, 4, 6, 6))
        found[what] = (f.finish(build(f)), text)

    case("three inputs", "supported with two inputs", lambda f: f.node("Min", "x", "x", "x"))
    case("one input", "supported with two inputs", lambda f: f.node("Min", "x"))
    case(
        "shapes",
        r"joins shapes \[1, 4, 6, 6\] and \[1, 3, 1, 1\], which do not broadcast",
        lambda f: f.node("Min", "x", f.conv(f.node("GlobalAveragePool", "x"), 3, 4, 1, 1)),
    )
    case(
        "slopes of another rank",
        r"slopes of 5 dimensions with \[1, 4, 6, 6\]",
        lambda f: f.node("PRelu", "x", f.constant(np.full((1, 1, 1, 1, 1), 0.5))),
    )
    case("no input", "has 0 inputs, fewer than", lambda f: f.node("Concat", axis=1))
    case("attention", "must be a constant", lambda f: f.node("MatMul", "x", "x"))
    case(
        "reflection",
        "pads with mode 'reflect'",
        lambda f: f.node("Pad", "x", f.integers(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    )
    case(
        "cropping",
        r"pads \[0, 0, -1, .*; to crop, slice instead",
        lambda f: f.node("Pad", "x", f.integers(0, 0, -1, 0, 0, 0, 0, 0)),
    )
    case(
        "padding of a batch",
        r"pads \[1, 0, .* of shape \[1, 4, 6, 6\]; maps .* except along the batch",
        lambda f: f.node("Pad", "x", f.integers(1, 0, 0, 0, 0, 0, 0, 0)),
    )
    case("statistics", "normalises by the statistics of its input", normalised)
    case(
        "dropout",
        "functional.dropout takes training=self.training",
        lambda f: f.node("Dropout", "x", f.constant(0.5), f.constant(True, bool)),
    )
    case(
        "reshape",
        r"makes shape \[5, 7\] of 144",
        lambda f: f.node("Reshape", "x", f.integers(5, 7)),
    )
    case(
        "overflow",
        "which is too large",
        lambda f: f.node("Reshape", "x", f.integers(1 << 62, 4, 1, 1)),
    )
    case(
        "groups",
        "is in groups",
        lambda f: f.node("ConvTranspose", "x", f.normal(4, 1, 2, 2), group=2),
    )
    case(
        "dilated back",
        r"dilations \(2, 2\)",
        lambda f: f.node("ConvTranspose", "x", f.normal(4, 1, 2, 2), dilations=[2, 2]),
    )
    case(
        "shape told",
        "auto_pad or an output_shape",
        lambda f: f.node("ConvTranspose", "x", f.normal(4, 1, 2, 2), output_shape=[9, 9]),
    )
    case(
        "padded twice",
        r"auto_pad VALID and pads \[1, 0, 1, 0\], of which ONNX allows one",
        lambda f: f.node(
            "ConvTranspose", "x", f.normal(4, 1, 2, 2), auto_pad="VALID", pads=[1, 0, 1, 0]
        ),
    )
    case(
        "pool padded twice",
        r"auto_pad SAME_UPPER and pads \[1, 0, 1, 0\], of which ONNX allows one",
        lambda f: f.node(
            "MaxPool", "x", kernel_shape=[3, 3], auto_pad="SAME_UPPER", pads=[1, 0, 1, 0]
        ),
    )
    case(
        "backwards",
        "steps backwards",
        lambda f: f.node("Slice", "x", *(f.integers(v) for v in (-1, -99, 2, -1))),
    )
    case(
        "nothing left",
        "leaves nothing",
        lambda f: f.node("Slice", "x", *(f.integers(v) for v in (3, 3, 2))),
    )
    case(
        "linear",
        "only 'nearest' is supported",
        lambda f: f.node("Resize", "x", "", f.constant([1.0, 1, 2, 2]), mode="linear"),
    )
    case(
        "other pixels",
        "half_pixel and ceil takes other pixels .* ways$",
        lambda f: f.node("Resize", "x", "", f.constant([1.0, 1, 2, 2]), nearest_mode="ceil"),
    )
    case(
        "by a scale",
        "asymmetric and floor takes other pixels .*; resize to a size instead of by a scale",
        lambda f: f.node(
            "Resize",
            "x",
            "",
            f.constant([1.0, 1, 1.6, 1.6]),
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    )
    case(
        "crop",
        "has coordinate_transformation_mode 'tf_crop_and_resize'",
        lambda f: f.node(
            "Resize",
            "x",
            f.constant([0.0] * 8),
            f.constant([1.0, 1, 2, 2]),
            coordinate_transformation_mode="tf_crop_and_resize",
        ),
    )
    case(
        "channels",
        "height and width change",
        lambda f: f.node("Resize", "x", "", f.constant([1.0, 2, 1, 1])),
    )
    case(
        "aspect",
        "keep_aspect_ratio_policy of not_larger",
        lambda f: f.node(
            "Resize", "x", "", "", f.integers(1, 4, 12, 9), keep_aspect_ratio_policy="not_larger"
        ),
    )
    case("division", "divides by zero", lambda f: f.node("Div", "x", f.constant(0.0)))
    case(
        "many constants",
        "only one number, or one per channel",
        lambda f: f.node("Add", "x", f.normal(1, 4, 6, 6)),
    )
    case(
        "clip",
        "a range with 0 in it",
        lambda f: f.node("Clip", "x", f.constant(1.0), f.constant(2.0)),
    )
    case(
        "growth",
        "makes shape",
        lambda f: f.node("Add", "x", f.node("ConstantOfShape", f.integers(1 << 40, 1 << 40))),
    )
    case(
        "broadcast",
        "computes a constant that is too large",
        lambda f: f.node(
            "Add",
            "x",
            f.node("Add", f.constant(np.ones((1 << 13, 1))), f.constant(np.ones((1, 1 << 13)))),
        ),
    )
    case("axis", "axis 9 of a value of 4", lambda f: f.node("Softmax", "x", axis=9))
    case(
        "slopes",
        "only one number, or one per channel",
        lambda f: f.node("PRelu", "x", f.normal(4, 6, 6)),
    )
    case(
        "int16",
        "quantizes to int16",
        lambda f: f.node("QuantizeLinear", "x", f.constant(0.1), f.constant(0, np.int16)),
    )
    return found  # fmt: skip


LAYERS = layers()


@pytest.mark.parametrize("what", LAYERS)
def test_a_node_that_asks_too_much(what: str) -> None:
    content, text = LAYERS[what]
    with pytest.raises(ModelError, match=text) as caught:
        parse_onnx(content, "net")
    assert "\n" not in str(caught.value)


def test_no_onnx_file_at_all(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(ModelError, match=r"net.onnx: cannot be read"):
        read(path)
    for content in (b"", b"\xff" * 100, NETWORKS["plain"]()[:-1000]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"net\.onnx: "):
            read(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        read(path)


def test_names_that_are_no_text_end_in_a_line() -> None:
    """protobuf hands them out as bytes."""
    content = NETWORKS["plain"]()
    for name in (b"Conv", b"Relu", b"strides"):
        damaged = content.replace(name, b"\xff" * len(name))
        assert damaged != content
        with pytest.raises(ModelError) as caught:
            parse_onnx(damaged, "net")
        assert "\n" not in str(caught.value)


def test_a_float_model_needs_samples(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(NETWORKS["plain"]())
    with pytest.raises(ModelError, match="a float model; give samples to calibrate with"):
        read(path)


def beside(folder: Path, location: str, size: int | None = None) -> Path:
    """A model whose weights are in another file."""
    model = onnx.load_from_string(NETWORKS["plain"]())
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    onnx.external_data_helper.set_external_data(tensor, location, 0, size or len(data))
    tensor.ClearField("raw_data")
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(data)
    return path


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    (again,) = [n for n in read_onnx(beside(tmp_path, "weights.bin")).nodes if n.name == "conv2d_0"]
    (wanted,) = [n for n in parse_onnx(NETWORKS["plain"](), "x").nodes if n.name == "conv2d_0"]
    np.testing.assert_array_equal(again.learned.w, wanted.learned.w)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "link"])
def test_weights_outside_of_the_folder_are_not(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"0" * 10000)
    (folder / "link").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match="outside of the model's folder"):
        read_onnx(beside(folder, location))


def test_weights_beyond_the_file_are_not(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="beyond the end"):
        read_onnx(beside(tmp_path, "weights.bin", 1 << 50))
    with pytest.raises(ModelError, match="cannot be read"):
        read_onnx(beside(tmp_path, "gone.bin"))
