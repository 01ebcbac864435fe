"""The gradients of whole networks against float autograd, residual sums included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from tests.support.autograd import (
    FLOAT,
    clip_bounds,
    dequantize,
    has_clip,
    quant_of,
    real_weights,
    torch,
)
from tests.support.graphs import Layer, Net, same, sample

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.losses import mark_logits
from tinyflash.graph import Clip, Graph, Window
from tinyflash.program import Factor
from tinyflash.reference import Machine
from tinyflash.reference.environment import LAYERS
from tinyflash.reference.operators import FORWARD
from tinyflash.scheme.loss import Loss, LossName

RELU = Layer(zero=-100, clip=Clip(-100, 127))
FROZEN = Factor(0, 0)
# Without headroom the roundings of a whole chain add noise of 2 % of the gradient; of 5 % behind
# max pools, where most elements are 0 and few are large.
NOISE = 0.06


def residual(rng: np.random.Generator) -> Graph:
    """Two nested residual sums, a clipped one in the middle of a branch, padding and pools."""
    net = Net(rng)
    a = net.conv2d(net.input((9, 11, 3)), 8, same((9, 11), 3, 2), RELU)
    b = net.depthwise(a, same((5, 6), 3), RELU)
    inner = net.add(net.conv2d(b, 8, same((5, 6), 1)), b, clip=Clip(-60, 127))
    padded = net.pad(inner, (1, 1, 0), (1, 1, 0))
    c = net.conv2d(padded, 8, Window((3, 3)), Layer(zero=-128))
    outer = net.add(c, a)
    pooled = net.pool("average_pool", outer, Window((2, 2), (2, 2)))
    flat = net.reshape(pooled, (1, 48))
    return net.graph(net.fully_connected(flat, 5))


def branches_of_one_tensor(rng: np.random.Generator) -> Graph:
    """One tensor with three readers, a sum of a tensor with itself, and a mean."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 5, 2)), 6, same((6, 5), 3), Layer(spread=100))
    twice = net.add(a, a)
    b = net.add(net.conv2d(a, 6, same((6, 5), 1), RELU), net.depthwise(a, same((6, 5), 5)))
    return net.graph(net.fully_connected(net.mean(net.add(twice, b), (0, 1)), 4))


def joined_branches(rng: np.random.Generator) -> Graph:
    """A concatenation of two branches and of what they branch from, read along other axes."""
    net = Net(rng)
    a = net.conv2d(net.input((7, 6, 3)), 5, same((7, 6), 3), RELU)
    like_a = Layer(zero=RELU.zero)
    b = net.depthwise(a, same((7, 6), 3), like_a)
    c = net.conv2d(a, 4, same((7, 6), 1), like_a)
    joined = net.concatenate([b, a, c, b], 2)
    turned = net.transpose(joined, (2, 0, 1))
    d = net.conv2d(turned, 4, same((19, 7), 3, 2), RELU)
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def stand_alone_functions(rng: np.random.Generator) -> Graph:
    """Max pools, one of them clipped, and functions that are operators of their own."""
    net = Net(rng)
    a = net.conv2d(net.input((10, 9, 3)), 8, same((10, 9), 3))
    relu = net.function(a, "relu", zero=-110)
    pooled = net.pool("max_pool", relu, Window((3, 3), (2, 2), (1, 1), (0, 1, 1, 1)))
    b = net.conv2d(pooled, 8, same((5, 5), 3), Layer(zero=-20))
    swish = net.function(b, "hard_swish", zero=-40)
    clipped = net.pool("max_pool", swish, Window((2, 2)), Clip(-60, 50))
    return net.graph(net.fully_connected(net.mean(clipped, (0, 1)), 4))


