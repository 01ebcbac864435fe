"""verify: sound graphs pass, at every stage; a graph with any one thing wrong does not."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.graphs import Net
from tests.support.networks import NETWORKS, everything

from tinyflash.compiler import compile_uncalibrated, prepare
from tinyflash.compiler.passes.descend import descend
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.losses import mark_logits
from tinyflash.compiler.verify import shapes, verify
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, NoAttrs, Node, Port, Quant, Tensor, Window
from tinyflash.operators import OPERATORS
from tinyflash.read import read
from tinyflash.scheme import LayerUpdate, Rule, Scheme
from tinyflash.scheme.loss import CROSS_ENTROPY
from tinyflash.scheme.optimizer import Optimizer

Change = Callable[[Graph], Graph]


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("verify") / "net.tflite"
    path.write_bytes(everything().finish())
    return read(path)


@pytest.fixture(scope="module")
def training(forward: Graph) -> Graph:
    return differentiate(mark_logits(forward, CROSS_ENTROPY))


def tensor(name: str, /, **fields: Any) -> Change:
    """Changes fields of a tensor."""

    def change(graph: Graph) -> Graph:
        changed = replace(graph.tensors[name], **fields)
        return replace(graph, tensors={**graph.tensors, name: changed})

    return change


def node(name: str, op: str, /, **fields: Any) -> Change:
    """Changes fields of a node."""

    def change(graph: Graph) -> Graph:
        found = graph.node(name, op)
        changed = replace(found, **fields)
        return replace(graph, nodes=tuple(changed if n is found else n for n in graph.nodes))

    return change


def operand(name: str, op: str, role: str, other: str | None) -> Change:
    """Puts another tensor in a role of a node's inputs, or takes it away."""

    def change(graph: Graph) -> Graph:
        inputs = {**graph.node(name, op).inputs, role: other}
        return node(name, op, inputs={r: t for r, t in inputs.items() if t})(graph)

    return change


def window(name: str, /, **fields: Any) -> Change:
    def change(graph: Graph) -> Graph:
        attrs: Any = graph.node(name, "conv2d").attrs
        return node(name, "conv2d", attrs=replace(attrs, **fields))(graph)

    return change


def refusal(sound: Graph, change: Change, words: str) -> str:
    """What is said of a changed graph: the same by itself and after the one that it was made of."""
    verify(sound)
    said = {outcome(change(sound)), outcome(change(sound), after=sound)}
    (text,) = said
    assert text is not None and re.search(words, text)
    return text


def outcome(graph: Graph, after: Graph | None = None) -> str | None:
    """What verify says of a graph; None if it is sound."""
    try:
        verify(graph, after)
    except InternalError as error:
        return str(error)
    return None


def reordered(graph: Graph) -> Graph:
    return replace(graph, nodes=(graph.nodes[1], graph.nodes[0], *graph.nodes[2:]))


def doubled(graph: Graph) -> Graph:
    return replace(graph, nodes=(graph.nodes[0], *graph.nodes))


