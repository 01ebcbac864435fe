"""Learned networks written to .tflite files: TFLM computes what our sessions do, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.graphs import same_graph
from tests.support.random_files import random_file
from tests.support.tflm import oracle, pictures, random_samples

from tinyflash.compiler import Compiled, compile_model, prepare
from tinyflash.compiler.passes.unit import with_file_unit
from tinyflash.graph import Graph, LookupAttrs, Tensor
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme import parse_scheme
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.sources import MLPERF_TINY, OTHER_NETWORKS, mlperf_tiny, other_network

SCHEMES = {
    "all": "[[update]]\nweights = 1.0\nbias = true",
    "third of each layer": "[[update]]\nweights = 0.34\nbias = true",
    "16-bit weights": "[optimizer]\nmaster = true\nmomentum = 0.9\n[[update]]\nweights = 0.5",
    "new head": "head = 3\n[[update]]\nlast = 1\nbias = true\nweights = 0.5",
    "new head alone": "head = 7",
    "towards targets": "loss = 'mean_squared_error'\n[[update]]\nweights = 0.5\nbias = true",
}


def learned(compiled: Compiled, steps: int, seed: int) -> HostSession:
    """A session that learned from noise, at rates at which every trained byte moves."""
    session, random = (
        HostSession(
            compiled.program,
        ),
        np.random.default_rng(seed),
    )
    for _ in range(steps):
        x = random.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        rate = float(10.0 ** random.uniform(-2, 0))
        if compiled.program.target_bytes:
            target = random.integers(-128, 128, compiled.program.target_bytes, dtype=np.int8)
            session.train_on_target(x, target, rate)
        else:
            session.train_step(x, int(random.integers(compiled.program.classes)), rate)
    return session


def export(compiled: Compiled, weights: bytes, folder: Path) -> Path:
    """The file; read again and reduced it is the same network, written again the same bytes."""
    graph = compiled.learned(weights)
    path = folder / f"{graph.name}.exported.tflite"
    path.write_bytes(write_tflite(graph))
    again = read(path)
    same_graph(_whole(with_file_unit(graph)), prepare(again).whole)
    twice = folder / "twice.tflite"
    twice.write_bytes(write_tflite(again))
    same_graph(again, read(twice))
    return path


def _whole(graph: Graph) -> Graph:
    """Trained and frozen parts of weights joined, as a file has them; tables of padding apart."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if "w" in node.inputs:
            parts = [tensors[node.inputs[r]] for r in ("w", "w_frozen") if r in node.inputs]
            whole = _joined(parts, depthwise=node.op == "depthwise")
            tensors[whole.name] = whole
            roles = {r: t for r, t in node.inputs.items() if r not in ("w", "w_frozen", "b")}
            bias = {"b": node.inputs["b"]} if "b" in node.inputs else {}
            node = replace(node, inputs={**roles, "w_frozen": whole.name, **bias})
        if hasattr(node.attrs, "kept"):
            node = replace(node, attrs=replace(node.attrs, kept=0))
        nodes.append(node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _joined(parts: list[Tensor], depthwise: bool) -> Tensor:
    assert all(part.data is not None and part.quant is not None for part in parts)
    data = np.concatenate([part.data for part in parts], axis=-1)
    quant = parts[0].quant
    if depthwise and (len(quant.scale) > 1 or parts[-1].quant != quant):
        quant = replace(quant, scale=tuple(s for part in parts for s in part.quant.scale))
    return replace(parts[0], data=data, shape=data.shape, quant=quant)


def agree(compiled: Compiled, session: HostSession, path: Path, samples: np.ndarray) -> None:
    """Same outputs in the port's own type, from the exported file in TFLM and from the session."""
    port, stored = compiled.graph.output, encode(compiled.graph.input, samples)
    for x, expected in zip(stored, oracle(path, samples), strict=True):
        y = decode(port, session.infer(x))
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y, expected.ravel())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MLPERF_TINY)
def test_mlperf_tiny(name: str, scheme: str, tmp_path: Path) -> None:
    compiled = compile_model(read(mlperf_tiny(name)), parse_scheme(SCHEMES[scheme]), seed=3)
    session = learned(compiled, 2, seed=3)
    assert session.weights != compiled.program.weights
    path = export(compiled, session.weights, tmp_path)
    agree(compiled, session, path, random_samples(compiled.graph.input, 4, seed=4))


@pytest.mark.parametrize("name", OTHER_NETWORKS)
def test_networks_of_other_makers(name: str, tmp_path: Path) -> None:
    compiled = compile_model(read(other_network(name)), parse_scheme(SCHEMES["all"]), seed=3)
    session = learned(compiled, 2, seed=3)
    path = export(compiled, session.weights, tmp_path)
    agree(compiled, session, path, random_samples(compiled.graph.input, 2, seed=4))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(random_file(seed))
    graph = read(tmp_path / "net.tflite")
    scheme = list(SCHEMES.values())[seed % len(SCHEMES)]
    grouped = any(getattr(n.attrs, "groups", 1) > 1 for n in graph.nodes)
    steep = any(isinstance(n.attrs, LookupAttrs) and abs(n.attrs.alpha) >= 2 for n in graph.nodes)
    if grouped or steep:  # layers that train all or nothing, or that no gradient passes
        scheme = SCHEMES["new head alone"]
    compiled = compile_model(graph, parse_scheme(scheme), seed=seed)
    session = learned(compiled, 5, seed)
    path = export(compiled, session.weights, tmp_path)
    agree(compiled, session, path, random_samples(compiled.graph.input, 20, seed))


def test_faces_on_real_pictures(tmp_path: Path) -> None:
    """The network of the demo, whose input of 0..255 has another unit while it learns."""
    scheme = "head = 2\n[[update]]\nlast = 6\nbias = true\nweights = 0.25"
    compiled = compile_model(read(mlperf_tiny("visual_wake_words")), parse_scheme(scheme), seed=1)
    samples = pictures(96)
    session = HostSession(compiled.program)
    for label, x in enumerate(encode(compiled.graph.input, samples)):
        session.train_step(x, label // 10, 0.03)
    path = export(compiled, session.weights, tmp_path)
    agree(compiled, session, path, samples)
