"""The learning curve in the report: every score in its place, with its figure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.support.learner import learner

from tinyflash.show.report import as_html, make_report
from tinyflash.show.report.learning import (
    HEIGHT,
    WIDTH,
    Learning,
    draw_learning,
    learning_fields,
)

HELD = ((0, 20.0), (100, 60.0), (200, 85.5))
RUN = Learning("host", "accuracy", 25, 100, np.linspace(2, 0.5, 200), [50.0] * 200, HELD, 40)


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_held_out_scores_are_dots_at_their_steps() -> None:
    accuracy, loss = draw_learning(learning_fields(RUN))
    assert [(d.x, d.y, d.text) for d in accuracy.dots] == [
        (WIDTH * step / 200, pytest.approx(HEIGHT * (1 - score / 100)), f"{score:.3g}")
        for step, score in HELD
    ]
    assert points(accuracy.dotted) == [(0, 120), (320, 60), (640, pytest.approx(21.75, abs=0.06))]
    assert accuracy.epochs == (WIDTH / 2,)
    assert [text for _, text in accuracy.ticks] == ["0", "25", "50", "75", "100"]
    assert not loss.dots


def test_the_line_of_training_begins_where_its_mean_is_whole() -> None:
    _, loss = draw_learning(learning_fields(RUN))
    line = points(loss.line)
    assert len(line) == 200 - 24
    assert line[0][0] == pytest.approx(WIDTH * 25 / 200, abs=0.06)
    assert line[-1] == (WIDTH, pytest.approx(HEIGHT * (1 - 0.5 / 2), abs=0.06))
    assert [text for _, text in loss.ticks] == ["0", "0.5", "1", "1.5", "2"]


def test_a_long_run_stays_small_and_keeps_its_end() -> None:
    losses = np.random.default_rng(0).uniform(0, 3, 20_001)
    held = [(100 * i, 50.0) for i in range(201)]
    fields = learning_fields(replace(RUN, losses=losses, accuracies=losses, held_out=held))
    assert len(fields["loss"]) <= 300
    assert fields["loss"][-1] == [20_001, pytest.approx(losses[-1], rel=1e-5)]
    accuracy, _ = draw_learning(fields)
    texts = [d for d in accuracy.dots if d.text]
    assert accuracy.dots[-1].text
    assert all(b.x - a.x >= 30 for a, b in pairwise(texts))
    assert accuracy.epochs == ()


@pytest.mark.parametrize("losses", [[0.0], [float("nan"), 1.0], [0.0] * 5, [1e30, 1e-30]])
def test_odd_runs_are_drawn(losses: list[float]) -> None:
    run = replace(RUN, measure="loss", accuracies=(), losses=losses, held_out=[(0, 0.0)])
    for panel in draw_learning(learning_fields(run)):
        assert panel.ticks


def test_targets_have_a_panel_of_their_own() -> None:
    fields = learning_fields(replace(RUN, measure="loss", accuracies=()))
    held, trained = draw_learning(fields)
    assert (held.title, trained.title) == ("held-out loss", "training loss")
    assert held.dots
    assert not held.line
    assert fields["accuracy"] is None
    (alone,) = draw_learning(learning_fields(replace(RUN, measure="loss", held_out=())))
    assert alone.title == "training loss"


def test_the_page_shows_the_run_only_if_there_is_one() -> None:
    compiled = learner()
    assert "How it learned" not in as_html(make_report(compiled))
    report = make_report(compiled, training=learning_fields(RUN))
    page = as_html(json.loads(json.dumps(report)))
    section = page[page.index('<section id="learning">') : page.index('<section id="map">')]
    assert "200 training steps on this computer, 100 in an epoch" in section
    assert "Held-out accuracy, on 40 samples:" in section
    assert section.count("<circle") == 3
    assert re.search(r">85.5</text>", section)
    assert re.search(r"<b>85.5</b> after", section)
