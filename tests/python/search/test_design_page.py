"""The front of searched networks, and the page that shows it."""

from __future__ import annotations

import json

import numpy as np

from tinyflash.search.designs.cost import Cost, Limits
from tinyflash.search.designs.design import Design, Space
from tinyflash.search.designs.mcus import front, latest
from tinyflash.search.designs.stage1 import Input
from tinyflash.search.designs.stage2 import Tried
from tinyflash.search.designs.trial import Score
from tinyflash.show.designs.page import as_html, drawings

GIVEN = Input("signal", (1, 24, 2), 3)
ROOMY = Limits(1 << 20, 1 << 20)


def point(design: Design, accuracy: float, samples: int = 9, sram: int = 10) -> Tried:
    return Tried(design, Cost(5, sram, 20, 3, 30, 40), samples, Score(accuracy, 1.0))


def test_the_front_is_what_nothing_beats_in_everything() -> None:
    random = np.random.default_rng(0)
    a, b, c, d = (GIVEN.draw(Space(0.2, 1), random) for _ in range(4))
    tried = [
        point(a, 0.9, sram=30),
        point(b, 0.8, sram=20),
        point(c, 0.7, sram=25),
        point(d, 0.99, samples=3),
        point(a, 0.1, samples=3),
    ]
    assert front(tried, ROOMY) == [tried[0], tried[1]]
    assert [one.score.accuracy for one in latest(tried)] == [0.99, 0.9, 0.8, 0.7]


def test_the_page_shows_every_network_and_board() -> None:
    points = [
        {
            "space": "width 0.5", "samples": 100, "accuracy": 0.5 + n / 10, "sram": 1000 * (n + 1),
            "flash": 2000, "step": None, "kind": kind,
        }
        for n, kind in enumerate(("tried", "front", "best"))
    ]  # fmt: skip
    assert [drawing.name.split()[0] for drawing in drawings(points)] == ["SRAM", "flash,"]
    (sram, _) = drawings(points)
    assert [dot.kind for dot in sram.dots] == ["tried", "front", "best"]
    assert sram.dots[0].x < sram.dots[1].x < sram.dots[2].x
    assert sram.dots[0].y > sram.dots[1].y > sram.dots[2].y
    found = {
        "test": 91.2, "test_samples": 40, "sram": 61_234, "flash": 99, "macs": 10, "linked": True,
        "trained_bytes": 7,
    }  # fmt: skip
    mcu = {"mcu": "M4", "sram_bytes": 1, "flash_bytes": 2, "sram": 3, "flash": 4, "step": None}
    report = {
        "data": "<moves>", "board": "mine", "space": "width 0.5", "late": True, "found": found,
        "limits": {"sram": 65_536}, "tried": points, "smallest": "mine",
        "scheme": {
            "file": "mine.scheme.toml", "method": "probe", "rate": 0.03, "compared": [
                {"method": "probe", "loss": 0.25, "accuracy": 93.75, "rate": 0.03, "sram": 1,
                 "chosen": True},
                {"method": "ladder", "loss": None, "accuracy": None, "rate": None, "sram": 2,
                 "chosen": False},
            ],
        },
        "mcus": [{**mcu, "board": "mine", "accuracy": 0.7, "chosen": True},
                 {**mcu, "board": "tiny", "accuracy": None, "chosen": False}],
        "spaces": [{"space": "width 0.2", "drawn": 6, "fit": 5, "macs": 8e5, "chosen": False}],
        "layers": [
            {"name": "stem", "operator": "conv2d", "output": [1, 2, 3], "kernel": "1x3", "macs": 1}
        ],
    }  # fmt: skip
    html = as_html(json.loads(json.dumps(report)))
    words = ("&lt;moves&gt;", "61,234", "91.2 %", "none fits", "width 0.2", "slower", "stem")
    for word in (*words, "mine.scheme.toml", "0.2500", "not trained"):
        assert word in html
    assert html.count("<circle") == 6
    assert "<moves>" not in html
