"""Label errors: scores and flags are cleanlab's, spans lead to corrections, networks are apart.

cleanlab is the oracle; without it, those tests are skipped.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set

from tinyflash.data import text
from tinyflash.data.check.flags import RULES, flag
from tinyflash.data.check.quality import (
    SENTENCE_SCORES,
    TOKEN_SCORES,
    Labels,
    Reals,
    Sentence,
    softmin,
    worst_segment,
)
from tinyflash.data.dataset import Correction, load
from tinyflash.data.shards import read
from tinyflash.errors import DataError
from tinyflash.training.crossval import folds_of

SETS = 100


def drawn(seed: int) -> tuple[Reals, Labels, list[int]]:
    """Probabilities, labels of which about 15 % are wrong, and lengths of sentences."""
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 8))
    lengths = random.integers(1, 30, int(random.integers(2, 40))).tolist()
    count = sum(lengths)
    true = random.integers(0, classes, count)
    true[:classes] = np.arange(classes)[:count]
    p = random.dirichlet(np.full(classes, 0.5), count)
    p[np.arange(count), true] += random.uniform(0, 3)
    given = np.where(random.random(count) < 0.15, random.integers(0, classes, count), true)
    return p / p.sum(1, keepdims=True), given, lengths


def sentences(values: Reals, lengths: list[int]) -> list[Reals]:
    return np.split(values, np.cumsum(lengths)[:-1])


@pytest.mark.parametrize("method", TOKEN_SCORES)
def test_scores_are_those_of_cleanlab(method: str) -> None:
    rank = pytest.importorskip("cleanlab.token_classification.rank")
    for seed in range(SETS):
        p, labels, lengths = drawn(seed)
        mine = TOKEN_SCORES[method](p, labels)
        for kind, of in (("min", np.min), ("softmin", softmin)):
            scores, tokens = rank.get_label_quality_scores(
                [part.tolist() for part in sentences(labels, lengths)],
                sentences(p, lengths),
                token_score_method=method,
                sentence_score_method=kind,
            )
            assert np.abs(np.concatenate(tokens) - mine).max() < 1e-9
            found = np.array([of(part) for part in sentences(mine, lengths)])
            assert np.abs(scores - found).max() < 1e-9


@pytest.mark.parametrize(
    ("rule", "published"),
    [("confident", "confident_learning"), ("noise-rate", "prune_by_noise_rate")],
)
def test_flags_are_those_of_cleanlab(rule: str, published: str) -> None:
    filter_ = pytest.importorskip("cleanlab.filter")
    assert rule in RULES
    for seed in range(SETS):
        p, labels, _ = drawn(seed)
        if len(np.unique(labels)) == p.shape[1]:
            expected = filter_.find_label_issues(labels, p, filter_by=published, n_jobs=1)
            assert np.array_equal(flag(p, labels, rule), expected), seed


def test_the_scores_of_a_recording_by_hand() -> None:
    """Of the paper's formulas, which cleanlab has not all: three windows, the last one wrong."""
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]])
    one = Sentence(
        p, np.array([0, 0, 1]), np.array([0.9, 0.6, 0.2]), np.array([False, False, True])
    )
    expected = {
        "predicted_difference": -(1 + 0.8),
        "bad_token_counts": -1.0,
        "bad_token_counts_avg": -1 + 0.2 + 1e-5 * 0.75,
        "bad_token_counts_min": -1 + 0.2 + 1e-5 * 0.6,
        "good_fraction": 2 / 3,
        "penalize_bad_tokens": 1 - 0.8 / 3,
        "average_quality": 1.7 / 3,
        "product": np.log(1.0) + np.log(0.7) + np.log(0.3),
        "expected_bad": 0.2 * 1 + 0.6 * 2,
        "expected_alt": 0.2 + 0.6,
        "worst_token": 0.2,
        "worst_token_min_alt": 0.1,
    }
    for method, value in expected.items():
        assert SENTENCE_SCORES[method](one) == pytest.approx(value, abs=1e-12), method
    assert set(SENTENCE_SCORES) == {*expected, "worst_token_softmin"}
    assert worst_segment(np.array([0.9, 0.1, 0.3, 0.8]), 2) == (pytest.approx(0.2), 1)
    assert worst_segment(np.array([0.5]), 3) == (pytest.approx(0.5), 0)


def test_folds_keep_groups_together() -> None:
    groups = np.repeat([5, 9, 2, 7], [10, 4, 3, 3])
    folds = folds_of(groups, 2)
    assert sorted(np.bincount(folds).tolist()) == [10, 10]
    assert all(len(np.unique(folds[groups == group])) == 1 for group in (5, 9, 2, 7))
    for count in (1, 5):
        with pytest.raises(DataError, match=f"4 groups make no {count} folds"):
            folds_of(groups, count)


