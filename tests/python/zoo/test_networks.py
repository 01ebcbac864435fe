"""The published networks: as large as they should be, sound, and alive in every layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.costs import layer_costs, totals
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.verify import verify
from tinyflash.errors import DataError
from tinyflash.graph import Graph
from tinyflash.reference.run import Machine
from tinyflash.runtime.host import HostSession
from tinyflash.zoo.published import NETWORKS, convolutions, schemes
from tinyflash.zoo.reference import SIDE, reference_network

# Multiply-adds of convolutions and classifier. (MCUNet's published 22.49 million count one for each
# element of its sums, too: 34,304.)
MACS = {"mbv2-w0.35": 16_648_032, "mcunet-5fps": 22_455_104, "proxyless-w0.3": 18_620_864}
# Bytes of weights and biases that the published schemes train, the classifier included.
TRAINABLE = {
    "mbv2-w0.35": [36_082, 54_984, 73_752, 92_712, 102_952],
    "mcunet-5fps": [32_104, 50_088, 73_288, 97_416, 120_008],
    "proxyless-w0.3": [35_688, 53_512, 78_952, 94_984, 109_992],
}


@pytest.fixture(scope="module", params=NETWORKS)
def graph(request: pytest.FixtureRequest) -> Graph:
    return reference_network(request.param)


def test_it_is_sound_and_as_large_as_published(graph: Graph) -> None:
    verify(graph)
    assert totals(layer_costs(graph))["macs"] == MACS[graph.name]
    assert graph.input.shape == (1, SIDE, SIDE, 3)
    assert graph.output.shape == (1, 10)


def test_schemes_train_as_many_bytes_as_published(graph: Graph) -> None:
    found = []
    for scheme in schemes(graph.name).values():
        whole = replace(scheme, dead_channels="keep")
        tensors = training_graph(prepare(graph, whole)).tensors.values()
        found.append(sum(t.nbytes for t in tensors if t.kind == "trainable"))
    assert found == TRAINABLE[graph.name]


@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_every_layer_is_alive(graph: Graph, kind: str) -> None:
    """Few outputs stand at a bound, whatever the picture."""
    random = np.random.default_rng(3)
    size = SIDE if kind == "noise" else 4
    tile = np.ones((SIDE // size, SIDE // size, 1), np.int64)
    machine = Machine(graph)
    machine.infer(np.kron(random.integers(-100, 101, (size, size, 3)), tile))
    for node in graph.nodes:
        y = machine.values[node.outputs["y"]]
        assert np.mean((y == -128) | (y == 127)) < 0.4, node.name
        assert y.std() > 3, node.name


def test_training_moves_the_weights(graph: Graph) -> None:
    scheme = schemes(graph.name)["49kb"]
    compiled = compile_model(graph, scheme)
    session = HostSession(compiled.program)
    before = np.frombuffer(session.weights, np.int8)
    random = np.random.default_rng(1)
    for label in range(3):
        x = random.integers(-128, 128, compiled.program.input_bytes).astype(np.int8)
        session.train_step(x, label, 0.05)
    assert np.mean(np.frombuffer(session.weights, np.int8) != before) > 0.5


def test_the_seed_decides_and_nothing_else() -> None:
    name = NETWORKS[0]
    first, again, other = (reference_network(name, seed) for seed in (0, 0, 1))
    content = [
        [(t.quant, t.data.tobytes()) for t in g.constants() if t.data is not None]
        for g in (first, again, other)
    ]
    assert content[0] == content[1]
    assert all(a != b for a, b in zip(content[0][::2], content[2][::2], strict=True))


def test_dead_channels_are_as_many_as_published(graph: Graph) -> None:
    for row in convolutions(graph.name):
        w = graph.tensors[f"{row.layer}.w"]
        assert w.quant is not None
        assert w.quant.scale.count(row.smallest_scale) == max(1, row.dead)
        assert max(w.quant.scale) <= row.largest_scale


def test_unknown_names() -> None:
    with pytest.raises(DataError, match=r"no reference network 'x'; there are mbv2-w0\.35, "):
        reference_network("x")
    with pytest.raises(DataError, match="no reference network"):
        schemes("x")
