"""Differentiate, sparsify and prune: the shape of the training graph they make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same

from tinyflash.compiler import Prepared, compile_model, prepare
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.head import LOGIT_SCALE, attach_head
from tinyflash.compiler.passes.prune import prune_to_output, prune_to_updates
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.verify import verify
from tinyflash.errors import InternalError, ModelError, SchemeError
from tinyflash.graph import Clip, Graph, LookupAttrs, Node, Tensor, Window
from tinyflash.scheme import parse_scheme

POINT = Window((1, 1))


def residual(*, extra_reader: bool = False) -> Graph:
    """conv a, then a + conv(a) (+ another conv of a), pooled, classified."""
    net = Net(np.random.default_rng(1))
    a = net.conv2d(net.input((4, 4, 2)), 3, same((4, 4, 2), 3), Layer(clip=Clip(-128, 90)))
    total = net.add(a, net.conv2d(a, 3, POINT))
    if extra_reader:
        total = net.add(total, net.conv2d(a, 3, POINT))
    pooled = net.pool("average_pool", total, Window((4, 4)))
    return net.graph(net.fully_connected(net.reshape(pooled, (1, 3)), 2))


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def all_weights(graph: Graph) -> Graph:
    return prune_to_updates(
        training_graph(prepare(graph, parse_scheme("[[update]]\nweights = 1\nbias = true")))
    )


def test_both_branches_of_a_residual_sum_are_added_up() -> None:
    graph = all_weights(residual())
    (total,) = [n for n in graph.nodes if n.op == "gradient_add" and "b" in n.inputs]
    sources = {total.inputs["a"], total.inputs["b"]}
    assert {graph.producer(t).op for t in sources} == {  # type: ignore[union-attr]
        "average_pool_backward_input",
        "conv2d_backward_input",
    }
    assert total.inputs["mask"] == "mask_conv2d_0_y"


def test_three_readers_make_two_sums() -> None:
    graph = all_weights(residual(extra_reader=True))
    sums = [n for n in graph.nodes if n.op == "gradient_add" and "b" in n.inputs]
    assert len(sums) == 2
    assert ["mask" in n.inputs for n in sums] == [False, True]


def test_an_input_gradient_is_computed_before_its_weights_change() -> None:
    graph = all_weights(residual())
    for index, node in enumerate(graph.nodes):
        for written in node.writes:
            later = graph.nodes[index + 1 :]
            assert not [n.name for n in later if written in n.inputs.values()]


def test_back_propagation_ends_at_the_earliest_update() -> None:
    text = "[[update]]\nlayers = ['conv2d_1']\nbias = true"
    graph = prune_to_updates(training_graph(prepare(residual(), parse_scheme(text))))
    assert "conv2d_backward_input" not in ops(graph)
    assert ops(graph).count("bias_update") == 2


def test_a_frozen_layer_keeps_no_input() -> None:
    text = "[[update]]\nlast = 2\nbias = true\n[[update]]\nlast = 1\nweights = 0.4"
    graph = prune_to_updates(training_graph(prepare(residual(), parse_scheme(text))))
    (keep,) = [n for n in graph.nodes if n.op == "keep"]
    assert keep.name == "conv2d_1"
    assert graph.tensors[keep.outputs["y"]].shape == (4, 4, 1)
    assert graph.tensors["conv2d_1_w_kept"].kind == "trainable"
    assert graph.tensors["conv2d_1_w_frozen"].shape == (3, 1, 1, 2)
    assert graph.tensors["conv2d_0_w"].kind == "constant"


def test_the_infer_graph_reads_the_trained_weights_and_nothing_of_training() -> None:
    text = "[[update]]\nlast = 1\nweights = 0.4"
    graph = prune_to_output(training_graph(prepare(residual(), parse_scheme(text))))
    assert ops(graph) == ["conv2d", "conv2d", "add", "average_pool", "reshape", "fully_connected"]
    assert graph.nodes[1].inputs["w"] == "conv2d_1_w_kept"
    verify(graph)


def forward_only(graph: Graph, layer: str) -> Graph:
    """The graph with a function of no known derivative behind a layer."""
    (before,) = [n for n in graph.nodes if n.name == layer]
    y = graph.tensors[before.outputs["y"]]
    table = Tensor("table", (256,), "int8", "constant", data=np.arange(256)[::-1].astype(np.int8))
    inner = replace(y, name="inner")
    function = Node(
        "lookup", "f", {"x": "inner", "table": "table"}, {"y": y.name}, LookupAttrs("random")
    )
    nodes = []
    for node in graph.nodes:
        nodes += [replace(node, outputs={"y": "inner"}), function] if node is before else [node]
    return graph.with_nodes(nodes, [table, inner])


def test_a_layer_behind_a_forward_only_operator_cannot_be_trained() -> None:
    net = Net(np.random.default_rng(2))
    pooled = net.pool("average_pool", net.conv2d(net.input((4, 4, 2)), 3, POINT), Window((4, 4)))
    graph = net.graph(net.fully_connected(net.reshape(pooled, (1, 3)), 2))
    with pytest.raises(SchemeError, match=r"'conv2d_0' cannot be trained.*forward only"):
        all_weights(forward_only(graph, "conv2d_0"))


def test_a_gradient_known_only_in_part_is_not_used() -> None:
    """One reader of a passes a gradient, the other does not: a's gradient is not known."""
    net = Net(np.random.default_rng(3))
    a = net.conv2d(net.input((4, 4, 2)), 3, POINT)
    total = net.add(net.conv2d(a, 3, POINT), net.pool("max_pool", a, same((4, 4, 3), 3)))
    pooled = net.pool("average_pool", total, Window((4, 4)))
    graph = net.graph(net.fully_connected(net.reshape(pooled, (1, 3)), 2))
    graph = differentiate(forward_only(graph, "max_pool_2"))
    trained = {n.layer for n in graph.nodes if n.op == "conv2d_update"}
    assert trained == {"conv2d_1"}


