"""How far a label can be believed: scores of single windows, and of recordings.

"Detecting Label Errors in Token Classification Data", Wang and Mueller, 2022: a recording is a
sentence, a window a token. Lower scores are more suspicious. p[t][k] is the probability that window
t is of class k, by a network that has not learned from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TEMPERATURE = 0.05  # of softmin: the smaller, the nearer to the minimum
CONSTANT = 0.1  # of product and worst_token_min_alt
COUNT = 2  # windows that expected_bad and expected_alt look at
_FLOOR = 1e-6  # of what is divided by
_TINY = 1e-5  # weight of the windows that are not flagged, among equals
SEGMENT = 3  # windows of a segment


def self_confidence(p: Reals, labels: Labels) -> Reals:
    """P of the given label: [n][classes], [n] -> [n]."""
    found: Reals = p[np.arange(len(p)), labels]
    return found


def normalized_margin(p: Reals, labels: Labels) -> Reals:
    """P of the label minus that of the best other class, moved to 0..1."""
    others = p.copy()
    others[np.arange(len(p)), labels] = -np.inf
    margin: Reals = (self_confidence(p, labels) - others.max(1) + 1) / 2
    return margin


def confidence_weighted_entropy(p: Reals, labels: Labels) -> Reals:
    """Entropy over p of the label, moved to 0..1 so that low is suspicious: log(x + 1) / x of
    x = entropy / (log(classes) * p[label])."""
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(1) / np.log(p.shape[1])
    ratio = entropy / np.maximum(self_confidence(p, labels), _FLOOR)
    score: Reals = np.log1p(ratio) / np.maximum(ratio, _FLOOR)
    return score


TOKEN_SCORES: dict[str, Callable[[Reals, Labels], Reals]] = {
    "self_confidence": self_confidence,
    "normalized_margin": normalized_margin,
    "confidence_weighted_entropy": confidence_weighted_entropy,
}


@dataclass(frozen=True)
class Sentence:
    """One recording: p [n][classes], labels [n], scores [n] of its windows, and those that are
    flagged [n]."""

    p: Reals
    labels: Labels
    scores: Reals
    flagged: Flags


def _predicted_difference(one: Sentence) -> float:
    differs = one.p.argmax(1) != one.labels
    return -float(differs.sum() + (one.p.max(1) * differs).max())


def _counts(one: Sentence, of: Callable[[Reals], np.floating]) -> float:
    bad, good = (float(of(part)) if len(part) else 0.0 for part in _parts(one))
    return -float(one.flagged.sum()) + bad + _TINY * good


def _parts(one: Sentence) -> tuple[Reals, Reals]:
    return one.scores[one.flagged], one.scores[~one.flagged]


def _lowest(one: Sentence) -> Reals:
    return np.sort(one.scores)[:COUNT]


def softmin(scores: Reals, temperature: float = TEMPERATURE) -> float:
    """The mean of scores, weighted by exp((1 - score) / temperature)."""
    weights = np.exp((scores.min() - scores) / temperature)
    return float((scores * weights).sum() / weights.sum())


SENTENCE_SCORES: dict[str, Callable[[Sentence], float]] = {
    "predicted_difference": _predicted_difference,
    "bad_token_counts": lambda one: -float(one.flagged.sum()),
    "bad_token_counts_avg": lambda one: _counts(one, np.mean),
    "bad_token_counts_min": lambda one: _counts(one, np.min),
    "good_fraction": lambda one: 1 - float(one.flagged.mean()),
    "penalize_bad_tokens": lambda one: 1 - float(((1 - one.scores) * one.flagged).mean()),
    "average_quality": lambda one: float(one.scores.mean()),
    "product": lambda one: float(np.log(one.scores + CONSTANT).sum()),
    "expected_bad": lambda one: float((_lowest(one) * np.arange(1, len(_lowest(one)) + 1)).sum()),
    "expected_alt": lambda one: float(_lowest(one).sum()),
    "worst_token": lambda one: float(one.scores.min()),
    "worst_token_min_alt": lambda one: float((one.scores - CONSTANT * one.flagged).min()),
    "worst_token_softmin": lambda one: softmin(one.scores),
}


def worst_segment(scores: Reals, length: int = SEGMENT) -> tuple[float, int]:
    """Returns the lowest mean of `length` consecutive windows, of fewer if there are no more, and
    where it begins."""
    length = min(length, len(scores))
    means = np.convolve(scores, np.full(length, 1 / length), "valid")
    at = int(means.argmin())
    return float(means[at]), at
