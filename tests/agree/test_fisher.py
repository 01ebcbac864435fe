"""Fisher information of channels, against torch on the same network of real numbers.

The network is evaluated here, layer by layer, from the weights of the file: nothing of the
reference or of the library takes part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tests.support.graphs import sample

from tinyflash.compiler import Prepared, prepare
from tinyflash.graph import ClipAttrs, DenseAttrs, Graph, Node, WindowAttrs
from tinyflash.read import read
from tinyflash.reference import fisher
from tinyflash.scheme import Scheme
from tinyflash.search.fisher import Judgement, judge_channels
from tinyflash.training.samples import Samples
from tinyflash.zoo.networks import path_of

torch = pytest.importorskip("torch")

SAMPLES = 32
NETWORKS = ("digits", "activity")
Reals = np.ndarray


def _scale(graph: Graph, name: str) -> tuple[float, int]:
    quant = graph.tensors[name].quant
    assert quant is not None
    return quant.scale[0], quant.zero


def _weights(graph: Graph, node: Node) -> Any:
    tensor = graph.tensors[node.inputs["w_frozen"]]
    assert tensor.quant is not None and tensor.data is not None
    shape = [1] * len(tensor.shape)
    shape[tensor.quant.axis if len(tensor.quant.scale) > 1 else 0] = len(tensor.quant.scale)
    return torch.tensor(tensor.data * np.reshape(tensor.quant.scale, shape))


def _sums(graph: Graph, node: Node, x: Any) -> Any:
    """The layer before its bounds; maps are [channels][height][width]."""
    w = _weights(graph, node)
    if node.op == "fully_connected":
        z = x.reshape(-1) @ w.T
    else:
        assert isinstance(node.attrs, WindowAttrs)
        top, left, bottom, right = node.attrs.window.padding
        order = (2, 0, 1) if node.op == "depthwise" else (0, 3, 1, 2)
        kernel = w.permute(*order)[:, None] if node.op == "depthwise" else w.permute(*order)
        groups = len(x) if node.op == "depthwise" else 1
        padded = torch.nn.functional.pad(x, (left, right, top, bottom))[None]
        stride = node.attrs.window.stride
        z = torch.nn.functional.conv2d(padded, kernel, stride=stride, groups=groups)[0]
    b = graph.tensors[node.inputs["b"]].data
    assert b is not None
    per_row = np.array(graph.tensors[node.inputs["w_frozen"]].quant.scale)  # type: ignore[union-attr]
    real = torch.tensor(b * _scale(graph, node.inputs["x"])[0] * per_row)
    return z + real.reshape(-1, *[1] * (z.ndim - 1))


def _result(graph: Graph, node: Node, x: Any, other: Any) -> Any:
    if node.op in ("conv2d", "depthwise", "fully_connected"):
        return _sums(graph, node, x)
    if node.op == "add":
        return x + other
    if node.op == "mean":
        return x.mean(dim=(1, 2))
    assert node.op == "reshape", node.op
    return x


def _run(graph: Graph, x: Reals, label: int) -> dict[str, tuple[Any, Any]]:
    """Returns the real values of maps and the gradients by them, before their bounds."""
    scale, zero = _scale(graph, graph.input.tensor)
    shape = graph.tensors[graph.input.tensor].shape[-3:]
    real = torch.tensor(scale * (x.astype(np.float64) - zero)).reshape(shape).permute(2, 0, 1)
    values: dict[str, Any] = {graph.input.tensor: real}
    found = {}
    for node in graph.nodes:
        names = [t for r, t in node.inputs.items() if r in ("x", "a", "b") and t in values]
        z = _result(graph, node, values[names[0]], values[names[-1]])
        y = node.outputs["y"]
        if isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs) and y != graph.logits:
            z.retain_grad() if z.requires_grad else z.requires_grad_()
            found[y] = z
            scale, zero = _scale(graph, y)
            low, high = node.attrs.clip.low, node.attrs.clip.high
            z = torch.clamp(z, scale * (low - zero), scale * (high - zero))
        values[y] = z
        if y == graph.logits:
            break
    logits = values[graph.logits].reshape(1, -1)
    torch.nn.functional.cross_entropy(logits, torch.tensor([label])).backward()
    return {y: (z.detach(), z.grad) for y, z in found.items()}


def _by_torch(graph: Graph, samples: Samples) -> tuple[dict[str, Reals], list[Any]]:
    totals: dict[str, Reals] = {}
    runs = [_run(graph, x, int(y)) for x, y in zip(samples.x, samples.y, strict=True)]
    for run in runs:
        for name, (z, g) in run.items():
            s = (z * g).reshape(len(z), -1).sum(dim=1).numpy() ** 2 / (2 * len(runs))
            totals[name] = totals.get(name, 0) + s
    return totals, runs


def _prepared(name: str) -> tuple[Prepared, Samples]:
    """The network as it was trained: its own classifier is not zero."""
    prepared = prepare(read(path_of(name)), Scheme(dead_channels="keep"))
    rng = np.random.default_rng(3)
    x = np.stack([sample(prepared.forward, rng) for _ in range(SAMPLES)]).astype(np.int8)
    classes = prepared.forward.tensors[prepared.forward.logits].size
    return prepared, Samples(x, np.arange(SAMPLES) % classes)


@pytest.fixture(scope="module", params=NETWORKS)
def both(request: pytest.FixtureRequest) -> tuple[Judgement, dict[str, Reals], list[Any]]:
    prepared, samples = _prepared(request.param)
    torch.set_num_threads(1)
    totals, runs = _by_torch(prepared.forward, samples)
    return judge_channels(prepared, samples), totals, runs


def ranks(values: Reals) -> Reals:
    return np.argsort(np.argsort(values)).astype(np.float64)


def test_int8_ranks_channels_as_float_does(
    both: tuple[Judgement, Mapping[str, Reals], list[Any]],
) -> None:
    judgement, expected, _ = both
    names = [n for n in expected if n in judgement.d]  # what nothing with weights reads is not
    layers = [n for n in judgement.graph.nodes if n.operator.weighted]
    assert {n.outputs["y"] for n in layers} - {judgement.graph.logits} <= {*names}
    found, wanted = (np.concatenate([of[n] for n in names]) for of in (judgement.d, expected))
    rank = float(np.corrcoef(ranks(found), ranks(wanted))[0, 1])
    of_layers = [(judgement.d[n].sum(), expected[n].sum()) for n in names]
    print(f"rank {rank:.4f}", [f"{a:.3g}/{b:.3g}" for a, b in of_layers])
    assert rank >= 0.9


def test_the_integer_statistic_is_that_of_torch(
    both: tuple[Judgement, Mapping[str, Reals], list[Any]],
) -> None:
    """Of the float network's own activations and gradients, each stored in small enough units."""
    _, expected, runs = both
    for name, wanted in expected.items():
        d, s_y = np.zeros(1 + len(wanted), np.int64), 2.0**-12
        for run in runs:
            z, g = (v.reshape(len(wanted), -1).numpy().T for v in run[name])
            exponent = int(np.frexp(max(abs(g).max(), 1e-30))[1]) - 16
            y, dy = (np.rint(v).astype(np.int64) for v in (z / s_y, np.ldexp(g, -exponent)))
            d = fisher.add_sample(d, y + 7, 7, dy, exponent)
        found = np.ldexp(d[1:].astype(np.float64), int(d[0]) - 96) * s_y**2 / (2 * len(runs))
        assert np.allclose(found, wanted, rtol=0.01, atol=1e-6 * wanted.max())
