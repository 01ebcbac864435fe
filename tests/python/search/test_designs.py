"""Families of networks: what is planned is what is trained; every drawn network is valid."""

from __future__ import annotations

import json
from math import prod

import numpy as np
import pytest

from tinyflash.boards import load_board
from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.costs import layer_costs
from tinyflash.errors import ModelError
from tinyflash.graph import Graph
from tinyflash.layers import last_layer
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.search.designs import cost
from tinyflash.search.designs.cost import NAME, Cost, Limits, cost_of, scheme_for, untrained
from tinyflash.search.designs.design import (
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    KINDS,
    Design,
    Kind,
    Space,
    draw,
    mutated,
    spaces,
    strides,
)
from tinyflash.search.designs.layers import Family, Map, float_graph, random_weights, shapes

INPUTS: tuple[tuple[Family, Map], ...] = (
    ("picture", (8, 8, 1)),
    ("picture", (49, 10, 1)),
    ("picture", (96, 96, 3)),
    ("signal", (1, 50, 3)),
    ("signal", (1, 128, 6)),
)


# The layers with a block's kernel: how their names end, and what they are.
WITH_KERNEL = {
    "separable": ("_dw", "depthwise"),
    "bottleneck": ("_dw", "depthwise"),
    "fused": ("_expand", "conv2d"),
    "plain": ("", "conv2d"),
}


def drawn(family: Family, shape: Map, seed: int) -> Design:
    random = np.random.default_rng(seed)
    every = spaces(family, shape)
    return draw(family, shape, 7, every[int(random.integers(len(every)))], random)


@pytest.mark.parametrize("family, shape", INPUTS)
def test_a_drawn_network_is_of_its_family(family: Family, shape: Map) -> None:
    kinds, counts = set(), set()
    most = len(strides(family, shape, 1)) - 1
    for seed in range(30):
        design = drawn(family, shape, seed)
        kinds.add(design.space.kind)
        counts.add(len(design.stages))
        assert all(len(stage) in DEPTHS for stage in design.stages)
        blocks = [block for stage in design.stages for block in stage]
        kind = design.space.kind
        assert all(b.kernel in KERNELS[kind] for b in blocks)
        assert all(b.expansion in EXPANSIONS[kind] for b in blocks)
        ending, operator = WITH_KERNEL[kind]
        inner = [layer for layer in design.layers if layer.name.startswith("stage")]
        wide = [layer for layer in inner if layer.name.endswith(ending)]
        assert {layer.operator for layer in wide} == {operator}
        sides = [(1, b.kernel) if family == "signal" else (b.kernel, b.kernel) for b in blocks]
        assert [layer.kernel for layer in wide] == sides
        sizes = shapes(design.shape, design.layers)
        assert all(min(size) > 0 for size in sizes.values())
        assert sizes[design.layers[-1].name] == (7,)
        assert sizes["stem"][0] == 1 or family == "picture"
    assert kinds == set(KINDS)
    assert min(counts) >= 1 and most in counts and len(counts) > 1


def test_the_same_seed_draws_the_same_network_and_json_keeps_it() -> None:
    one, again, other = (drawn("picture", (28, 28, 1), seed) for seed in (4, 4, 5))
    assert one == again and one.key == again.key
    assert one.key != other.key
    read = Design.from_json(json.loads(json.dumps(one.to_json())))
    assert read == one and read.layers == one.layers


def test_a_neighbour_is_another_network_of_the_same_space() -> None:
    random, parent = np.random.default_rng(1), drawn("signal", (1, 128, 6), 3)
    for _ in range(20):
        child = mutated(parent, random)
        assert child != parent
        assert (child.space, child.shape, child.family) == (
            parent.space,
            parent.shape,
            parent.family,
        )


def test_wider_spaces_and_finer_ones_have_more_to_compute() -> None:
    def mean(space: Space) -> float:
        random = np.random.default_rng(0)
        return float(
            np.mean([draw("picture", (28, 28, 1), 10, space, random).macs for _ in range(15)])
        )

    assert mean(Space(1.0, 1)) > mean(Space(0.5, 1)) > mean(Space(0.5, 3))