# ---- The command ----


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = File(3)
    x = file.conv(file.input((1, 1, 20, 2), zero=0), (1, 3), out=4, activation=3, zero=-128)
    (tmp_path / "model.tflite").write_bytes(file.finish(file.dense(x, 2)))
    (tmp_path / "s.toml").write_text("head = 2\n[[update]]\nlast = 1\nbias = true\n")
    return tmp_path / "model.tflite"


def test_wrong_labels_are_found_and_corrected(model: Path, tmp_path: Path) -> None:
    """A recording with a wrong segment, and one that is wrong as a whole."""
    folder = tmp_path / "set"
    right = signal_set(folder, people=6)
    wrong = (Correction("p2-0", 40, 99, "high"), Correction("p4-1", 0, 209, "low"))
    text.save(replace(right, corrections=wrong))
    out = tmp_path / "out"
    command = ("data", "check", folder, "--model", model, "--scheme", tmp_path / "s.toml")
    done = tinyflash(
        *command, "--rate", "0.05", "--epochs", "2", "--folds", "3", "-o", out, "--json"
    )
    assert done.exit_code == 0, done.output
    found = json.loads((out / "check.json").read_text())
    assert json.loads(done.stdout) == found
    assert found["suspicious"]["recordings"][0]["recording"] == "p4-1"
    assert {one["recording"] for one in found["suspicious"]["segments"]} >= {"p2-0", "p4-1"}
    page = (out / "check.html").read_text()
    assert "p4-1" in page
    assert "http" not in page.replace("data:image", "")
    review = out / "review.csv"
    rows = list(csv.DictReader(review.open()))
    assert sum(row["recording"] in ("p2-0", "p4-1") for row in rows) > 0.8 * len(rows)
    for row in rows:
        row["accept"] = "yes" if row["recording"] in ("p2-0", "p4-1") else ""
    with review.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    assert tinyflash("data", "check", folder, "--fix", review).exit_code == 0
    labels = read(load(folder), right.recording("p4-1")).labels
    assert (labels == 1).mean() > 0.9
    inside = read(load(folder), right.recording("p2-0")).labels[45:95]
    assert (inside == 0).mean() > 0.9


REVIEWS = {
    "yes,p0-0,0,9,low,nothing": "'nothing' is no class of",
    "yes,p9-9,0,9,low,high": "has no frames 0 to 9 of 'p9-9'",
    "yes,p0-0,9,0,low,high": "has no frames 9 to 0 of 'p0-0'",
    "yes,p0-0,a,0,low,high": "first and last are not numbers",
    "yes,p0-0": "line 2: it lacks one of accept, recording",
    "yes,p0-0,0,200,low,high": "has no frames 0 to 200 of 'p0-0'",
    f"yes,p0-0,0,{10**30},low,high": "has no frames 0 to 1000",
    "perhaps,p0-0,0,9,low,high": "line 2: accept is 'perhaps'; write yes or no",
}


@pytest.mark.parametrize("row", REVIEWS)
def test_a_review_that_makes_no_sense_corrects_nothing(row: str, tmp_path: Path) -> None:
    signal_set(tmp_path / "set")
    before = (tmp_path / "set" / "dataset.toml").read_text()
    review = tmp_path / "review.csv"
    review.write_text(f"accept,recording,first,last,given,likely\n{row}\n")
    assert REVIEWS[row] in refused("data", "check", tmp_path / "set", "--fix", review)
    assert (tmp_path / "set" / "dataset.toml").read_text() == before


def test_a_review_may_be_from_a_spreadsheet_and_given_twice(tmp_path: Path) -> None:
    signal_set(tmp_path / "set")
    review = tmp_path / "review.csv"
    review.write_text("accept;recording;first;last;given;likely\nYes;p0-0;0;9;low;high\nno;;;;;\n")
    for _ in range(2):
        assert tinyflash("data", "check", tmp_path / "set", "--fix", review).exit_code == 0
        assert load(tmp_path / "set").corrections == (Correction("p0-0", 0, 9, "high"),)
    review.write_text("a,b\n")
    assert "it has no column 'accept'" in refused(
        "data", "check", tmp_path / "set", "--fix", review
    )


def test_one_person_makes_no_folds(model: Path, tmp_path: Path) -> None:
    signal_set(tmp_path / "set", people=1)
    command = ("data", "check", tmp_path / "set", "--model", model, "-o", tmp_path / "out")
    said = refused(*command)
    assert said.endswith("has windows of one subject only; give --by session or --by recording")


def test_what_lacks_says_so(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    dataset = signal_set(folder)
    said = refused("data", "check", folder)
    assert said == "data check needs --model and -o, or --fix"
    nameless = tuple(replace(one, subject="") for one in dataset.recordings)
    text.save(replace(dataset, recordings=nameless))
    said = refused("data", "check", folder, "--model", model, "-o", tmp_path / "out")
    assert said == "recording p0-0 has no subject; give --by recording"