def test_a_concatenation_gives_each_input_its_part() -> None:
    net = Net(np.random.default_rng(7))
    x = net.input((4, 4, 2))
    both = net.concatenate([net.conv2d(x, 3, POINT), net.conv2d(x, 2, POINT)], 2)
    pooled = net.pool("max_pool", both, Window((4, 4)))
    graph = all_weights(net.graph(net.fully_connected(net.reshape(pooled, (1, 5)), 2)))
    parts = [n for n in graph.nodes if n.op == "concatenate_backward_input"]
    shapes = [graph.tensors[n.outputs["dx"]].shape for n in parts]
    assert shapes == [(4, 4, 3), (4, 4, 2)]
    assert [n.inputs["mask"] for n in parts] == ["mask_conv2d_0_y", "mask_conv2d_1_y"]


def test_a_pool_is_masked_where_its_clamp_is_narrow() -> None:
    net = Net(np.random.default_rng(8))
    x = net.conv2d(net.input((4, 4, 2)), 3, POINT)
    pooled = net.pool("average_pool", x, Window((4, 4)), Clip(-20, 20))
    graph = all_weights(net.graph(net.fully_connected(net.reshape(pooled, (1, 3)), 2)))
    assert {n.name for n in graph.nodes if n.op == "mask"} == {"conv2d_0", "average_pool_1"}


def test_a_new_head_starts_at_zero_and_drops_what_followed_the_old() -> None:
    graph = attach_head(residual(), 5)
    head: Node = graph.nodes[-1]
    assert head.op == "fully_connected"
    assert not graph.tensors[head.inputs["w_frozen"]].data.any()  # type: ignore[union-attr]
    assert graph.output.shape == (1, 5)
    assert graph.tensors[graph.logits].quant.scale == (LOGIT_SCALE,)  # type: ignore[union-attr]


def reach_of(graph: Graph, weight_range: float | None = None, alone: bool = True) -> float:
    """The largest real weight of a new head."""
    grown = attach_head(graph, 2, weight_range, alone)
    (scale,) = grown.tensors[grown.nodes[-1].inputs["w_frozen"]].quant.scale  # type: ignore[union-attr]
    return 127 * scale


