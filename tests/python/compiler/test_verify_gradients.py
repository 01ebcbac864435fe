"""verify: gradients of operators without weights, and of targets, whole and broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.graphs import Net

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.verify import verify
from tinyflash.errors import InternalError
from tinyflash.graph import (
    Graph,
    NoAttrs,
    PartAttrs,
    Steps,
    TakeAttrs,
    TransposeAttrs,
    Window,
)
from tinyflash.scheme.loss import Loss


@pytest.fixture(scope="module")
def training() -> Graph:
    net = Net(np.random.default_rng(1))
    a = net.conv2d(net.input((5, 4, 2)), 3, Window((1, 1)))
    b = net.pool("max_pool", net.function(a, "relu"), Window((2, 2)))
    c = net.concatenate([b, net.conv2d(a, 2, Window((2, 2)))], 2)
    c = net.take(c, (2, 2, 5), Steps(0, 1, 1), Steps(1, 1, 2), Steps())
    c = net.minimum(c, net.conv2d(c, 5, Window((1, 1))))
    d = net.transpose(net.mul(c, net.mean(c, (0, 1))), (2, 0, 1))
    e = net.softmax(net.depthwise(d, Window((2, 2)), multiplier=2))
    graph = net.graph(net.fully_connected(net.mean(e, (0, 1)), 2))
    return differentiate(graph, loss=Loss("mean_squared_error"))


def found(graph: Graph, op: str, index: int = 0) -> Any:
    return [n for n in graph.nodes if n.op == f"{op}_backward_input"][index]


def test_it_is_sound(training: Graph) -> None:
    verify(training)


def attrs(op: str, changed: Any) -> Callable[[Graph], Graph]:
    def change(graph: Graph) -> Graph:
        node = found(graph, op)
        nodes = (replace(n, attrs=changed) if n is node else n for n in graph.nodes)
        return replace(graph, nodes=tuple(nodes))

    return change


def operand(op: str, role: str, /, **fields: Any) -> Callable[[Graph], Graph]:
    """Gives a node a changed copy of one of its inputs."""

    def change(graph: Graph) -> Graph:
        node = found(graph, op)
        copy = replace(graph.tensors[node.inputs[role]], name="copy", **fields)
        source = graph.producer(node.inputs[role])
        nodes = []
        for n in graph.nodes:
            if n is node:
                n = replace(n, inputs={**n.inputs, role: "copy"})
            nodes.append(n)
            if n is source:
                given = dict.fromkeys(n.outputs, "copy")
                nodes.append(replace(n, name="copy", outputs=given))
        return replace(graph, nodes=tuple(nodes), tensors={**graph.tensors, "copy": copy})

    return change


def target(**fields: Any) -> Callable[[Graph], Graph]:
    """Changes the target tensor."""

    def change(graph: Graph) -> Graph:
        changed = replace(graph.tensors["target"], **fields)
        return replace(graph, tensors={**graph.tensors, "target": changed})

    return change


BROKEN: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "another part": (attrs("concatenate", PartAttrs(1)), "dx's shape"),
    "no such part": (attrs("concatenate", PartAttrs(2)), "no x2"),
    "another order": (attrs("transpose", TransposeAttrs((0, 1, 2))), "y's shape"),
    "takes too many": (attrs("take", TakeAttrs(rows=Steps(5))), "takes place 6 of 4"),
    "takes backwards": (attrs("take", TakeAttrs(rows=Steps(3, -1))), "takes by"),
    "slope type": (operand("lookup", "slope", dtype="int8", data=np.zeros(256, np.int8)), "int8"),
    "slope size": (
        operand("lookup", "slope", shape=(255,), data=np.zeros(255, np.int16)),
        "slope's shape",
    ),
    "lookup's dy": (operand("lookup", "dy", shape=(5, 4, 4)), "shape"),
    "max pool's x": (operand("max_pool", "x", shape=(5, 5, 3)), "shape"),
    "max pool's dy": (operand("max_pool", "dy", shape=(4, 4, 3)), "shape"),
    "softmax's beta": (attrs("softmax", NoAttrs()), "attributes' type"),
    "other operand": (attrs("mul", PartAttrs(1)), "dx's shape"),
    "no such operand": (attrs("mul", PartAttrs(2)), "operand 2 of two"),
    "minimum's y": (operand("minimum", "y", shape=(4, 4, 5)), "the shape of"),
    "minimum of one": (attrs("minimum", PartAttrs(2)), "operand 2 of two"),
    "target's shape": (target(shape=(3,)), "the shape of target"),
    "target's type": (target(dtype="uint8"), "the type of target"),
    "no target": (lambda graph: replace(graph, target="nowhere"), "before it is made|no target"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_wrong(name: str, training: Graph) -> None:
    change, words = BROKEN[name]
    with pytest.raises(InternalError, match=words):
        verify(change(training))
