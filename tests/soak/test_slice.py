"""A few seconds of the soak, and a device that trains on a wrong sample, which it must notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.soak.line import FAULTS
from tests.soak.run import SUBJECTS, Sums, soak, soaked
from tests.support.firmware import MODEL, build_for_host

FRAMES = 4000


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_sample_is_trained_once(name: str, tmp_path: Path) -> None:
    found = soaked(name, FRAMES, tmp_path)
    assert found.faulty.wrong == 0
    assert all(found.faulty.counts[fault] > FRAMES // 250 for fault in FAULTS)
    assert found.faulty.repeated > 0
    assert found.throughput > 0.05
    assert found.clean.wrong == 0
    assert found.clean.repeated <= 1  # HELLO, until it has started


class Forgetful(Sums):
    """Of a device that did not train on the fifth sample, and said that it had."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def train(self, x: np.ndarray, label: int) -> None:
        self._seen += 1
        if self._seen != 5:
            super().train(x, label)


def test_a_lost_sample_is_noticed(tmp_path: Path) -> None:
    program = build_for_host(MODEL, tmp_path / "firmware")
    assert soak(program, Forgetful(), 300, seed=1, often=0.0, patience=1.0).wrong == 1
