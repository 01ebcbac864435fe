"""A graph written to a .tflite file: read again it is the same, and TFLM computes the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.agree.test_tflm import check, oracle, random_samples
from tests.python.floats import float_network, float_samples
from tests.python.networks import NETWORKS

from tinyflash.compiler import training_graph
from tinyflash.data import MLPERF_TINY, OTHER_NETWORKS, mlperf_tiny, other_network
from tinyflash.errors import ModelError
from tinyflash.graph import Clip, ClipAttrs, Graph, WindowAttrs
from tinyflash.passes.scheme import parse_scheme
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.networks import path_of

UNSAYABLE = {"scalars": "mul with a constant", "softmax": "a beta other than 1"}
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


def same(a: Graph, b: Graph) -> None:
    """Alike but for names and ids of tensors."""
    assert [(n.op, n.attrs) for n in a.nodes] == [(n.op, n.attrs) for n in b.nodes]
    assert (a.input.dtype, a.input.shape, a.input.quant) == (
        b.input.dtype,
        b.input.shape,
        b.input.quant,
    )
    assert (a.output.dtype, a.output.quant) == (b.output.dtype, b.output.quant)
    for x, y in zip(a.nodes, b.nodes, strict=True):
        assert list(x.inputs) == list(y.inputs)
        tensors = zip(
            [*x.inputs.values(), *x.outputs.values()],
            [*y.inputs.values(), *y.outputs.values()],
            strict=True,
        )
        for s, t in tensors:
            first, second = a.tensors[s], b.tensors[t]
            assert (first.shape, first.dtype) == (second.shape, second.dtype)
            assert first.quant == second.quant
            assert np.array_equal(first.data, second.data)


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {*UNSAYABLE}))
def test_small_networks(name: str, tmp_path: Path) -> None:
    path = source(name, tmp_path)
    graph = read(path)
    again = written(replace(graph, name="again"), tmp_path)
    same(graph, read(again))
    samples = random_samples(graph.input, 5, seed=len(name))
    for x, y in zip(oracle(path, samples), oracle(again, samples), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", [*MLPERF_TINY, *OTHER_NETWORKS])
def test_released_networks(name: str, tmp_path: Path) -> None:
    graph = read(source(name, tmp_path))
    again = written(graph, tmp_path)
    same(graph, read(again))
    check(again, random_samples(graph.input, 2, seed=1), "host")


@pytest.mark.parametrize("name", UNSAYABLE)
def test_what_cannot_be_said_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=UNSAYABLE[name]):
        write_tflite(read(source(name, tmp_path)))


def test_unusual_windows_and_clips_are_refused(tmp_path: Path) -> None:
    graph = quantize(float_network(0), float_samples(0, 9))
    stem, *others = graph.nodes
    assert isinstance(stem.attrs, WindowAttrs)
    window = replace(stem.attrs.window, padding=(1, 1, 1, 0))
    shifted = replace(stem, attrs=replace(stem.attrs, window=window))
    with pytest.raises(ModelError, match=r"stem .*padding \(1, 1, 1, 0\) is neither"):
        write_tflite(replace(graph, nodes=(shifted, *others)))
    narrow = [replace(n, attrs=ClipAttrs(Clip(-7, 9))) if n.op == "add" else n for n in others]
    with pytest.raises(ModelError, match=r"sum .*clips to \[-7, 9\]"):
        write_tflite(replace(graph, nodes=(stem, *narrow)))


def test_a_training_graph_is_written_whole(tmp_path: Path) -> None:
    """Its trained and frozen parts of weights joined again."""
    graph = read(mlperf_tiny("keyword_spotting"))
    scheme = parse_scheme("[[update]]\nweights = 0.3\nbias = true")
    again = written(training_graph(graph, scheme), tmp_path)
    same(read(written(replace(graph, name="plain"), tmp_path)), replace(read(again), name="plain"))


@pytest.mark.parametrize("seed", range(5))
def test_quantised_networks(seed: int, tmp_path: Path) -> None:
    graph = quantize(float_network(seed), float_samples(seed, 50))
    path = written(graph, tmp_path)
    again = read(path)
    same(graph, again)
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
