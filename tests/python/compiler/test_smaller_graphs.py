"""The passes that make a graph smaller, one rule at a time: what each takes, and what it leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same

from tinyflash.compiler import prepare
from tinyflash.compiler.fold import fold_constants
from tinyflash.compiler.passes.fuse import fuse
from tinyflash.compiler.passes.order import order
from tinyflash.compiler.passes.prune import prune_to_updates
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.simplify import simplify
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.verify import verify
from tinyflash.graph import Clip, Graph, LookupAttrs, Quant, Window, WindowAttrs
from tinyflash.scheme import parse_scheme

POINT = Window((1, 1))
BYTES = np.arange(256, dtype=np.uint8).view(np.int8)


def net() -> Net:
    return Net(np.random.default_rng(5))


def ops(graph: Graph) -> list[str]:
    verify(graph)
    return [node.op for node in graph.nodes]


def window_of(graph: Graph, name: str) -> WindowAttrs:
    (node,) = [n for n in graph.nodes if n.name == name]
    assert isinstance(node.attrs, WindowAttrs)
    return node.attrs


def clip(n: Net, x: str, low: int, high: int) -> str:
    return n.table(x, np.clip(BYTES, low, high).astype(np.int8), LookupAttrs("relu6"))


# ---- Constants -----------------------------------------------------------------------------------


def with_constants(n: Net) -> tuple[str, str]:
    """X, and a function of the sum of two constants."""
    x, rng = n.input((3, 3, 2)), np.random.default_rng(0)
    quant = Quant((0.0625,), 3)
    data = [rng.integers(-128, 128, (3, 3, 2)).astype(np.int8) for _ in range(2)]
    total = n.add(*(n.constant(d, quant, span=1.0) for d in data))
    return x, n.function(total, "tanh")


def test_what_depends_on_no_input_is_computed() -> None:
    n = net()
    x, constant = with_constants(n)
    graph = fold_constants(n.graph(n.add(x, constant)))
    assert ops(graph) == ["add"]
    assert graph.tensors[constant].kind == "constant"


def test_a_constant_that_its_reader_cannot_take_is_computed_at_run_time() -> None:
    n = net()
    _, constant = with_constants(n)
    graph = fold_constants(n.graph(n.function(constant, "tanh")))
    assert ops(graph) == ["add", "lookup", "lookup"]


# ---- Nodes that do nothing -----------------------------------------------------------------------


def test_two_reshapes_are_one() -> None:
    n = net()
    y = n.reshape(n.reshape(n.conv2d(n.input((4, 4, 2)), 3, POINT), (16, 3)), (1, 48))
    assert ops(simplify(n.graph(n.fully_connected(y, 2)))) == [
        "conv2d",
        "reshape",
        "fully_connected",
    ]


def test_transposes_that_undo_each_other_are_none() -> None:
    n = net()
    y = n.transpose(n.transpose(n.input((4, 5, 2)), (2, 0, 1)), (1, 2, 0))
    assert ops(simplify(n.graph(n.conv2d(y, 2, POINT)))) == ["conv2d"]


def test_transposes_that_do_not_are_one() -> None:
    n = net()
    y = n.transpose(n.transpose(n.input((4, 5, 2)), (2, 0, 1)), (2, 1, 0))
    graph = simplify(n.graph(n.conv2d(y, 2, POINT)))
    assert ops(graph) == ["transpose", "conv2d"]
    assert graph.nodes[0].attrs.order == (1, 0, 2)  # type: ignore[union-attr]


def test_a_transpose_of_a_dimension_of_one_moves_nothing() -> None:
    n = net()
    y = n.transpose(n.input((1, 5, 2)), (1, 0, 2))
    assert ops(simplify(n.graph(n.conv2d(y, 2, POINT)))) == ["reshape", "conv2d"]


def test_the_mean_of_one_element_is_that_element() -> None:
    n = net()
    x = n.input((1, 1, 6))
    graph = n.graph(n.fully_connected(n.mean(x, (0, 1)), 2))
    assert ops(simplify(graph)) == ["mean", "fully_connected"]  # it is coded in another way
    alike = replace(graph.tensors["mean_0_y"], quant=graph.tensors[x].quant)
    graph = replace(graph, tensors={**graph.tensors, alike.name: alike})
    assert ops(simplify(graph)) == ["reshape", "fully_connected"]


@pytest.mark.parametrize("value", [-7, 5])
def test_two_pads_are_one_if_they_fill_alike(value: int) -> None:
    n = net()
    y = n.pad(n.pad(n.input((3, 3, 2)), (1, 0, 0), (0, 0, 1)), (1, 2, 0), (3, 0, 0))
    graph = n.graph(n.function(y, "tanh"))
    first, *others = graph.nodes
    first = replace(first, attrs=replace(first.attrs, value=value))  # type: ignore[type-var, arg-type]
    graph = simplify(replace(graph, nodes=(first, *others)))
    assert ops(graph) == (["pad", "lookup"] if value == -7 else ["pad", "pad", "lookup"])


def test_the_output_keeps_its_name() -> None:
    n = net()
    y = n.pad(n.conv2d(n.input((3, 3, 2)), 3, POINT), (0, 0, 0), (0, 0, 0))
    graph = simplify(n.graph(y))
    assert graph.output.tensor == y
    assert ops(graph) == ["conv2d", "pad"]


def test_a_table_of_another_scale_is_no_identity() -> None:
    n = net()
    y = n.table(n.input((3, 3, 2)), BYTES, LookupAttrs("quantize"))
    graph = n.graph(n.conv2d(y, 2, POINT))
    assert ops(simplify(graph)) == ["conv2d"]
    other = replace(graph.tensors[y], quant=Quant((0.5,), -7))
    graph = replace(graph, tensors={**graph.tensors, y: other})
    assert ops(simplify(graph)) == ["lookup", "conv2d"]


# ---- Fusion --------------------------------------------------------------------------------------


def test_a_clip_goes_into_what_makes_its_input() -> None:
    n = net()
    y = n.conv2d(n.input((4, 4, 2)), 3, POINT, Layer(clip=Clip(-100, 90)))
    graph = fuse(n.graph(n.conv2d(clip(n, y, -20, 127), 2, POINT)))
    assert ops(graph) == ["conv2d", "conv2d"]
    assert window_of(graph, "conv2d_0").clip == Clip(-20, 90)


def test_a_clip_stays_where_others_read_what_it_clips() -> None:
    n = net()
    y = n.conv2d(n.input((4, 4, 2)), 3, POINT)
    assert "lookup" in ops(fuse(n.graph(n.add(y, clip(n, y, -20, 90)))))


def test_a_clip_of_logits_stays() -> None:
    """Of a layer's logits the mask is left out, of a function's the slope is not."""
    n = net()
    graph = n.graph(clip(n, n.fully_connected(n.input((1, 4)), 3), -20, 90))
    assert ops(fuse(graph)) == ["fully_connected", "lookup"]
    assert ops(fuse(replace(graph, logits=""))) == ["fully_connected"]


def test_a_table_that_is_no_clip_stays() -> None:
    n = net()
    y = n.conv2d(n.input((4, 4, 2)), 3, POINT)
    table = np.clip(BYTES, -20, 90).astype(np.int8)
    table[5] = 6
    graph = n.graph(n.conv2d(n.table(y, table, LookupAttrs("relu6")), 2, POINT))
    assert "lookup" in ops(fuse(graph))


@pytest.mark.parametrize("op", ["conv2d", "depthwise", "max_pool", "average_pool"])
@pytest.mark.parametrize("zero", [-128, 4])
def test_padding_goes_into_the_layer_that_reads_it(op: str, zero: int) -> None:
    n = net()
    y = n.pad(n.input((4, 4, 2), zero=zero), (1, 0, 0), (1, 2, 0))
    window = Window((3, 4), padding=(1, 1, 0, 0))
    if op.endswith("pool"):
        graph = fuse(n.graph(n.pool(op, y, window)))
    else:
        graph = fuse(n.graph(n.conv2d(y, 3, window) if op == "conv2d" else n.depthwise(y, window)))
    fits = op in ("conv2d", "depthwise") or (op == "max_pool" and zero == -128)
    assert ops(graph) == ([op] if fits else ["pad", op])
    if fits:
        assert window_of(graph, f"{op}_1").window.padding == (2, 1, 1, 2)


def test_padding_beyond_the_kernel_stays() -> None:
    n = net()
    y = n.pad(n.input((4, 4, 2)), (2, 0, 0), (0, 0, 0))
    graph = fuse(n.graph(n.conv2d(y, 3, Window((3, 3), padding=(1, 0, 0, 0)))))
    assert ops(graph) == ["pad", "conv2d"]


# ---- Sharing -------------------------------------------------------------------------------------


def test_two_updates_share_the_slice_that_both_read() -> None:
    n = net()
    x = n.conv2d(n.input((4, 4, 2)), 4, POINT)
    total = n.add(n.conv2d(x, 3, POINT), n.conv2d(x, 3, same((4, 4, 4), 3)))
    graph = n.graph(n.fully_connected(n.mean(total, (0, 1)), 2))
    scheme = parse_scheme("[[update]]\nlayers = ['conv2d_1', 'conv2d_2']\nweights = 0.5")
    graph = prune_to_updates(training_graph(prepare(graph, scheme)))
    (keep,) = [node for node in graph.nodes if node.op == "keep"]
    readers = graph.readers(keep.outputs["y"])
    assert [node.name for node in readers] == ["conv2d_2", "conv2d_1"]


def test_equal_constants_are_one() -> None:
    n = net()
    y = n.function(n.function(n.input((4, 4, 2)), "tanh"), "tanh")
    graph = n.graph(n.function(y, "tanh"))
    first, second, third = share(graph).nodes
    assert second.inputs["table"] == third.inputs["table"] != first.inputs["table"]


def test_layers_that_learn_are_not_shared() -> None:
    n = net()
    x = n.input((4, 4, 2))
    a, b = (n.conv2d(x, 3, POINT, Layer(bias=False)) for _ in range(2))
    graph = n.graph(n.fully_connected(n.mean(n.add(a, b), (0, 1)), 2))
    tensors, (first, second, *others) = dict(graph.tensors), graph.nodes
    w = second.inputs["w_frozen"]
    tensors[w] = replace(tensors[first.inputs["w_frozen"]], name=w)
    tensors[b] = replace(tensors[a], name=b)
    twins = replace(graph, tensors=tensors, nodes=(first, second, *others))
    assert ops(share(twins)).count("conv2d") == 1
    trained = training_graph(prepare(twins, parse_scheme("[[update]]\nweights = 1")))
    assert ops(trained).count("conv2d") == 2


# ---- Order ---------------------------------------------------------------------------------------


def branches() -> Graph:
    """A narrow branch is given first, and its result waits while a wide one runs."""
    n = net()
    x = n.conv2d(n.input((8, 8, 1)), 2, POINT)
    narrow = n.conv2d(x, 8, POINT)
    wide = n.conv2d(n.conv2d(x, 24, POINT), 1, POINT)
    joined = n.concatenate([narrow, wide], 2)
    return n.graph(n.fully_connected(n.mean(joined, (0, 1)), 2))


def peak(graph: Graph) -> int:
    """The largest sum of maps that are in use at once."""
    last = {t: i for i, n in enumerate(graph.nodes) for t in n.inputs.values()}
    live, sums = {graph.input.tensor}, []
    for i, node in enumerate(graph.nodes):
        live |= set(node.outputs.values())
        sums.append(sum(graph.tensors[t].nbytes for t in live))
        live -= {t for t in live if last.get(t, i) <= i}
    return max(sums)


def test_the_branch_that_leaves_more_room_runs_first() -> None:
    graph = branches()
    ordered = order(graph)
    verify(ordered)
    assert [node.name for node in ordered.nodes][1:4] == ["conv2d_2", "conv2d_3", "conv2d_1"]
    assert peak(ordered) == peak(graph) - 64 * (8 - 1)


def test_a_gradient_dies_early() -> None:
    """First biases move, then weights pass the gradient on, then they move as well."""
    scheme = parse_scheme("[[update]]\nweights = 1\nbias = true")
    graph = order(prune_to_updates(training_graph(prepare(branches(), scheme))))
    verify(graph)
    for name in ("conv2d_2", "conv2d_3"):
        found = [n.op for n in graph.nodes if n.name == name and "dy" in n.inputs]
        assert found == ["bias_update", "conv2d_backward_input", "conv2d_update"]
    assert ops(graph)[-1] == "advance"


def test_the_first_gradient_is_that_of_the_loss() -> None:
    graph = order(prune_to_updates(training_graph(prepare(branches(), parse_scheme("")))))
    made = [t for n in graph.nodes for t in n.outputs.values()]
    gradients = [t for t in made if graph.tensors[t].kind == "gradient"]
    assert graph.node("loss", "softmax_loss").outputs["dy"] == gradients[0]
