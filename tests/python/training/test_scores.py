"""Scores of answers, held against definitions written out one sample at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyflash.training.scores import cross_entropy, of_classes, of_events, of_numbers


def by_hand(labels: list[int], answers: list[int], one: int) -> tuple[float | None, ...]:
    """Precision, recall and F1 of one class in percent, as scikit-learn defines them."""
    tp = sum(a == one == b for a, b in zip(labels, answers, strict=True))
    said, true = answers.count(one), labels.count(one)
    precision, recall = (100 * tp / n if n else None for n in (said, true))
    if not said and not true:
        return precision, recall, None
    return precision, recall, 100 * tp / ((said + true) / 2)


def test_six_samples_counted_by_hand() -> None:
    """Class 0: 2 of 3 found, 2 of 3 answers right; class 1: 1 of 2, 1 of 3; class 2: 0 of 1."""
    labels = np.array([0, 0, 0, 1, 1, 2])
    answers = [0, 0, 1, 1, 0, 1]
    found = of_classes(np.eye(4)[answers], labels, 0.25, ("a", "b", "c", "d"))
    assert found["confusion"] == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert (found["correct"], found["samples"], found["loss"]) == (3, 6, 0.25)
    pairs = [(e["label"], e["answer"], e["samples"]) for e in found["confusions"]]
    assert pairs == [(0, 1, 1), (1, 0, 1), (2, 1, 1)]
    assert found["top_5"] is None
    assert found["accuracy"] == found["most_frequent"] == 50
    a, b, c, d = found["classes"]
    assert (a["precision"], a["recall"]) == (pytest.approx(200 / 3), pytest.approx(200 / 3))
    assert (b["precision"], b["recall"], b["f1"]) == (pytest.approx(100 / 3), 50, 40)
    assert (c["samples"], c["predicted"], c["precision"], c["recall"], c["f1"]) == (
        1,
        0,
        None,
        0,
        0,
    )
    assert (d["precision"], d["recall"], d["f1"], d["name"]) == (None, None, None, "d")
    assert found["macro_f1"] == pytest.approx((200 / 3 + 40 + 0) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_as_counted_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(0, 7, 60), rng.integers(-3, 3, (60, 9)).astype(float)
    answers = [max(range(9), key=lambda i: (row[i], -i)) for row in scores.tolist()]
    found = of_classes(scores, labels, None, ())
    for row in found["classes"]:
        wanted = by_hand(labels.tolist(), answers, row["label"])
        for key, value in zip(("precision", "recall", "f1"), wanted, strict=True):
            assert row[key] == (None if value is None else pytest.approx(value)), (row, key)
    assert sum(map(sum, found["confusion"])) == 60
    for label, answer in zip(labels.tolist(), answers, strict=True):
        found["confusion"][label][answer] -= 1
    assert not any(map(any, found["confusion"]))


def test_tens_of_thousands_of_classes_need_no_matrix() -> None:
    scores, labels = np.zeros((6, 60_000)), np.array([5, 4, 59_999, 7, 7, 7])
    scores[:3, 59_999] = 1
    scores[3:, 9] = 1
    found = of_classes(scores, labels, None, ())
    assert found["confusion"] is None
    assert found["confusions"][0] == {"label": 7, "answer": 9, "samples": 3}
    assert found["correct"] == 1
    assert found["top_5"] == pytest.approx(100 / 6 * 1)  # 5 and 4 follow 59,999 and 0 to 3
    labels[1] = 3
    assert of_classes(scores, labels, None, ())["top_5"] == pytest.approx(100 / 6 * 2)


def test_cross_entropy_of_logits_and_of_probabilities() -> None:
    logits, labels = np.array([[2.0, 0.0, -1.0], [900.0, 0.0, 0.0]]), np.array([1, 0])
    total = math.exp(2) + 1 + math.exp(-1)
    wanted = math.log(total) / 2  # of the first; the second is certain, and right
    assert cross_entropy(logits, labels, probabilities=False) == pytest.approx(wanted)
    p = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert cross_entropy(p, labels, probabilities=True) == pytest.approx(math.log(4) / 2)
    never = cross_entropy(p, np.array([1, 2]), probabilities=True)
    assert never == pytest.approx((math.log(4) + math.log(512)) / 2)


def test_events_are_counted_by_output() -> None:
    p = np.array([[0.9, 0.2], [0.5, 0.8], [0.6, 0.7]])
    truth = np.array([[1, 0], [1, 0], [0, 1.0]])
    found = of_events(p, truth, ("hot", "wet"))
    assert (found["correct"], found["answers"]) == (3, 6)
    assert (found["accuracy"], found["all_correct"]) == (50, pytest.approx(100 / 3))
    hot, wet = found["outputs"]
    assert (hot["yes"], hot["said_yes"], hot["both"]) == (2, 2, 1)
    assert (hot["precision"], hot["recall"], hot["f1"]) == (50, 50, 50)
    assert (wet["precision"], wet["recall"], wet["f1"]) == (50, 100, pytest.approx(200 / 3))
    logs = [0.9, 0.8, 0.5, 0.2, 0.4, 0.7]
    assert found["loss"] == pytest.approx(-sum(map(math.log, logs)) / 6)


def test_numbers_are_compared() -> None:
    found = np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    truth = np.array([[1.0, 4.0], [3.0, 4.0], [5.0, 4.0]])
    scores = of_numbers(found, truth, ())
    assert scores["loss"] == pytest.approx((0 + 1 + 1 + 3) / 6)
    assert scores["rmse"] == pytest.approx(math.sqrt(5 / 6))
    assert (scores["mae"], scores["largest"]) == (pytest.approx(5 / 6), 1)
    one, two = scores["outputs"]
    assert one["r2"] == pytest.approx(1 - (2 / 3) / (8 / 3))
    assert (two["r2"], two["bias"], two["rmse"]) == (None, 1, 1)
    assert scores["r2"] == one["r2"]
