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

MATRIX = 100  # classes of the largest confusion matrix


def of_classes(
    scores: Reals, labels: Labels, loss: float | None = None, names: Sequence[str] = ()
) -> Scores:
    """Scores of a classifier.

    scores: [n][classes], of which the highest is the answer, the first of equals. labels: [n].
    loss: mean cross-entropy in nats; None if unknown. names: of all classes, or empty. top_5: only
    with more than 10 classes. confusion: [label][answer], with at most 100 classes; confusions are
    its wrong answers, with any number of them.
    """
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    hit = predicted == labels
    counts, guesses, correct = (
        np.bincount(found, minlength=classes) for found in (labels, predicted, labels[hit])
    )
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
        "correct": int(hit.sum()),
        "accuracy": _percent(int(hit.sum()), len(labels)),
        "top_5": _percent(_among_first(scores, labels, 5), len(labels)) if classes > 10 else None,
        "most_frequent": _percent(int(counts.max()), len(labels)),
        "macro_f1": _mean([row["f1"] for row in rows]),
        "loss": loss,
        "classes": rows,
        "confusions": _confusions(labels[~hit], predicted[~hit], classes),
        "confusion": confusion(labels, predicted, classes) if classes <= MATRIX else None,
    }


def _confusions(labels: Labels, answers: Labels, classes: int) -> list[Scores]:
    """Returns the wrong answers, the most frequent pair of label and answer first."""
    pairs, counts = np.unique(labels * classes + answers, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    found = zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    return [{"label": p // classes, "answer": p % classes, "samples": n} for p, n in found]


def confusion(labels: Labels, answers: Labels, classes: int) -> list[list[int]]:
    """Returns how many samples of each label got each answer, [label][answer]."""
    counts = np.bincount(labels * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes).tolist()


def _among_first(scores: Reals, labels: Labels, count: int) -> int:
    """Returns how many labels are among the `count` highest scores; of equals the first are."""
    own = scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(scores.shape[1]) < labels[:, None]
    ahead = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return int((ahead < count).sum())


def cross_entropy(scores: Reals, labels: Labels, *, probabilities: bool) -> float:
    """Returns the mean cross-entropy, in nats. scores: [n][classes], logits or probabilities. A
    stored probability of 0 counts as half a unit."""
    chosen = scores[np.arange(len(labels)), labels]
    if probabilities:
        return float(np.mean(-np.log(np.maximum(chosen, LEAST_PROBABILITY))))
    highest = scores.max(axis=1)
    total = np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float(np.mean(total + highest - chosen))


def of_events(probabilities: Reals, truth: Reals, names: Sequence[str] = ()) -> Scores:
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


def of_numbers(found: Reals, truth: Reals, names: Sequence[str] = ()) -> Scores:
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
