"""A graph written to a .tflite file: read again it is the same, and TFLM computes the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.floats import float_network, float_samples
from tests.support.graphs import same_graph
from tests.support.networks import NETWORKS
from tests.support.onnxfile import OnnxFile
from tests.support.tflm import check, oracle, random_samples

from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.pipeline import training_graph
from tinyflash.errors import ModelError
from tinyflash.graph import Clip, ClipAttrs, DenseAttrs, Graph, WindowAttrs
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme import parse_scheme
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.sources import MLPERF_TINY, OTHER_NETWORKS, mlperf_tiny, other_network

OWN = ("activity", "digits")


def source(name: str, folder: Path) -> Path:
    if name in MLPERF_TINY:
        return mlperf_tiny(name)
    if name in OTHER_NETWORKS:
        return other_network(name)
    path = folder / "source.tflite"
    path.write_bytes(NETWORKS[name]())
    return path


def written(graph: Graph, folder: Path) -> Path:
    path = folder / f"{graph.name}.tflite"
    path.write_bytes(write_tflite(graph))
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_small_networks(name: str, tmp_path: Path) -> None:
    path = source(name, tmp_path)
    graph = read(path)
    again = written(replace(graph, name="again"), tmp_path)
    same_graph(graph, read(again))
    samples = random_samples(graph.input, 5, seed=len(name))
    for x, y in zip(oracle(path, samples), oracle(again, samples), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", [*MLPERF_TINY, *OTHER_NETWORKS])
def test_released_networks(name: str, tmp_path: Path) -> None:
    graph = read(source(name, tmp_path))
    again = written(graph, tmp_path)
    same_graph(graph, read(again))
    check(again, random_samples(graph.input, 2, seed=1), "host")


def repadded(graph: Graph, op: str, padding: tuple[int, int, int, int]) -> Graph:
    """The graph with other padding of the first layer of a kind, of the same sum."""
    node = next(n for n in graph.nodes if n.op == op)
    assert isinstance(node.attrs, WindowAttrs)
    window = replace(node.attrs.window, padding=padding)
    other = replace(node, attrs=replace(node.attrs, window=window))
    return replace(graph, nodes=tuple(other if n is node else n for n in graph.nodes))


@pytest.mark.parametrize(
    ("op", "padding"),
    [("conv2d", (2, 1, 0, 0)), ("depthwise", (0, 2, 2, 0)), ("max_pool", (1, 0, 0, 1))],
)
def test_padding_that_is_neither_same_nor_valid_is_an_operator(
    op: str, padding: tuple[int, int, int, int], tmp_path: Path
) -> None:
    """Of convolutions with zeros, of pools with what is never the largest."""
    if op == "max_pool":
        graph = read(source("pools", tmp_path))
    else:
        graph = quantize(float_network(0), float_samples(0, 9))
    graph = repadded(graph, op, padding)
    path = written(graph, tmp_path)
    assert "pad" in [n.op for n in read(path).nodes]
    samples = random_samples(graph.input, 50, seed=2)
    infer = HostSession(compile_model(graph).program).infer
    for x, y in zip(encode(graph.input, samples), oracle(path, samples), strict=True):
        np.testing.assert_array_equal(decode(graph.output, infer(x)), y.ravel())


def test_averages_of_odd_padding_are_refused(tmp_path: Path) -> None:
    pools = repadded(read(source("pools", tmp_path)), "average_pool", (2, 1, 0, 1))
    with pytest.raises(ModelError, match=r"padding \(2, 1, 0, 1\) is neither SAME nor VALID"):
        write_tflite(pools)


@pytest.mark.parametrize("clip", [Clip(-7, 9), Clip(-128, 9), Clip(-7, 127)], ids=str)
@pytest.mark.parametrize("op", ["add", "conv2d", "depthwise", "fully_connected", "average_pool"])
def test_bounds_that_no_activation_has_follow_their_operator(
    op: str, clip: Clip, tmp_path: Path
) -> None:
    if op == "average_pool":
        graph = read(source("pools", tmp_path))
    else:
        graph = quantize(float_network(0), float_samples(0, 9))
    found = next(n for n in graph.nodes if n.op == op)
    assert isinstance(found.attrs, ClipAttrs | DenseAttrs | WindowAttrs)
    narrow = replace(found, attrs=replace(found.attrs, clip=clip))
    graph = replace(graph, nodes=tuple(narrow if n is found else n for n in graph.nodes))
    path = written(graph, tmp_path)
    samples = random_samples(graph.input, 20, seed=3)
    check(path, samples, "host")
    infer = HostSession(compile_model(graph).program).infer
    for x, y in zip(encode(graph.input, samples), oracle(path, samples), strict=True):
        np.testing.assert_array_equal(decode(graph.output, infer(x)), y.ravel())


def samples_of(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


def test_a_network_of_any_bounds_becomes_a_file(tmp_path: Path) -> None:
    """Of layers, and of the network's input."""
    file = OnnxFile((1, 3, 8, 8))
    least, most = file.constant(-0.3), file.constant(0.7)
    y = file.node("Clip", file.conv("x", 4, 3, 3, 3), least, most)
    y = file.node("Clip", file.node("Transpose", y, perm=[0, 2, 3, 1]), least, file.constant(0.31))
    (tmp_path / "net.onnx").write_bytes(file.finish(y))
    graph = read(tmp_path / "net.onnx", calibration=samples_of((9, 3, 8, 8)))
    path = written(graph, tmp_path)
    check(path, random_samples(graph.input, 20, seed=3), "host")


def test_a_training_graph_is_written_whole(tmp_path: Path) -> None:
    """Its trained and frozen parts of weights joined again."""
    graph = read(mlperf_tiny("keyword_spotting"))
    scheme = parse_scheme("[[update]]\nweights = 0.3\nbias = true")
    again = written(training_graph(prepare(graph, scheme)), tmp_path)
    same_graph(
        read(written(replace(graph, name="plain"), tmp_path)), replace(read(again), name="plain")
    )


@pytest.mark.parametrize("seed", range(5))
def test_quantized_networks(seed: int, tmp_path: Path) -> None:
    graph = quantize(float_network(seed), float_samples(seed, 50))
    path = written(graph, tmp_path)
    again = read(path)
    same_graph(graph, again)
    assert [t.source_id for t in again.tensors.values()] != []
    ids = {
        n.inputs["w_frozen"]: graph.tensors[n.inputs["w_frozen"]].source_id
        for n in graph.nodes
        if "w_frozen" in n.inputs
    }
    found = [
        again.tensors[n.inputs["w_frozen"]].source_id for n in again.nodes if "w_frozen" in n.inputs
    ]
    assert found == list(ids.values()), "training draws other random bits"
    check(path, random_samples(graph.input, 100, seed), "host")


@pytest.mark.parametrize("name", OWN)
def test_networks_of_our_own(name: str) -> None:
    path = path_of(name)
    assert path.stat().st_size < 60_000
    check(path, random_samples(read(path).input, 100, seed=5), "host")
    check(path, random_samples(read(path).input, 3, seed=6), "reference")
