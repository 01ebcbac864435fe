"""Layers that follow each other row by row through rings give the bytes of layers one by one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.support.random_graphs import NEWER
from tests.support.row_graphs import row_graph
from tests.support.streams import layer_by_layer, random_plan, streamed

from tinyflash.compiler import Compiled, compile_model
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession

NETWORKS = 72
GROUPS = 12  # of networks; a test of pytest for each
STEPS = 3


@cache
def compiled_network(seed: int) -> Compiled:
    """A random network of rows, which several tests look at."""
    graph, scheme = row_graph(seed)
    return compile_model(graph, scheme, seed=seed, row_source=seed % 3 == 0)


def check_alike(program: Program, plain_program: Program, seed: int) -> None:
    """Training steps and inferences of both end in the same bytes."""
    plain, rows = HostSession(plain_program), HostSession(program)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        x = rng.integers(-128, 128, program.input_bytes, dtype=np.int8)
        label, rate = int(rng.integers(program.classes)), float(10.0 ** rng.uniform(-3, 0))
        assert rows.train_step(x, label, rate) == plain.train_step(x, label, rate)
        assert rows.weights == plain.weights
        assert rows.state == plain.state
        assert np.array_equal(rows.infer(x), plain.infer(x))


@pytest.mark.parametrize("group", range(GROUPS))
def test_any_order_of_rows_gives_the_same_bytes(group: int) -> None:
    for seed in (*range(group, NETWORKS, GROUPS), NEWER + group):
        compiled = compiled_network(seed)
        plain = layer_by_layer(compiled, seed)
        assert not any(call.first for call in plain.train_calls)
        for program in (streamed(compiled, seed), compiled.program):
            check_alike(program, plain, seed)


def test_random_schedules_have_what_they_should() -> None:
    """Rings of every operator, short ones, and calls of several rows."""
    ringed: set[str] = set()
    shortest = 65535
    most = 0
    for seed in (*range(30), NEWER + 17, NEWER + 23):
        compiled = compiled_network(seed)
        for planned in (compiled.infer, compiled.train):
            assert planned is not None
            plan = random_plan(planned.graph, np.random.default_rng(seed))
            for node in planned.graph.nodes:
                if plan.rings.keys() & {*node.inputs.values(), *node.outputs.values()}:
                    ringed.add(node.op)
            shortest = min(shortest, *plan.rings.values(), 65535)
            most = max(most, len(plan.calls) - len(planned.graph.nodes))
    assert ringed >= {
        *(
            "conv2d",
            "depthwise",
            "average_pool",
            "max_pool",
            "pad",
            "take",
            "add",
            "sub",
            "mul",
            "prelu",
            "lookup",
        ),
        *("maximum", "minimum", "softmax", "keep", "mask", "concatenate", "source"),
    }
    assert shortest == 1
    assert most > 100