def test_a_new_heads_weights_reach_twice_as_far_as_the_old_ones_for_the_same_logits() -> None:
    """By the stored bytes: largest old weight times 16 over the old logits' half range."""
    graph = residual()
    old = graph.nodes[-1]
    w, y = graph.tensors[old.inputs["w_frozen"]], graph.tensors[old.outputs["y"]]
    assert w.data is not None and w.quant is not None and y.quant is not None
    assert len(w.quant.scale) == len(w.data), "one scale per class, so that a mix-up shows"
    reals = abs(w.data.astype(float)) * np.array(w.quant.scale)[:, None]
    expected = 2 * reals.max() * 16 / (255 * y.quant.scale[0] / 2)
    assert reach_of(graph) == pytest.approx(expected, rel=1e-6)
    assert reach_of(graph, 0.375) == pytest.approx(0.375, rel=1e-6)


@pytest.mark.parametrize("power", [-6, 5])
def test_a_new_heads_range_follows_the_scale_of_its_features(power: int) -> None:
    """A classifier of features 2^p times as large has weights 2^-p times as large."""
    graph = residual()
    w = graph.tensors[graph.nodes[-1].inputs["w_frozen"]]
    assert w.quant is not None
    scales = tuple(s * 2.0**-power for s in w.quant.scale)
    smaller = replace(w, quant=replace(w.quant, scale=scales))
    other = replace(graph, tensors={**graph.tensors, w.name: smaller})
    assert reach_of(other) == reach_of(graph) * 2.0**-power


def test_beside_other_trained_layers_a_new_heads_range_is_at_most_1() -> None:
    graph = residual()
    free = reach_of(graph)
    w = graph.tensors[graph.nodes[-1].inputs["w_frozen"]]
    assert w.quant is not None
    for wanted in (0.25, 8.0):
        scales = tuple(s * wanted / free for s in w.quant.scale)
        scaled = replace(w, quant=replace(w.quant, scale=scales))
        other = replace(graph, tensors={**graph.tensors, w.name: scaled})
        assert reach_of(other) == pytest.approx(wanted)
        assert reach_of(other, alone=False) == pytest.approx(min(wanted, 1))
        assert reach_of(other, 3.0, alone=False) == pytest.approx(3)


def test_rules_added_later_give_the_head_that_they_would_have_had_from_the_start() -> None:
    graph = residual()
    w = graph.tensors[graph.nodes[-1].inputs["w_frozen"]]
    assert w.quant is not None
    scales = tuple(float(np.float32(64 * s)) for s in w.quant.scale)
    wide = replace(w, quant=replace(w.quant, scale=scales))
    graph = replace(graph, tensors={**graph.tensors, w.name: wide})
    alone, ruled = (parse_scheme(f"head = 2{rules}") for rules in ("", "\n[[update]]\nbias = true"))
    late, early = prepare(graph, alone).under(ruled), prepare(graph, ruled)
    assert head_scale(late) == head_scale(early) == pytest.approx(1 / 127)
    assert head_scale(prepare(graph, alone)) > 1 / 127


def head_scale(prepared: Prepared) -> float:
    (scale,) = prepared.forward.tensors[prepared.forward.nodes[-1].inputs["w_frozen"]].quant.scale  # type: ignore[union-attr]
    return float(scale)


def test_a_head_after_a_classifier_of_zeros_has_a_plain_range() -> None:
    graph = residual()
    w = graph.tensors[graph.nodes[-1].inputs["w_frozen"]]
    assert w.data is not None
    empty = replace(w, data=np.zeros_like(w.data))
    assert reach_of(replace(graph, tensors={**graph.tensors, w.name: empty})) == pytest.approx(1)


def test_training_without_a_classifier_is_refused() -> None:
    net = Net(np.random.default_rng(4))
    graph = net.graph(net.pool("average_pool", net.input((4, 4, 2)), Window((4, 4))))
    with pytest.raises(SchemeError, match=r"needs a classifier.*average_pool"):
        training_graph(prepare(graph, parse_scheme("")))


