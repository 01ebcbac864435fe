"""The two pictures are drawn; that they are beautiful a person has to see."""

import numpy as np

from tinyflash.plots import Block, Curve, Map, _spread, draw_learning_curve, draw_memory_map
from tinyflash.training import History, Step

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_learning_curve_is_a_png(tmp_path):
    steps = tuple(Step(i, 30, i, 0.1, 1 / (i + 1), i % 3 > 0) for i in range(30))
    curve = Curve("title", samples=10, before=50.0, after=97.0, head_only=96.0)
    draw_learning_curve(tmp_path / "c.png", History(steps), curve)
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)


def test_the_memory_map_is_a_png(tmp_path):
    blocks = [Block("conv2d_0.y", "activation", 0, 4096, 0, 3), Block("m", "mask", 4096, 64, 1, 9)]
    plan = Map("title", blocks, 4160, 10, peak=1, phases={"forward": 0, "backward": 5})
    draw_memory_map(tmp_path / "m.png", plan)
    assert (tmp_path / "m.png").read_bytes().startswith(PNG)


def test_labels_that_would_overlap_move_apart():
    levels = [50.0, 97.0, 96.0]
    heights = _spread(levels, gap=5.0)
    assert heights == [50.0, 101.0, 96.0]
    assert np.diff(sorted(heights)).min() >= 5.0