def squeeze_excite(rng: np.random.Generator) -> Graph:
    """Channels weighed by what all positions say; products of two maps, and of one with itself."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 7, 3)), 8, same((6, 7), 3), RELU)
    squeezed = net.fully_connected(net.mean(a, (0, 1)), 5, Layer(zero=-70, clip=Clip(-70, 127)))
    gate = net.function(net.fully_connected(squeezed, 8), "logistic")
    b = net.conv2d(net.mul(a, gate), 6, same((6, 7), 3), Layer(zero=-40))
    c = net.mul(b, net.conv2d(a, 6, same((6, 7), 1)), clip=Clip(-100, 100))
    d = net.mul(c, c)
    return net.graph(net.fully_connected(net.mean(net.add(c, d), (0, 1)), 4))


def one_dimension(rng: np.random.Generator) -> Graph:
    """Sequences [length][channels]: maps of height 1 and back, as Keras' Conv1D is exported."""
    net = Net(rng)
    x = net.reshape(net.input((1, 30, 3)), (30, 3))
    x = sequence(net, net.conv2d, x, (1, 5), stride=2, out=8)
    x = sequence(net, net.depthwise, x, (1, 3))
    x = sequence(net, net.conv2d, x, (1, 3), out=6)
    return net.graph(net.fully_connected(net.mean(x, (0,)), 4))


def sequence(
    net: Net,
    layer: Callable[..., str],
    x: str,
    kernel: tuple[int, int],
    stride: int = 1,
    **more: Any,
) -> str:
    length, channels = net.tensors[x].shape
    wide = (1, length, channels)
    window = same(wide, kernel)
    window = replace(window, stride=(1, stride))
    y = layer(net.reshape(x, wide), window=window, layer=RELU, **more)
    return net.reshape(y, net.tensors[y].shape[1:])


def groups_and_multipliers(rng: np.random.Generator) -> Graph:
    net = Net(rng)
    a = net.conv2d(net.input((8, 7, 4)), 6, same((8, 7), 3), RELU, groups=2)
    b = net.depthwise(a, same((8, 7), 3, 2), Layer(spread=20, zero=-50), multiplier=2)
    c = net.conv2d(b, 9, same((4, 4), 3), RELU, groups=3)
    d = net.conv2d(c, 6, same((4, 4), 1), groups=3)
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def attention(rng: np.random.Generator) -> Graph:
    """A softmax over few positions, which weighs them."""
    net = Net(rng)
    a = net.conv2d(net.input((4, 1, 5)), 6, Window((1, 1)), RELU)
    scores = net.reshape(net.conv2d(a, 1, Window((1, 1)), Layer(gain=0.5)), (1, 1, 4))
    shares = net.softmax(scores, beta=0.7)
    weighed = net.mul(net.transpose(a, (2, 1, 0)), net.reshape(shares, (1, 4)))
    return net.graph(net.fully_connected(net.mean(weighed, (1, 2)), 4))


def ends_in_logistic(rng: np.random.Generator) -> Graph:
    """An autoencoder whose outputs lie between 0 and 1."""
    net = Net(rng)
    a = net.fully_connected(net.input((1, 20)), 9, RELU)
    return net.graph(net.function(net.fully_connected(a, 20, Layer(gain=0.3)), "logistic"))


@dataclass
class Trained:
    """A machine whose gradients' exponents have settled on one sample."""

    machine: Machine
    label: int

    def errors(self) -> dict[str, float]:
        """Relative error (root mean square) of every layer's dy, by the layer's name."""
        exact = self._autograd()
        result = {}
        for node in self.machine.graph.nodes:
            if node.op.endswith("_update") and node.op != "bias_update":
                dy = node.inputs["dy"]
                got = self.machine.values[dy] * 2.0 ** self.machine.scales[dy].exponent
                expected = exact[node.layer].reshape(got.shape)
                difference = np.linalg.norm(got - expected) / np.linalg.norm(expected)
                result[node.layer] = float(difference)
        return result

    def _autograd(self) -> dict[str, np.ndarray]:
        """The gradient by every layer's output before its clip, by the layer's name."""
        graph, values = self.machine.graph, self.machine.values
        real: dict[str, Any] = {graph.input.tensor: self._real(graph.input.tensor)}
        before_clip = {}
        for node in (n for n in graph.nodes if n.op in FORWARD):
            y = node.outputs["y"]
            inputs = [real[tensor] for tensor in node.inputs.values() if tensor in real]
            if node.op in LAYERS:
                inputs.append(real_weights(self.machine, node))
            z = FLOAT[node.op](node, values[y].shape, *inputs)
            if node.op in LAYERS:
                z = z + self._real_bias(node.inputs["b"], z.shape[-1])
            z.requires_grad_().retain_grad()
            before_clip[node.name] = z
            if has_clip(node) and y != graph.logits:
                # Half a unit inside: what would round to the bound is stored there.
                z = torch.clamp(z, *clip_bounds(graph, node, margin=0.5))
            real[y] = z + (self._real(y) - z).detach()
        self._loss(real[graph.logits].reshape(1, -1)).backward()
        return {name: z.grad.numpy() for name, z in before_clip.items() if z.grad is not None}

    def _loss(self, logits: Any) -> Any:
        graph = self.machine.graph
        if not graph.target:
            return torch.nn.functional.cross_entropy(logits, torch.tensor([self.label]))
        stored = self.machine.values[graph.target]
        if any(node.op == "squared_loss" for node in graph.nodes):
            return torch.nn.functional.mse_loss(logits, self._real(graph.target).reshape(1, -1))
        p = torch.tensor((stored + 128) / 255).reshape(1, -1)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, p)

    def _real(self, tensor: str) -> Any:
        graph = self.machine.graph
        return torch.tensor(dequantize(graph, tensor, self.machine.values[tensor]))

    def _real_bias(self, tensor: str, count: int) -> Any:
        scales = np.resize(quant_of(self.machine.graph, tensor).scale, count)
        return torch.tensor(self.machine.values[tensor] * scales)