def test_a_pointwise_classifier_gets_a_new_head_as_well() -> None:
    net = Net(np.random.default_rng(5))
    pooled = net.pool("average_pool", net.conv2d(net.input((4, 4, 2)), 6, POINT), Window((4, 4)))
    graph = attach_head(net.graph(net.reshape(net.conv2d(pooled, 4, POINT), (1, 4))), 3)
    verify(graph)
    assert [n.op for n in graph.nodes] == ["conv2d", "average_pool", "fully_connected"]
    assert graph.tensors[graph.nodes[-1].inputs["w_frozen"]].shape == (3, 6)


def test_a_classifier_that_reads_a_map_keeps_its_place() -> None:
    net = Net(np.random.default_rng(6))
    graph = net.graph(net.conv2d(net.input((4, 4, 2)), 3, POINT))
    with pytest.raises(SchemeError, match="reads a map of 32 elements"):
        attach_head(graph, 2)


def classified(end: str) -> Graph:
    net = Net(np.random.default_rng(9))
    return net.graph(net.function(net.fully_connected(net.input((1, 6)), 3), end))


def test_a_loss_reads_what_it_is_made_for() -> None:
    """The squared error reads the output itself, the binary cross-entropy its logits."""
    graph = replace(classified("logistic"), logits="")
    squared = training_graph(prepare(graph, parse_scheme("loss = 'mean_squared_error'")))
    assert squared.logits == graph.output.tensor
    assert "lookup_backward_input" in ops(prune_to_updates(squared))
    binary = training_graph(prepare(graph, parse_scheme("loss = 'binary_cross_entropy'")))
    assert binary.logits == "fully_connected_0_y"
    assert prune_to_output(binary).output.tensor == graph.output.tensor
    with pytest.raises(SchemeError, match=r"needs a classifier.*lookup"):
        training_graph(prepare(graph, parse_scheme("")))


def test_only_the_train_graph_has_a_target() -> None:
    graph = training_graph(prepare(residual(), parse_scheme("loss = 'mean_squared_error'")))
    assert prune_to_updates(graph).tensors[graph.target].shape == (1, 2)
    assert prune_to_output(graph).target == ""
    assert "target" not in prune_to_output(graph).tensors


def test_a_new_head_may_follow_a_function() -> None:
    graph = attach_head(classified("tanh"), 1)
    assert [n.op for n in graph.nodes] == ["fully_connected"]
    assert graph.output.shape == (1, 1)


def test_a_product_keeps_both_of_its_operands() -> None:
    net = Net(np.random.default_rng(10))
    a = net.conv2d(net.input((4, 4, 2)), 3, POINT)
    gate = net.fully_connected(net.mean(a, (0, 1)), 3)
    product = net.mul(a, gate)
    graph = all_weights(net.graph(net.fully_connected(net.mean(product, (0, 1)), 2)))
    parts = [n for n in graph.nodes if n.op == "mul_backward_input"]
    assert [(n.inputs["x"], graph.tensors[n.outputs["dx"]].shape) for n in parts] == [
        (gate, (4, 4, 3)),
        (a, (3,)),
    ]
    assert f"mask_{product}" in graph.tensors


def test_rows_that_32_bits_do_not_add_up_are_refused() -> None:
    net = Net(np.random.default_rng(11))
    a = net.conv2d(net.input((258, 258, 1)), 1, POINT)
    product = net.mul(a, net.fully_connected(net.mean(a, (0, 1)), 1))
    graph = net.graph(net.fully_connected(net.mean(product, (0, 1)), 2))
    gate = parse_scheme("[[update]]\nlayers = ['fully_connected_2']\nweights = 1")
    with pytest.raises(ModelError, match="multiplies 66,564 rows by one; at most 66,311"):
        compile_model(graph, gate)
    compile_model(graph)


def test_a_prepared_network_keeps_its_own_scheme() -> None:
    prepared = prepare(residual(), parse_scheme("head = 2"))
    with pytest.raises(SchemeError, match="a prepared network has its own"):
        compile_model(prepared, parse_scheme("head = 2"))
    other = parse_scheme("head = 2\n[[update]]\nlast = 1\nbias = true\n[optimizer]\nmomentum = 0.5")
    assert prepared.under(other).scheme == other
    for text in ("head = 3", "", "head = 2\ndead_channels = 'keep'"):
        with pytest.raises(InternalError, match="cannot change its head"):
            prepared.under(parse_scheme(text))