@pytest.mark.parametrize("family, shape", INPUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_planner_sees_the_network_that_torch_trains(
    family: Family, shape: Map, kind: Kind
) -> None:
    torch = pytest.importorskip("torch")
    from tinyflash.search.designs.torchnet import TorchNetwork, channels_first

    design = draw(family, shape, 7, Space(0.3, 1, kind), np.random.default_rng(8))
    torch.manual_seed(0)
    network = TorchNetwork(shape, design.layers, normalise=True)
    for norm in network.norm.values():  # not the identity of a new one
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.5, 2)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    network.eval()
    with torch.no_grad():
        wanted = network(torch.from_numpy(channels_first(x))).numpy()
    graph = float_graph(NAME, shape, design.layers, network.folded())
    assert np.allclose(outputs(graph, x).reshape(3, -1), wanted, atol=1e-4)


@pytest.mark.parametrize("family, shape", INPUTS)
def test_the_untrained_network_has_the_operations_of_the_calibrated_one(
    family: Family, shape: Map
) -> None:
    design = drawn(family, shape, 2)
    weights = random_weights(shape, design.layers, 1)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    calibrated = quantize(float_graph(NAME, shape, design.layers, weights), x)

    def operations(graph: Graph) -> list[object]:
        return [
            (node.op, node.name, [graph.tensors[t].shape for t in node.inputs.values()])
            for node in graph.nodes
        ]

    assert operations(untrained(design)) == operations(calibrated)


def test_the_cost_is_that_of_a_whole_compilation() -> None:
    design, board = drawn("signal", (1, 128, 6), 6), load_board("stm32f746_discovery")
    graph, found = untrained(design), cost_of(design, board)
    program = compile_model(prepare(graph, scheme_for(design)), kernels=("dsp", "ref")).program
    ram = program.arena_bytes + len(program.weights) + len(program.state)
    assert ram < found.sram < ram + 20_000  # firmware and stack
    assert found.rom == len(program.flash) + len(program.weights) + len(program.state)
    assert found.macs == sum(layer.macs for layer in layer_costs(graph))
    assert found.step is not None and found.instructions is not None
    assert found.step > found.instructions > 0
    assert program.weights  # it trains more than nothing
    head = last_layer(graph)
    assert head is not None
    sizes = [graph.tensors[head.inputs[role]].nbytes for role in ("w_frozen", "b")]
    assert len(program.weights) > sum(sizes)


def test_limits_hold_what_is_known() -> None:
    fits = Cost(10, sram=100, rom=50, rows=4, instructions=5, step=20)
    assert Limits(100, 50).allow(fits)
    assert not Limits(99, 50).allow(fits)
    assert not Limits(100, 49).allow(fits)
    assert Limits(100, 62, code=4, row=2).allow(fits)
    assert not Limits(100, 61, code=4, row=2).allow(fits)
    assert Limits(100, 50, step=20).allow(fits) and not Limits(100, 50, step=19).allow(fits)
    assert not Limits(100, 50, step=20).allow(Cost(10, 100, 50, 4))  # not counted
    assert not Limits(100, 50).allow(Cost(10, problem="too deep"))


def test_a_network_that_cannot_be_compiled_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ModelError("it is too deep")

    monkeypatch.setattr(cost, "compiled", refuse)
    design = drawn("picture", (8, 8, 1), 0)
    assert cost_of(design, load_board("qemu_stm32f405")) == Cost(
        design.macs, problem="it is too deep"
    )


def test_random_weights_are_those_of_the_layers() -> None:
    design = drawn("picture", (49, 10, 1), 1)
    weights = random_weights(design.shape, design.layers, 0)
    sizes = shapes(design.shape, design.layers)
    total = sum(prod(sizes[name][:-1]) * w.w.size for name, w in weights.items())
    assert total == design.macs
