"""Trains one network in float and judges it: a pure function of network, samples, effort and seed.

Imports torch only when it trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tinyflash.errors import DataError
from tinyflash.paths import how_to_install
from tinyflash.quantize.floatgraph.graph import Weights
from tinyflash.search.designs.layers import Network, map_values
from tinyflash.search.designs.task import Part, Task

if TYPE_CHECKING:
    from tinyflash.search.designs.torchnet import TorchNetwork

_RATE = 3e-3
_LARGE, _BATCH, _SMALL_BATCH = 2000, 64, 32  # samples from which on batches are larger
_LAYER_SECONDS = 1.5e-3  # of one layer and a batch, on a slow core
_VALUE_SECONDS = 2e-8  # of one value of a map: forward, backward, normalisation, activation
_MAC_SECONDS = 3e-11  # of one multiply-add


@dataclass(frozen=True)
class Score:
    """accuracy: share of the validation samples that are right. loss: their cross-entropy."""

    accuracy: float
    loss: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better; of equal accuracies, the one of the lower loss."""
        return self.accuracy, -self.loss

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Score:
        return Score(**fields)


def seconds(design: Network, samples: int) -> float:
    """Returns how long training takes on one core of a slow computer. No clock is read, so that the
    same options do the same work everywhere. Memory and calls take the time, not multiply-adds."""
    layers = sum(layer.has_weights for layer in design.layers)
    values = map_values(design.shape, design.layers)
    calls = layers * _LAYER_SECONDS / _SMALL_BATCH
    return samples * (calls + values * _VALUE_SECONDS + design.macs * _MAC_SECONDS)


def check_torch() -> None:
    """Raises DataError if torch is missing."""
    if find_spec("torch") is None:
        raise DataError(f"design trains networks with torch; run: {how_to_install('torch')}")


def trial(design: Network, task: Task, samples: int, seed: int) -> Score:
    """Trains with so many samples, drawn in epochs, and judges by the validation samples."""
    with _one_thread():
        return judged(_trained(design, task, samples, seed), task.validation, task)


def train(design: Network, task: Task, samples: int, seed: int) -> tuple[dict[str, Weights], Score]:
    """Returns the same network's weights, which read samples in real units, and its score."""
    with _one_thread():
        network = _trained(design, task, samples, seed)
        return _in_real_units(network, task), judged(network, task.validation, task)


def _trained(design: Network, task: Task, samples: int, seed: int) -> TorchNetwork:
    from tinyflash.search.designs.torchnet import fit_samples

    batch = _BATCH if len(task.train) >= _LARGE else _SMALL_BATCH
    x = task.train.x / task.spread
    return fit_samples(
        design.shape, design.layers, (x, task.train.y), samples, batch, _RATE, seed, design.family
    )


def judged(network: TorchNetwork, part: Part, task: Task) -> Score:
    from tinyflash.search.designs.torchnet import accuracy_and_loss

    return Score(*accuracy_and_loss(network, (part.x / task.spread, part.y)))


def _in_real_units(network: TorchNetwork, task: Task) -> dict[str, Weights]:
    """Returns the weights of a network that was trained with samples divided by their spread. What
    comes before the first layer with weights is linear."""
    found = network.folded()
    first = next(layer.name for layer in network.layers if layer.has_weights)
    found[first] = Weights(found[first].w / task.spread, found[first].b)
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks as small as these wait longer for other threads than they compute; and a result must
    not depend on how many there are."""
    check_torch()
    from tinyflash.search.designs.torchnet import threads

    before = threads(1)
    try:
        yield
    finally:
        threads(before)
