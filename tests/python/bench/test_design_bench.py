"""The benchmark of searched networks: its ranks, and the zoo's architectures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyflash.bench.design import run, tasks
from tinyflash.bench.design.run import rank_correlation
from tinyflash.bench.design.tasks import resnet8
from tinyflash.boards import load_board
from tinyflash.search.designs.cost import cost_of
from tinyflash.search.designs.layers import Listed
from tinyflash.search.designs.task import Part, Task
from tinyflash.search.designs.trial import Score


def test_ranks_are_compared_not_values() -> None:
    assert rank_correlation([1, 20, 300], [5, 6, 7]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [9, 8, 0]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    tied = rank_correlation([1, 2, 3, 4], [1, 2, 2, 4])  # ranks 1, 2.5, 2.5, 4
    assert tied == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 2.5, 2.5, 4])[0, 1])


def test_resnet8_is_the_network_of_the_benchmark() -> None:
    """MLPerf Tiny's has 12,501,632 multiply-adds for pictures of 32x32x3, and 10 classes."""
    layers = resnet8()
    network = Listed("picture", (32, 32, 3), (*layers[:-1], replace(layers[-1], out=10)))
    cost = cost_of(network, load_board("nrf52840_dk"))
    assert not cost.problem
    assert cost.macs == network.macs == 12_501_632


def test_spaces_are_ranked_by_their_best_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part = Part(np.zeros((6, 1, 24, 2), np.float32), np.arange(6) % 3)
    task = Task("signal", 3, part, part, part)
    monkeypatch.setitem(tasks.TASKS, "still", lambda: task)  # type: ignore[arg-type]
    monkeypatch.setattr(run, "train", lambda d, *_: ({}, Score(d.macs / 1e7, 0.0)))
    bench = run.Bench(load_board("nrf52840_dk"), 1, 1, tmp_path)
    rows, rank = run.correlate(bench, "still", "plain", 2, 0, lambda _: None)
    assert len(rows) == run.SPACES
    assert rank > 0.8
    assert all(row.macs <= 1e7 * row.accuracy for row in rows)  # the mean, and the best
