"""The gradient of every loss against torch's own, within half a step; and the loss a host tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.autograd import torch
from tests.support.graphs import Net

from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.losses import PROBABILITY
from tinyflash.compiler.preconditions import check_preconditions
from tinyflash.errors import ModelError, SchemeError
from tinyflash.graph import Graph, Port, Quant
from tinyflash.reference import Machine, backward
from tinyflash.reference.operators import OPERATORS
from tinyflash.reference.scales import EXPONENT_MIN
from tinyflash.runtime.session import Outcome
from tinyflash.scheme.loss import Loss
from tinyflash.training.targets import Objective

functional: Any = torch.nn.functional


def network(outputs: int, scale: float, zero: int = -9) -> Graph:
    """One layer, of whose output only the size and the scale matter."""
    net = Net(np.random.default_rng(outputs))
    graph = net.graph(net.fully_connected(net.input((1, 3)), outputs))
    logits = graph.tensors[graph.logits]
    quant = Quant((float(np.float32(scale)),), zero)
    return replace(graph, tensors={**graph.tensors, logits.name: replace(logits, quant=quant)})


def run(graph: Graph, loss: Loss, x: np.ndarray, target: np.ndarray | int) -> tuple[Any, Machine]:
    """The loss alone: dy in real units, and the machine after it."""
    machine = Machine(differentiate(graph, loss=loss))
    machine.values[graph.logits] = x.reshape(1, -1)
    if isinstance(target, int):
        machine.environment.label = target
    else:
        machine.values["target"] = target.reshape(1, -1)
    node = next(n for n in machine.graph.nodes if n.op.endswith("_loss"))
    OPERATORS[node.op](machine.environment, node)
    name = node.outputs["dy"]
    return machine.values[name].ravel() * 2.0 ** machine.scales[name].exponent, machine


def real(graph: Graph, x: np.ndarray) -> Any:
    quant = graph.tensors[graph.logits].quant
    assert quant is not None
    return torch.tensor((x - quant.zero) * quant.scale[0]).requires_grad_()


def check(dy: np.ndarray, exact: np.ndarray, machine: Machine, slack: float) -> None:
    """Within half a unit of dy, which uses 6 of its 7 bits at least, and `slack` of tables."""
    (scale, *_) = machine.environment.scale_list
    assert (
        np.abs(dy - exact) <= 0.5 * 2.0**scale.exponent + slack + 2.0**-15 * np.abs(exact)
    ).all()
    if scale.exponent > EXPONENT_MIN and scale.peak:
        assert np.abs(dy).max() >= 63 * 2.0**scale.exponent


SCALES = (1e-6, 0.003, 0.1, 40.0)


def drawn(outputs: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([outputs, round(1e6 * scale)])
    return rng.integers(-128, 128, outputs), rng.integers(-128, 128, outputs)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("outputs", [1, 2, 37, 2000])
def test_mean_squared_error(outputs: int, scale: float) -> None:
    graph, (x, t) = network(outputs, scale), drawn(outputs, scale)
    dy, machine = run(graph, Loss("mean_squared_error"), x, t)
    predictions = real(graph, x)
    loss = functional.mse_loss(predictions, real(graph, t).detach())
    loss.backward()
    check(dy, predictions.grad.numpy(), machine, 0.0)
    objective = _objective("mean_squared_error", graph)
    told = objective.of_step(Outcome(0, 0.0, machine.environment.error))
    assert told == pytest.approx(float(loss.detach()), rel=1e-6)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("outputs", [1, 2, 37, 2000])
def test_binary_cross_entropy(outputs: int, scale: float) -> None:
    graph, (x, t) = network(outputs, scale), drawn(outputs, scale)
    dy, machine = run(graph, Loss("binary_cross_entropy"), x, t)
    logits, p = real(graph, x), torch.tensor((t + 128) / 255)
    functional.binary_cross_entropy_with_logits(logits, p).backward()
    check(dy, logits.grad.numpy(), machine, 2.0**-15 / outputs)  # of Q and t half a unit each
    distance = float((logits.sigmoid() - p).abs().mean().detach())
    objective = _objective("binary_cross_entropy", graph)
    told = objective.of_step(Outcome(0, 0.0, machine.environment.error))
    assert told == pytest.approx(distance, abs=2.0**-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("classes", [2, 10, 300])
def test_cross_entropy_with_label_smoothing(classes: int, smoothing: float) -> None:
    graph, (x, _) = network(classes, 0.06), drawn(classes, 0.06)
    dy, machine = run(graph, Loss(smoothing=smoothing), x, 1)
    logits = real(graph, x)
    loss = functional.cross_entropy(logits[None], torch.tensor([1]), label_smoothing=smoothing)
    loss.backward()
    check(dy, logits.grad.numpy(), machine, 3 * 2.0**-15)  # E, p and the target


def test_a_perfect_output_has_no_gradient() -> None:
    graph, (x, _) = network(5, 1e-6), drawn(5, 0.1)
    dy, machine = run(graph, Loss("mean_squared_error"), x, x)
    assert not dy.any()
    assert machine.environment.error == 0
    assert machine.environment.scale_list[0].exponent >= EXPONENT_MIN


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_cross_entropy"])
def test_a_gradient_without_its_mean_is_noticed(loss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, (x, t) = network(37, 0.1), drawn(37, 0.1)
    exact, _ = run(graph, Loss(loss), x, t)
    whole = backward._towards_target
    monkeypatch.setattr(
        backward,
        "_towards_target",
        lambda g, f, error: whole(g, replace(f, exponent=f.exponent + 5), error),
    )
    wrong, machine = run(graph, Loss(loss), x, t)
    with pytest.raises(AssertionError):
        check(wrong, exact, machine, 0.0)


@pytest.mark.parametrize("scale", [1e-20, 1e5])
def test_scales_beyond_the_range_of_gradients_are_refused(scale: float) -> None:
    graph = differentiate(network(3, scale), loss=Loss("mean_squared_error"))
    loss = replace(graph, nodes=(graph.node("loss", "squared_loss"),))
    with pytest.raises(ModelError, match="beyond the range of a gradient"):
        check_preconditions(loss)


def test_outputs_that_are_too_many_are_refused() -> None:
    graph = differentiate(network(65536, 0.1), loss=Loss("mean_squared_error"))
    with pytest.raises(SchemeError, match="65,536 elements"):
        check_preconditions(graph)


def _objective(loss: Any, graph: Graph) -> Objective:
    logits = graph.tensors[graph.logits]
    quant = logits.quant if loss == "mean_squared_error" else PROBABILITY
    target = Port("target", "float32", (1, logits.size), quant)
    return Objective(loss, target, graph.output, probabilities=False)
