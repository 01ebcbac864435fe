"""What a network is asked with the samples of a file, and what is right: `Question.score`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers
from tinyflash.compiler import Prepared
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes
from tinyflash.graph import Graph, LookupAttrs, Port
from tinyflash.runtime.session import Int8Array
from tinyflash.training import scores
from tinyflash.training.samples import Source, load_labels, load_pairs
from tinyflash.training.targets import logistic, real_inputs, reals

Task = Literal["classes", "events", "numbers"]
_TASKS: dict[str, Task] = {
    "cross_entropy": "classes",
    "binary_cross_entropy": "events",
    "mean_squared_error": "numbers",
}
_MOVES = ("reshape", "quantize")  # after the function that ends a network
_NAMES_BYTES = 1 << 20


@dataclass(frozen=True)
class Question:
    """Samples x int8 [n, ...] with the truth: labels int64 [n], or real numbers [n, outputs].

    output: how the network stores its answers. end: the function that it ends in, such as softmax.
    """

    task: Task
    x: Int8Array
    truth: npt.NDArray[np.int64 | np.float64]
    output: Port
    end: str

    @property
    def count(self) -> int:
        """The number of classes, or of outputs. One output that says yes or no has two classes."""
        size = prod(self.output.shape)
        return max(2, size) if self.task == "classes" else size

    def score(self, outputs: Int8Array, names: Sequence[str] = ()) -> scores.Scores:
        """Scores stored outputs [n, outputs]. names: of the classes or outputs; empty: unknown."""
        self.check_names(names)
        found = reals(self.output, outputs).reshape(len(outputs), -1)
        if self.task == "numbers":
            return scores.of_numbers(found, self.truth.astype(np.float64), names)
        if self.task == "events":
            p = found if self.end == "logistic" else logistic(found)
            return scores.of_events(p, self.truth.astype(np.float64), names)
        return self._of_classes(found, names)

    def check_names(self, names: Sequence[str]) -> None:
        """Raises DataError unless there is one name for each class or output, or none at all."""
        if names and len(names) != self.count:
            what = "classes" if self.task == "classes" else "outputs"
            raise DataError(f"{len(names)} names are given; the network has {self.count} {what}")

    def _of_classes(self, found: scores.Reals, names: Sequence[str]) -> scores.Scores:
        labels = self.truth.astype(np.int64)
        if found.shape[1] == 1:  # one output says yes or no: its logit, or its probability
            p = found if self.end == "logistic" else logistic(found)
            both = np.hstack([1 - p, p])
            one = scores.cross_entropy(both, labels, probabilities=True)
            return scores.of_classes(both, labels, one, names)
        loss: float | None = None
        if self.end not in ("logistic", "tanh"):  # which are no logits
            loss = scores.cross_entropy(found, labels, probabilities=self.end == "softmax")
        return scores.of_classes(found, labels, loss, names)


def load_question(data: Path | Source, prepared: Prepared) -> Question:
    """Loads the samples of an .npz file or a set, as for training. Without a scheme, y says what is
    asked: labels, yes or no (if the network ends in a logistic), or numbers."""
    forward = prepared.forward
    x, y = load_pairs(data, prepared.whole.input)
    end = _end_of(forward)
    size = prod(forward.output.shape)
    scheme = prepared.scheme
    task = _asked(y, size, end) if scheme is None else _TASKS[scheme.loss.kind]
    if task == "classes":
        return Question(task, x, _labels(data, y, forward.output), forward.output, end)
    truth = _truth(data, y, prepared.whole.input, x, size)
    if task == "events":
        _check_events(truth, f"{data}, y")
        if size == 1 and np.isin(truth, (0, 1)).all():
            labels = truth[:, 0].astype(np.int64)
            return Question("classes", x, labels, forward.output, end)
    return Question(task, x, truth, forward.output, end)


def probabilities(graph: Graph, outputs: Int8Array) -> scores.Reals:
    """Returns the probability of each class, [n][classes], from stored outputs [n, classes]: those
    of a softmax, scaled to a sum of 1, or the softmax of scores."""
    found = reals(graph.output, outputs).reshape(len(outputs), -1)
    if _end_of(graph) != "softmax":
        found = np.exp(found - found.max(1, keepdims=True))
    shares: scores.Reals = found / found.sum(1, keepdims=True)
    return shares


def load_names(path: Path) -> tuple[str, ...]:
    """Loads the names of the classes: a text file, one name a line."""
    try:
        text = read_bytes(path, _NAMES_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise DataError(f"{path} cannot be read ({reason}); give one name a line") from None
    return tuple(printable(line.strip()) for line in text.splitlines() if line.strip())


def _end_of(graph: Graph) -> str:
    """Returns the function that makes the output, before those that only move bytes."""
    node = graph.producer(graph.output.tensor)
    while node is not None:
        name = node.attrs.function if isinstance(node.attrs, LookupAttrs) else node.op
        if name not in _MOVES:
            return name
        node = graph.producer(node.inputs["x"])
    return "input"


def _asked(y: Numbers | None, size: int, end: str) -> Task:
    """Returns what y asks of a network without a scheme."""
    if y is None:
        return "numbers"
    if end == "logistic" and (y.ndim > 1 or size == 1) and _within_0_and_1(y):
        return "events"
    if end in ("softmax", "log_softmax") or (y.ndim == 1 and y.dtype.kind in "biu" and size > 1):
        return "classes"
    return "numbers"


def _within_0_and_1(y: Numbers) -> bool:
    if y.dtype.kind not in "biuf":
        return False
    numbers = y.astype(np.float64)
    return bool(((numbers >= 0) & (numbers <= 1)).all())


def _labels(data: Path | Source, y: Numbers | None, output: Port) -> npt.NDArray[np.int64]:
    classes = output.shape[-1]
    if classes < 2 or prod(output.shape) != classes:
        raise DataError(
            f"the network's output, of shape {list(output.shape)}, is not a row of class scores; "
            "labels cannot be compared with it"
        )
    if y is None:
        raise DataError(f"{data} has no array 'y'; it needs x (samples) and y (labels)")
    return load_labels(y, classes, f"{data}, y")


def _truth(
    data: Path | Source, y: Numbers | None, port: Port, x: Int8Array, size: int
) -> scores.Reals:
    """Returns the right numbers, [n][outputs]; the samples themselves if there is no y."""
    if y is None:
        own = real_inputs(port, x)
        if own.shape[1] != size:
            raise DataError(f"{data} has no array 'y'; it needs x (samples) and y (labels)")
        return own
    if y.dtype.kind not in "biuf" or y.size != len(y) * size:
        raise DataError(
            f"{data}, y is {y.dtype} of shape {y.shape}; the network has {size} outputs for each "
            "sample"
        )
    truth = y.reshape(len(y), size).astype(np.float64)
    if not np.isfinite(truth).all():
        raise DataError(f"{data}, y has numbers that are not finite")
    return truth


def _check_events(truth: scores.Reals, where: str) -> None:
    for i, j in np.argwhere((truth < 0) | (truth > 1))[:1]:
        raise DataError(f"{where}[{i}, {j}] is {truth[i, j]:g}; it must be a probability, 0 to 1")
