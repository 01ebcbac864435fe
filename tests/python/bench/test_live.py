"""bench live on one new wearer."""

from __future__ import annotations

import pytest

from tinyflash.bench.live.run import METHODS, Cell, learn, tasks
from tinyflash.bench.live.tables import as_json, spread


def test_old_wearers_are_less_forgotten_with_a_buffer() -> None:
    todo = tasks(quick=True)
    assert [task.method for task in todo] == list(METHODS)
    idle, plain, kept = (learn(task) for task in todo[:3])
    assert idle.forgotten == 0
    assert kept.forgotten < plain.forgotten
    assert min(plain.prequential, kept.prequential) > idle.prequential + 5
    assert (plain.buffer_bytes, kept.buffer_bytes) == (0, 8 + 6 * 4 + 6 * 5 * 768)
    assert learn(todo[2]) == kept


def test_tuned_wearers_and_seeds_are_not_in_the_table() -> None:
    todo = tasks(quick=False)
    assert len({(t.wearer, t.seed) for t in todo}) * len(METHODS) == len(todo)
    assert min(t.seed for t in todo) == 2


def test_figures() -> None:
    assert spread([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert spread([1.25], 2) == "1.25"
    cell = Cell("plain", 1, 2, 90.0, 91.0, 97.0, 95.5, 0, (1.0,))
    assert as_json([cell])[0]["forgotten"] == pytest.approx(1.5)