def settle(graph: Graph, rng: np.random.Generator, steps: int = 60) -> Trained:
    """Runs steps at rate 0 on one sample until all exponents fit it."""
    machine = Machine(graph)
    for scale in machine.scales.values():
        scale.gain = -24  # from below they rise until the gradient just fits
    x, label = sample(graph, rng), 1
    target = rng.integers(-128, 128, graph.tensors[graph.target].shape) if graph.target else None
    for _ in range(steps):
        before = machine.counters().exponents
        if target is None:
            machine.train_step(x, label, FROZEN)
        else:
            machine.train_on_target(x, target, FROZEN)
        if machine.counters().exponents == before:
            break
    return Trained(machine, label)


def without_branch(graph: Graph, sums: int, role: str) -> Graph:
    """The graph with one side of its n-th gradient sum left out: a forgotten branch."""
    additions = [n for n in graph.nodes if n.op == "gradient_add" and "b" in n.inputs]
    chosen = additions[sums]
    inputs = {r: t for r, t in chosen.inputs.items() if r != "b"}
    inputs["a"] = chosen.inputs["b" if role == "a" else "a"]
    broken = replace(chosen, inputs=inputs)
    return replace(graph, nodes=tuple(broken if n is chosen else n for n in graph.nodes))


SUMS = [residual, branches_of_one_tensor, joined_branches]
NETWORKS = [
    *(*SUMS, stand_alone_functions, squeeze_excite),
    *(one_dimension, groups_and_multipliers, attention),
]
TARGETS = ("mean_squared_error", "binary_cross_entropy")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_gets_the_gradient_of_autograd(
    network: Callable[[np.random.Generator], Graph], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    trained = settle(differentiate(network(rng), headroom=0), rng)
    errors = trained.errors()
    assert len(errors) == sum(n.op in LAYERS for n in trained.machine.graph.nodes)
    assert max(errors.values()) < NOISE, errors


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("network", [residual, squeeze_excite, ends_in_logistic])
def test_losses_with_a_target(
    network: Callable[[np.random.Generator], Graph], loss: LossName
) -> None:
    rng = np.random.default_rng(4)
    graph = mark_logits(replace(network(rng), logits=""), Loss(loss))
    errors = settle(differentiate(graph, headroom=0, loss=Loss(loss)), rng).errors()
    assert len(errors) == sum(n.op in LAYERS for n in graph.nodes)
    assert max(errors.values()) < NOISE, errors


@pytest.mark.parametrize("role", ["a", "b"])
@pytest.mark.parametrize(("network", "sums"), [(n, i) for n in SUMS for i in range(2)])
def test_a_forgotten_branch_is_noticed(
    network: Callable[[np.random.Generator], Graph], sums: int, role: str
) -> None:
    rng = np.random.default_rng(0)
    broken = without_branch(differentiate(network(rng), headroom=0), sums, role)
    assert max(settle(broken, rng).errors().values()) > 2 * NOISE
