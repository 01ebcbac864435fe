"""What the reader makes of sound files: names, shapes, padding, bounds, constants, ports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.models import RELU, RELU6, SAME, VALID, File
from tests.support.networks import NETWORKS

from tinyflash.compiler import compile_model
from tinyflash.compiler.verify import verify
from tinyflash.errors import ModelError
from tinyflash.graph import (
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    MeanAttrs,
    Node,
    PadAttrs,
    Port,
    Quant,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.read import read


@pytest.fixture
def load(tmp_path: Path):
    def loader(content: bytes) -> Graph:
        path = tmp_path / "net.tflite"
        path.write_bytes(content)
        graph = read(path)
        verify(graph)
        return graph

    return loader


def named(graph: Graph, name: str) -> Node:
    return next(n for n in graph.nodes if n.name == name)


def window_attrs(graph: Graph, name: str) -> WindowAttrs:
    attrs = named(graph, name).attrs
    assert isinstance(attrs, WindowAttrs)
    return attrs


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_sound(name: str, load) -> None:
    assert load(NETWORKS[name]()).name == "net"


def test_names_count_operators_of_the_file(load) -> None:
    graph = load(NETWORKS["float_ends"]())
    assert [n.name for n in graph.nodes] == ["conv2d_1", "fully_connected_2"]
    graph = load(NETWORKS["computed_shape"]())
    assert [n.name for n in graph.nodes] == ["conv2d_0", "reshape_4", "fully_connected_5"]


def test_weights_keep_layout_scales_and_source(load) -> None:
    file = File(1)
    x = file.input((1, 6, 5, 2))
    file.finish(file.depthwise(file.conv(x, (3, 2), out=4), (2, 3)))
    graph = load(file.finish())
    conv, depthwise = (graph.tensors[n.inputs["w_frozen"]] for n in graph.nodes)
    w, d = (file.operators[i].inputs[1] for i in (0, 1))
    assert conv.shape == (4, 3, 2, 2)
    assert depthwise.shape == (2, 3, 4)
    assert np.array_equal(conv.data, file.tensors[w].data)
    assert np.array_equal(depthwise.data, file.tensors[d].data[0])
    assert conv.quant == Quant(tuple(file.tensors[w].scale), 0, 0)
    assert depthwise.quant == Quant(tuple(file.tensors[d].scale), 0, 2)
    assert (conv.source_id, depthwise.source_id) == (w, d)
    assert conv.kind == "constant"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding", "expected"),
    [
        ((10, 7), (3, 3), (2, 2), (1, 1), SAME, (0, 1, 1, 1)),
        ((10, 7), (3, 3), (2, 2), (1, 1), VALID, (0, 0, 0, 0)),
        ((9, 7), (2, 4), (1, 1), (1, 1), SAME, (0, 1, 1, 2)),
        ((9, 7), (3, 3), (1, 1), (2, 3), SAME, (2, 3, 2, 3)),
        ((9, 7), (1, 1), (3, 2), (1, 1), SAME, (0, 0, 0, 0)),
    ],
)
def test_padding(load, size, kernel, stride, dilation, padding, expected) -> None:
    file = File()
    x = file.input((1, *size, 2))
    y = file.conv(x, kernel, stride=stride, dilation=dilation, padding=padding)
    graph = load(file.finish(y))
    assert window_attrs(graph, "conv2d_0").window == Window(kernel, stride, dilation, expected)


@pytest.mark.parametrize(
    ("activation", "zero", "expected"),
    [(RELU, -5, Clip(-5, 127)), (RELU6, -128, Clip(-128, -8)), (RELU6, 20, Clip(20, 127))],
)
def test_fused_activation(load, activation: int, zero: int, expected: Clip) -> None:
    file = File()
    x = file.input((1, 4, 4, 2))
    y = file.conv(x, (1, 1), activation=activation, zero=zero)
    file.tensors[y].scale = [0.05]
    assert window_attrs(load(file.finish(y)), "conv2d_0").clip == expected


def test_biases_that_overflow_a_sum_are_refused_by_the_compiler(load) -> None:
    file = File()
    x = file.input((1, 5, 5, 2))
    y = file.conv(x, (3, 3))
    file.tensors[file.operators[0].inputs[2]].data = [2**31 - 1, -(2**31), 5, 0]
    graph = load(file.finish(y))
    bias = graph.tensors[graph.nodes[0].inputs["b"]]
    assert bias.data is not None
    assert bias.data.tolist() == [2**31 - 1, -(2**31), 5, 0]
    with pytest.raises(
        ModelError, match=r"a bias and its products sum to 2,147,\d+,\d+, beyond 32 bits"
    ):
        compile_model(graph)


def test_attributes(load) -> None:
    paddings = load(NETWORKS["paddings"]())
    assert named(paddings, "pad_0").attrs == PadAttrs((1, 0, 2), (2, 3, 1), 4)
    assert named(paddings, "pad_1").attrs == PadAttrs((0, 2, 0), (1, 0, 0), -100)
    means = load(NETWORKS["means"]())
    assert named(means, "mean_1").attrs == MeanAttrs((1,))
    assert named(means, "mean_3").attrs == MeanAttrs((1, 2))
    shapes = load(NETWORKS["shapes"]())
    assert named(shapes, "transpose_0").attrs == TransposeAttrs((0, 3, 1, 2))
    joined = load(NETWORKS["joined"]())
    assert named(joined, "concatenate_2").attrs == AxisAttrs(3)
    assert list(named(joined, "concatenate_2").inputs) == ["x0", "x1", "x2"]
    assert named(load(NETWORKS["dense"]()), "fully_connected_0").attrs == DenseAttrs(Clip(-128))


def test_products_have_the_whole_map_first(load) -> None:
    graph = load(NETWORKS["products"]())
    products = [n for n in graph.nodes if n.op == "mul"]
    shapes = [[graph.tensors[n.inputs[role]].shape for role in "ab"] for n in products]
    whole, row = (1, 9, 7, 6), (1, 1, 1, 6)
    assert shapes == [
        [whole, row],
        [whole, row],
        [whole, whole],
        [whole, (1, 1, 7, 6)],
        [whole, (6,)],
    ]
    assert named(graph, "mul_5").attrs == ClipAttrs(Clip(11, 127))


def test_numbers_know_their_slope(load) -> None:
    graph = load(NETWORKS["scalars"]())
    mul = float(np.float32(0.03)) * (90 + 7)
    found = [(n.attrs.function, n.attrs.alpha) for n in graph.nodes]
    assert found == [("mul", mul), ("add", 1.0), ("sub", 1.0), ("sub", -1.0)]
    assert graph.nodes[-1].attrs.clip == Clip(5, 127)


def test_groups_and_beta(load) -> None:
    graph = load(NETWORKS["conv_grouped"]())
    assert [n.attrs.groups for n in graph.nodes] == [2, 6, 3]
    beta = load(NETWORKS["softmax"]()).nodes[0].attrs.beta
    assert beta == float(np.float32(1.3))


def test_sequences_are_maps_of_height_one(load) -> None:
    graph = load(NETWORKS["conv_1d"]())
    assert [n.op for n in graph.nodes[:3]] == ["reshape", "conv2d", "reshape"]
    window = named(graph, "conv2d_1").attrs.window
    assert (window.kernel, window.stride) == ((1, 5), (1, 2))
    assert graph.tensors["conv2d_1.y"].shape == (1, 1, 10, 8)


def test_mean_over_sides_of_one(load) -> None:
    file = File()
    x = file.input((1, 1, 1, 8))
    graph = load(file.finish(file.mean(x, [1, 2], 0.03, 0)))
    assert graph.nodes[0].attrs == MeanAttrs((1,))


def test_transposing_only_ones_is_a_reshape(load) -> None:
    file = File()
    x = file.input((1, 6, 1, 5))
    order = file.constant([0, 2, 1, 3])
    y = file.operator("TRANSPOSE", [x, order], file.like(x, (1, 1, 6, 5)), "TransposeOptions")
    assert load(file.finish(y)).nodes[0].op == "reshape"


def test_unused_layers_are_dropped(load) -> None:
    file = File()
    x = file.input((1, 4, 4, 2))
    used = file.conv(x, (1, 1))
    file.conv(x, (3, 3))
    graph = load(file.finish(used))
    assert [n.name for n in graph.nodes] == ["conv2d_0"]
    assert set(graph.tensors) == {"input", "conv2d_0.w", "conv2d_0.b", "conv2d_0.y"}


def test_ports(load) -> None:
    graph = load(NETWORKS["float_ends"]())
    quant = Quant((float(np.float32(0.037)),), 13)
    assert graph.input == Port("input", "float32", (1, 8, 8, 3), quant)
    assert (graph.output.tensor, graph.output.dtype) == ("fully_connected_2.y", "float32")
    graph = load(NETWORKS["uint8_ends"]())
    assert (graph.input.dtype, graph.output.dtype) == ("uint8", "uint8")
    assert graph.tensors["input"].dtype == "int8"
    graph = load(NETWORKS["conv_same"]())
    assert graph.input == Port(
        "input", "int8", (1, 10, 7, 3), Quant((float(np.float32(0.02)),), -128)
    )


def test_a_vector_without_batch_is_one_sample(load) -> None:
    file = File()
    x = file.input((12,))
    graph = load(file.finish(file.dense(x, 3)))
    assert graph.input.shape == (1, 12)
    assert graph.output.shape == (1, 3)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS["residual"]())
    assert read(path) == read(str(path))
