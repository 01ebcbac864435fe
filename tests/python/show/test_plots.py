"""The picture is drawn; that it is beautiful a person has to see."""

import numpy as np

from tinyflash.show.plots import WINDOW, Curve, _spread, draw_learning_curve
from tinyflash.training.loop import History, Step

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_learning_curve_is_a_png(tmp_path):
    steps = tuple(Step(i, 30, i, 0.1, 1 / (i + 1), i % 3 > 0) for i in range(30))
    curve = Curve("title", samples=10, before=50.0, after=97.0, head_only=96.0)
    losses, accuracies = History(steps).running(WINDOW)
    draw_learning_curve(tmp_path / "c.png", losses, accuracies, curve)
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)


def test_labels_that_would_overlap_move_apart():
    levels = [50.0, 97.0, 96.0]
    heights = _spread(levels, gap=5.0)
    assert heights == [50.0, 101.0, 96.0]
    assert np.diff(sorted(heights)).min() >= 5.0
