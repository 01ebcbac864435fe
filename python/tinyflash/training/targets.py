"""Targets of a model on the host: targets and losses in real units."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.compiler import Prepared
from tinyflash.errors import DataError
from tinyflash.graph import Graph, LookupAttrs, Port
from tinyflash.runtime.session import Int8Array, Outcome
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme.loss import LossName

Reals = npt.NDArray[np.float64]

# A probability of 0 or 1, in units of 1/256, means less than half a unit from the end.
LEAST_PROBABILITY = 2.0**-9


@dataclass(frozen=True)
class Objective:
    """A loss with a target. `target`: how targets are stored; `output`: how outputs are stored.

    probabilities: whether an output is a probability, not a logit.
    """

    loss: LossName
    target: Port
    output: Port
    probabilities: bool

    @property
    def size(self) -> int:
        """The number of values in one target."""
        return self.target.shape[1]

    def encode(self, y: npt.NDArray[Any]) -> Int8Array:
        """Encodes targets [n, ...] in real units, or probabilities -> stored [n, size]."""
        if y.size != len(y) * self.size:
            raise DataError(f"targets have shape {y.shape}; the network has {self.size} outputs")
        rows = y.reshape(len(y), self.size)
        if rows.dtype.kind not in "buif":
            raise DataError(f"targets are {y.dtype}, not numbers")
        low, high = self.range
        for i, j in np.argwhere(~((rows >= low) & (rows <= high)))[:1]:
            raise DataError(
                f"target [{i}, {j}] is {rows[i, j]}; this network's outputs range from "
                f"{low:.6g} to {high:.6g}"
            )
        return encode(self.target, rows)

    @property
    def range(self) -> tuple[float, float]:
        """Returns the range of targets that can be stored, including half a unit of rounding."""
        if self.loss == "binary_cross_entropy":
            return 0.0, 1.0
        assert self.target.quant is not None
        scale, zero = self.target.quant.scale[0], self.target.quant.zero
        return scale * (-128.5 - zero), scale * (127.5 - zero)

    def of_step(self, outcome: Outcome) -> float:
        """Returns the loss of one training step. For the binary cross-entropy: the mean distance of
        the probabilities from the target, as a device counts it (SPEC 4.8)."""
        mean = outcome.error / self.size
        if self.loss == "binary_cross_entropy":
            return mean / 2**15
        assert self.target.quant is not None
        return mean * self.target.quant.scale[0] ** 2

    def of_outputs(self, outputs: Int8Array, targets: Int8Array) -> float:
        """Returns the mean loss of stored outputs and targets, [n, ...] each."""
        y = reals(self.output, outputs).reshape(targets.shape)
        t = reals(self.target, targets)
        if self.loss == "mean_squared_error":
            return float(np.mean((y - t) ** 2))
        p = y if self.probabilities else logistic(y)
        p = np.clip(p, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        return float(np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p)))


def objective_of(prepared: Prepared) -> Objective | None:
    """Returns the objective of a network under its scheme; None if it learns from labels."""
    target, forward = prepared.target, prepared.forward
    if prepared.scheme is None or target is None:
        return None
    loss = prepared.scheme.loss.kind
    return Objective(loss, target, forward.output, _ends_in_logistic(forward))


def _ends_in_logistic(graph: Graph) -> bool:
    """Whether a logistic is between the logits and the output."""
    tensor = graph.output.tensor
    while tensor != graph.logits:
        node = graph.producer(tensor)
        assert node is not None
        if isinstance(node.attrs, LookupAttrs) and node.attrs.function == "logistic":
            return True
        tensor = node.inputs["x"]
    return False


def logistic(logits: Reals) -> Reals:
    """Returns 1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # 1 / inf is right
        p: Reals = 1 / (1 + np.exp(-logits))
    return p


def real_inputs(port: Port, x: Int8Array) -> Reals:
    """Decodes stored samples [n, ...] to real units, [n, elements]."""
    return reals(port, x).reshape(len(x), prod(port.shape))


def reals(port: Port, stored: Int8Array) -> Reals:
    """Returns stored values in real units, for any type of port."""
    values = decode(port, stored).astype(np.float64)
    if port.dtype == "float32":
        return values
    if port.quant is None:
        raise DataError(f"{port.tensor} has no scale, so its real values are unknown")
    return port.quant.scale[0] * (values - port.quant.zero)
