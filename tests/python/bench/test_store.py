"""Power cuts of a store: samples of what `tinyflash bench store` does in whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyflash.bench.store import cuts, run
from tinyflash.bench.store.cuts import Counts, Trial
from tinyflash.bench.store.device import learned
from tinyflash.cli import main
from tinyflash.runtime.host.store import HEAD_BYTES, Faults

TRIALS = (Trial(2, 4), Trial(2, 32, sector_bytes=128, weights_bytes=50), Trial(3, 8))


def nothing(_: int) -> None:
    pass


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_cut_at_every_word_leaves_the_old_or_the_new(trial: Trial) -> None:
    states = list(cuts.priors(trial))
    assert len(states) == len(set(states)) > 80
    counts = cuts.cut_everywhere(trial, states[:: len(states) // 20], nothing)
    assert counts.neither == 0
    assert counts.old + counts.new == counts.cuts > 4000
    assert counts.new > 0


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_head_is_programmed_after_its_data(trial: Trial) -> None:
    device = trial.device()
    new, erased = learned(device, 1), device.cells
    words = device.save(new).words
    whole = device.cells[: trial.slot_bytes]
    for left in range(words):
        device.cells = erased
        device.save(new, Faults(words_left=left))
        slot = device.cells[: trial.slot_bytes]
        assert slot[:HEAD_BYTES] != whole[:HEAD_BYTES] or slot == whole


def test_a_stuck_bit_leaves_the_old_or_the_new() -> None:
    counts = cuts.stick_everywhere(Trial(2, 4, sector_bytes=64, weights_bytes=4), nothing)
    assert counts.neither == 0
    assert counts.old > counts.new > 0


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_random_sequences(trial: Trial) -> None:
    counts = cuts.random_sequences(trial, 100, 1, nothing)
    assert counts.neither == 0
    assert min(counts.old, counts.new) > 100
    assert counts == cuts.random_sequences(trial, 100, 1, nothing)


def test_the_command_writes_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TRIALS", (Trial(2, 4, sector_bytes=64, weights_bytes=4),))
    monkeypatch.setattr(cuts, "STUCK", cuts.STUCK[:1])
    path = tmp_path / "counts.json"
    done = CliRunner().invoke(main, ["bench", "store", "--sequences", "20", "--json", str(path)])
    assert done.exit_code == 0, done.output
    counts = json.loads(path.read_text())
    assert set(counts) == {"cuts", "old", "new", "neither"}
    assert counts["neither"] == 0 < counts["new"] < counts["old"] < counts["cuts"]


def test_the_command_fails_when_a_start_has_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TRIALS", (Trial(2, 4, sector_bytes=64, weights_bytes=4),))
    monkeypatch.setattr(cuts, "_judge", lambda *_: Counts(neither=1))
    done = CliRunner().invoke(main, ["bench", "store", "--sequences", "0"])
    assert done.exit_code == 1
    assert "neither the old nor the new state" in done.output
