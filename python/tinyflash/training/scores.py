"""How well a network answers: accuracy, confusion, precision and recall, errors of numbers.

Each function returns a dict for JSON, with stable keys. Shares are in percent; None: undefined,
such as the precision of a class that is never predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.runtime.session import Labels
from tinyflash.training.targets import LEAST_PROBABILITY

Reals = npt.NDArray[np.float64]
Scores = dict[str, Any]


def of_classes(scores: Reals, labels: Labels, loss: float | None, names: Sequence[str]) -> Scores:
    """Scores of a classifier.

    scores: [n][classes], of which the highest is the answer, the first of equals. labels: [n].
    loss: mean cross-entropy in nats; None if unknown. names: of all classes, or empty.
    """
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    confusion = np.zeros((classes, classes), np.int64)  # [label][predicted]
    np.add.at(confusion, (labels, predicted), 1)
    correct, counts, guesses = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    rows = [
        {
            "label": i,
            "name": names[i] if names else None,
            "samples": int(counts[i]),
            "predicted": int(guesses[i]),
            "correct": int(correct[i]),
            **_shares(int(correct[i]), int(guesses[i] - correct[i]), int(counts[i] - correct[i])),
        }
        for i in range(classes)
    ]
    return {
        "task": "classes",
        "samples": len(labels),
        "correct": int(correct.sum()),
        "accuracy": _percent(int(correct.sum()), len(labels)),
        "most_frequent": _percent(int(counts.max()), len(labels)),
        "macro_f1": _mean([row["f1"] for row in rows]),
        "loss": loss,
        "classes": rows,
        "confusion": confusion.tolist(),
    }


def cross_entropy(scores: Reals, labels: Labels, *, probabilities: bool) -> float:
    """Returns the mean cross-entropy, in nats. scores: [n][classes], logits or probabilities. A
    stored probability of 0 counts as half a unit."""
    chosen = scores[np.arange(len(labels)), labels]
    if probabilities:
        return float(np.mean(-np.log(np.maximum(chosen, LEAST_PROBABILITY))))
    highest = scores.max(axis=1)
    total = np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float(np.mean(total + highest - chosen))


def of_events(probabilities: Reals, truth: Reals, names: Sequence[str]) -> Scores:
    """Scores of independent yes-or-no answers, [n][outputs] each. truth: probabilities, 0 to 1.
    Above a half is yes, in both."""
    said, true = probabilities > 0.5, truth > 0.5
    hits = (said & true).sum(axis=0)
    rows = [
        {
            "output": i,
            "name": names[i] if names else None,
            "yes": int(true[:, i].sum()),
            "said_yes": int(said[:, i].sum()),
            "both": int(hits[i]),
            "accuracy": _percent(int((said == true)[:, i].sum()), len(true)),
            **_shares(
                int(hits[i]), int((said & ~true)[:, i].sum()), int((~said & true)[:, i].sum())
            ),
        }
        for i in range(true.shape[1])
    ]
    p = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return {
        "task": "events",
        "samples": len(true),
        "correct": int((said == true).sum()),
        "answers": true.size,
        "accuracy": _percent(int((said == true).sum()), true.size),
        "all_correct": _percent(int((said == true).all(axis=1).sum()), len(true)),
        "macro_f1": _mean([row["f1"] for row in rows]),
        "loss": float(np.mean(-truth * np.log(p) - (1 - truth) * np.log(1 - p))),
        "outputs": rows,
    }


def of_numbers(found: Reals, truth: Reals, names: Sequence[str]) -> Scores:
    """Scores of numbers, [n][outputs] each, in real units. loss: the mean squared error. r2: the
    share of the variance that is explained; None for a constant truth."""
    rows = [
        {"output": i, "name": names[i] if names else None, **_errors(found[:, i], truth[:, i])}
        for i in range(truth.shape[1])
    ]
    return {
        "task": "numbers",
        "samples": len(truth),
        "loss": float(np.mean((found - truth) ** 2)),
        **_errors(found, truth),
        "r2": _mean([row["r2"] for row in rows]),
        "outputs": rows,
    }


def _errors(found: Reals, truth: Reals) -> Scores:
    error = found - truth
    spread = float(np.mean((truth - truth.mean()) ** 2))
    squared = float(np.mean(error**2))
    return {
        "rmse": math.sqrt(squared),
        "mae": float(np.mean(np.abs(error))),
        "largest": float(np.abs(error).max()),
        "bias": float(error.mean()),
        "r2": None if spread == 0 else 1 - squared / spread,
    }


def _shares(hits: int, wrong: int, missed: int) -> Scores:
    """Precision, recall and F1, from true positives, false positives and false negatives."""
    return {
        "precision": _percent(hits, hits + wrong),
        "recall": _percent(hits, hits + missed),
        "f1": _percent(2 * hits, 2 * hits + wrong + missed),
    }


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are defined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