FORWARD: dict[str, tuple[Change, str]] = {
    "misfiled tensor": (tensor("input", name="other"), "filed as"),
    "empty shape": (tensor("conv2d_1.y", shape=(1, 0, 4, 4)), "has shape"),
    "constant without data": (tensor("conv2d_1.w", data=None), "no data"),
    "activation with data": (tensor("conv2d_1.y", data=np.zeros((1, 4, 4, 4))), "has data"),
    "data of other shape": (tensor("conv2d_1.b", data=np.zeros(3, np.int32)), "holds"),
    "data of other type": (tensor("conv2d_1.b", data=np.zeros(4, np.int64)), "holds"),
    "scale nan": (tensor("input", quant=Quant((float("nan"),))), "scale nan"),
    "scale in double": (tensor("input", quant=Quant((0.1,))), "no float32"),
    "zero point": (tensor("input", quant=Quant((0.5,), 300)), "zero point 300"),
    "scales": (tensor("conv2d_1.w", quant=Quant((0.5, 0.5))), "2 scales along axis 0"),
    "no operator": (node("conv2d_1", "conv2d", op="conv3d"), "no operator"),
    "no x": (operand("conv2d_1", "conv2d", "x", None), "lacks x"),
    "strange role": (operand("conv2d_1", "conv2d", "z", "input"), "has z"),
    "no such tensor": (operand("conv2d_1", "conv2d", "x", "nowhere"), "which is not there"),
    "wrong layer": (node("conv2d_1", "conv2d", layer="nobody"), "no layer nobody"),
    "before it is made": (reordered, "before it is made"),
    "twice": (doubled, "occurs twice"),
    "made again": (node("depthwise_2", "depthwise", outputs={"y": "conv2d_1.y"}), "again"),
    "attributes": (node("conv2d_1", "conv2d", attrs=NoAttrs()), "attributes' type"),
    "bias type": (operand("conv2d_1", "conv2d", "b", "conv2d_1.w"), "type of b is int8"),
    "weights computed": (operand("depthwise_2", "depthwise", "w_frozen", "input"), "of kind"),
    "bias length": (operand("conv2d_1", "conv2d", "b", "fully_connected_5.b"), "bias's shape"),
    "kept": (window("conv2d_1", kept=1), "number of trained channels"),
    "groups": (window("conv2d_1", groups=2), "weights' input channels"),
    "uneven groups": (window("conv2d_1", groups=3), "4 output channels in 3 groups"),
    "dense size": (operand("fully_connected_5", "fully_connected", "x", "input"), "y's size"),
    "sum of shapes": (operand("add_3", "add", "a", "input"), "shape of a"),
    "table": (operand("softmax_6", "softmax", "table", "conv2d_1.w"), "table's shape"),
    "no output": (lambda g: replace(g, output=replace(g.output, tensor="nowhere")), "nowhere"),
    "output shape": (lambda g: replace(g, output=replace(g.output, shape=(1, 6))), "has shape"),
    "float without scale": (lambda g: replace(g, input=replace(g.input, quant=None)), "no scale"),
    "input is a constant": (
        lambda g: replace(g, input=Port("conv2d_1.b", "int8", (4,))),
        "input is a constant|before it is made",
    ),
    "no logits": (lambda g: replace(g, logits="nowhere"), "no logits"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_one_thing_wrong(name: str, forward: Graph) -> None:
    assert "\n" not in refusal(forward, *FORWARD[name])


@pytest.mark.parametrize("op", ["average_pool", "max_pool"])
def test_a_pool_is_not_dilated(op: str) -> None:
    net = Net(np.random.default_rng(0))
    y = net.pool(op, net.input((4, 4, 2)), Window((2, 2), dilation=(2, 1)))
    said = outcome(net.graph(y))
    assert said is not None
    assert "a pool is dilated" in said


def update_first(graph: Graph) -> Graph:
    """Moves a weight update before the input gradient that still reads the old weights."""
    update = graph.node("conv2d_1", "conv2d_update")
    at = next(i for i, n in enumerate(graph.nodes) if n.op == "conv2d_backward_input")
    nodes = [n for n in graph.nodes if n is not update]
    return replace(graph, nodes=(*nodes[:at], update, *nodes[at:]))


TRAINING: dict[str, tuple[Change, str]] = {
    "update of a constant": (tensor("conv2d_1.w", kind="constant"), "kind|updates"),
    "old weights read": (update_first, "after its update"),
    "mask size": (tensor("mask_conv2d_1.y", shape=(7,)), "mask's shape"),
    "mask type": (tensor("mask_conv2d_1.y", dtype="int8"), "type of mask"),
    "gradient size": (tensor("d_conv2d_1.y", shape=(1, 4, 4, 3)), "4 channels of 3"),
    "gradient kind": (tensor("d_conv2d_1.y", kind="activation"), "kind"),
    "loss table": (tensor("loss_table", dtype="int32"), "holds|type"),
    "bias length": (tensor("conv2d_1.b", shape=(3,), data=np.zeros(3, np.int32)), "bias"),
}


@pytest.mark.parametrize("name", TRAINING)
def test_one_thing_wrong_in_training(name: str, training: Graph) -> None:
    refusal(training, *TRAINING[name])


def remembered(role: str, /, **fields: Any) -> Change:
    return tensor(f"conv2d_1.w_{role}", **fields)


DESCENT: dict[str, tuple[Change, str]] = {
    "velocity's type": (remembered("velocity", dtype="int32"), "holds|type of velocity"),
    "velocity of a bias": (
        tensor("conv2d_1.b_velocity", dtype="int16", data=np.zeros(4, np.int16)),
        "type of velocity is int16",
    ),
    "velocity's shape": (
        remembered("velocity", shape=(1,), data=np.zeros(1, np.int16)),
        "shape of velocity",
    ),
    "low kind": (remembered("low", kind="constant"), "low is of kind|updates"),
    "no velocity": (operand("conv2d_1", "conv2d_update", "velocity", None), "needs a velocity"),
}


@pytest.mark.parametrize("name", DESCENT)
def test_one_thing_wrong_in_a_rule(name: str, training: Graph) -> None:
    layers = {n.layer for n in training.nodes if n.op.endswith("_update")}
    updates = {layer: LayerUpdate(1, 1, True) for layer in layers}
    complete = descend(training, Optimizer(momentum=0.9, master=True), updates)
    refusal(complete, *DESCENT[name])


def without(graph: Graph, tensor: str) -> Graph:
    return replace(graph, tensors={n: t for n, t in graph.tensors.items() if n != tensor})


def test_what_changed_is_found_as_if_all_was_looked_at(training: Graph) -> None:
    """Every tensor, and every node, changed in several ways, most of them wrong."""
    verify(training)
    changes: list[Change] = []
    for name, found in training.tensors.items():
        changes += [tensor(name, shape=(*found.shape, 2)), tensor(name, kind="mask", data=None)]
        changes += [tensor(name, quant=None), tensor(name, shape=(1, *found.shape))]
        changes.append(partial(without, tensor=name))
    for n in training.nodes:
        changes += [node(n.name, n.op, layer="nowhere"), node(n.name, n.op, layer="")]
        others = tuple(other for other in training.nodes if other is not n)
        changes.append(partial(replace, nodes=others))
    found = [(outcome(c(training)), outcome(c(training), after=training)) for c in changes]
    assert all(alone == after for alone, after in found)
    assert sum(alone is not None for alone, _ in found) > len(found) / 2
    assert any(alone is None for alone, _ in found)


@pytest.mark.parametrize("trains", [False, True])
def test_the_pipeline_names_only_verified_graphs_as_what_a_graph_was_made_from(
    forward: Graph, trains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fault of a pass could hide behind the next one."""
    sound: list[Graph] = []
    compared = 0

    def watched(graph: Graph, after: Graph | None = None) -> None:
        nonlocal compared
        assert after is None or any(after is one for one in sound)
        compared += after is not None
        verify(graph, after)
        sound.append(graph)

    for module in ("prepare", "pipeline"):
        monkeypatch.setattr(sys.modules[f"tinyflash.compiler.{module}"], "verify", watched)
    rules = Scheme((Rule(weights=1.0, bias=True),), recompute=True) if trains else None
    compile_uncalibrated(prepare(forward, rules), row_source=True)
    assert compared >= (10 if trains else 5)


def test_training_graph_is_sound(training: Graph) -> None:
    verify(training)


@pytest.mark.parametrize("name", NETWORKS)
def test_imported_graphs_are_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS[name]())
    verify(read(path))


def test_an_operator_of_every_kind_has_a_rule() -> None:
    assert set(shapes.RULES) == set(OPERATORS)


def test_nodes_may_repeat_only_as_sums_of_gradients(training: Graph) -> None:
    source = training.tensors["d_" + training.logits]
    extra = [Tensor(name, source.shape, "int8", "gradient") for name in ("first", "second")]
    sums = [Node("gradient_add", "twice", {"a": source.name}, {"dx": t.name}) for t in extra]
    verify(training.with_nodes((*training.nodes, *sums), extra))
