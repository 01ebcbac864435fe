"""Targets in real units, and what is told of losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.graphs import Layer, Net

from tinyflash.compiler import compile_model, prepare
from tinyflash.errors import DataError
from tinyflash.graph import Graph, Quant
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Outcome
from tinyflash.scheme import Scheme, parse_scheme
from tinyflash.training.loop import Recipe, evaluate, train
from tinyflash.training.samples import load_with_targets, split
from tinyflash.training.targets import Objective, objective_of

SQUARED = parse_scheme('loss = "mean_squared_error"')
BINARY = parse_scheme('loss = "binary_cross_entropy"')


def autoencoder(end: str | None = None) -> Graph:
    """From 12 numbers to 5 to 12; input of scale 0.03, zero point -7."""
    net = Net(np.random.default_rng(1))
    x = net.fully_connected(net.input((1, 12)), 5, Layer(zero=-60))
    y = net.fully_connected(x, 12)
    return net.graph(y if end is None else net.function(y, end))


def objective(graph: Graph, scheme: Scheme) -> Objective:
    found = objective_of(prepare(graph, scheme))
    assert found is not None
    return found


def quant(graph: Graph) -> Quant:
    found = graph.tensors[graph.output.tensor].quant
    assert found is not None
    return found


def test_labels_have_no_objective() -> None:
    assert objective_of(prepare(autoencoder(), parse_scheme(""))) is None


def test_targets_are_stored_as_the_output_is() -> None:
    graph = autoencoder()
    scale, zero = quant(graph).scale[0], quant(graph).zero
    y = np.arange(24).reshape(2, 3, 4) * scale
    stored = objective(graph, SQUARED).encode(y)
    assert stored.dtype == np.int8
    assert stored.tolist() == (np.arange(24).reshape(2, 12) + zero).tolist()


def test_the_functions_at_the_end_belong_to_the_loss_or_to_the_network() -> None:
    """A squared error is that of what the network hands out; the cross-entropy reads logits."""
    graph = autoencoder("logistic")
    assert objective(graph, SQUARED).target.quant == quant(graph) == Quant((1 / 256,), -128)
    assert objective(graph, BINARY).probabilities
    assert not objective(autoencoder(), BINARY).probabilities


def test_probabilities_are_bytes() -> None:
    stored = objective(autoencoder(), BINARY).encode(np.tile([0, 1, 0.4], (1, 4)))
    assert stored[0, :3].tolist() == [-128, 127, -26]


@pytest.mark.parametrize(
    ("scheme", "y", "complaint"),
    [
        (SQUARED, np.zeros((2, 11)), r"shape \(2, 11\); the network has 12 outputs"),
        (SQUARED, np.full((2, 12), 99.0), r"target \[0, 0\] is 99.0.*outputs range from"),
        (SQUARED, np.full((2, 12), np.nan), "is nan"),
        (BINARY, np.full((2, 12), 1.01), "range from 0 to 1"),
        (BINARY, np.full((2, 12), "yes"), "not numbers"),
    ],
)
def test_other_targets_are_refused(scheme: Scheme, y: np.ndarray, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        objective(autoencoder(), scheme).encode(y)


def test_the_loss_of_outputs() -> None:
    graph = autoencoder()
    outputs = np.zeros((1, 12), np.int8)
    targets = np.full((1, 12), 4, np.int8)
    scale = quant(graph).scale[0]
    told = objective(graph, SQUARED).of_outputs(outputs, targets)
    assert told == pytest.approx((4 * scale) ** 2)
    assert objective(graph, SQUARED).of_step(Outcome(0, 0.0, 12 * 16)) == pytest.approx(told)
    p = 1 / (1 + np.exp(-scale * -quant(graph).zero))
    likely = objective(graph, BINARY).of_outputs(outputs, np.full((1, 12), 127, np.int8))
    assert likely == pytest.approx(-np.log(p))


def test_an_autoencoder_learns_its_samples(tmp_path: Path) -> None:
    """Without targets in the file, a sample is its own."""
    graph = autoencoder()
    goal = objective(graph, SQUARED)
    random = np.random.default_rng(0)
    x = np.rint(random.normal(0, 15, (60, 3)) @ random.normal(0, 1, (3, 12))).clip(-128, 127)
    np.savez(tmp_path / "d.npz", x=x.astype(np.int8))
    samples = load_with_targets(tmp_path / "d.npz", graph.input, goal)
    real = 0.03 * (x + 7)
    stored = np.clip(real / quant(graph).scale[0] + quant(graph).zero, -128, 127)
    assert np.abs(samples.y - stored).max() <= 0.5001
    kept, held_out = split(samples, 0.25, seed=1)
    assert (len(kept), len(held_out)) == (45, 15)
    scheme = parse_scheme('loss = "mean_squared_error"\n[[update]]\nbias = true\nweights = 1')
    session = HostSession(compile_model(graph, scheme, calibration=(kept.x, kept.y)).program)
    before = evaluate(session, held_out, goal).score
    history = train(session, kept, Recipe(epochs=6, rate=0.1), objective=goal)
    after = evaluate(session, held_out, goal).score
    assert after < 0.5 * before
    assert np.mean([step.loss for step in history.steps[-45:]]) < 0.7 * before
    assert history.steps[0].correct is None


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({}, "no array 'x'"),
        ({"x": np.zeros((2, 12)), "y": np.zeros((3, 12))}, "2 samples and 3 targets"),
        ({"x": np.zeros((2, 12)), "y": np.full((2, 12), 99)}, r"d.npz, y: target \[0, 0\]"),
        ({"x": np.zeros((0, 12)), "y": np.zeros((0, 12))}, "has no samples"),
        ({"x": np.zeros((0, 12))}, "has no samples"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    graph = autoencoder()
    with pytest.raises(DataError, match=complaint) as caught:
        load_with_targets(tmp_path / "d.npz", graph.input, objective(graph, SQUARED))
    assert "\n" not in str(caught.value)


def test_samples_are_no_targets_of_probabilities(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 12)))
    graph = autoencoder()
    with pytest.raises(DataError, match=r"no array 'y'.*autoencoder"):
        load_with_targets(tmp_path / "d.npz", graph.input, objective(graph, BINARY))


def test_labels_and_targets_are_not_mixed_up() -> None:
    graph = autoencoder()
    x, y = np.zeros(12, np.int8), np.zeros(12, np.int8)
    towards = HostSession(compile_model(graph, SQUARED).program)
    with pytest.raises(DataError, match="learns from targets of 12 elements"):
        towards.train_step(x, 0, 0.1)
    with pytest.raises(DataError, match="a target has 11 elements"):
        towards.train_on_target(x, y[1:], 0.1)
    with pytest.raises(DataError, match="there is no learning rate"):
        towards.train_on_target(x, y)
    with pytest.raises(DataError, match="the model learns from targets; train it without a guard"):
        towards.start_guard(x[None], np.zeros(1, np.int64), 1, 0)
    labelled = HostSession(compile_model(graph, parse_scheme("")).program)
    with pytest.raises(DataError, match="learns from labels"):
        labelled.train_on_target(x, y, 0.1)
