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
from tests.support.gradient_networks import (
    NETWORKS,
    SUMS,
    ends_in_logistic,
    residual,
    squeeze_excite,
)
from tests.support.graphs import sample

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.losses import mark_logits
from tinyflash.graph import Graph
from tinyflash.program import Factor
from tinyflash.reference import Machine
from tinyflash.reference.environment import LAYERS
from tinyflash.reference.operators import FORWARD
from tinyflash.scheme.loss import Loss, LossName

FROZEN = Factor(0, 0)
# Without headroom the roundings of a whole chain add noise of 2 % of the gradient; of 5 % behind
# max pools, where most elements are 0 and few are large.
NOISE = 0.06


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
            real |= {t: self._real(t) for role, t in node.inputs.items() if role == "alpha"}
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
