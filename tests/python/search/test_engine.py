"""The engine: workers and drivers that die, results that stay, and the same verdict everywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support import searching

from tinyflash.errors import TinyflashError
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme
from tinyflash.search.engine import Context, Engine, Trial, Verdict, engine_on, evaluate
from tinyflash.search.engine.engine import is_verdict
from tinyflash.search.engine.pool import ProcessPool
from tinyflash.search.engine.store import Results
from tinyflash.training.samples import Samples
from tinyflash.zoo.networks import path_of


def context() -> Context:
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (24, 8, 8, 1)).astype(np.int8)
    y = rng.integers(0, 3, 24).astype(np.int64)
    graph = read(path_of("digits"))
    return Context(graph, Samples(x[:16], y[:16]), Samples(x[16:], y[16:]))


SCHEME = Scheme((Rule(last=2, weights=0.5, bias=True),), head=3)
TRIALS = [Trial(SCHEME, rate, 1, seed) for rate in (0.01, 0.03) for seed in (0, 1)]


def test_the_same_verdict_in_this_process_and_in_workers(tmp_path: Path) -> None:
    here = {trial: evaluate(context(), trial) for trial in TRIALS}
    path = tmp_path / "results.jsonl"
    with engine_on("local", context(), path, 2) as engine:
        assert engine.verdicts(TRIALS) == here
        assert engine.computed == len(TRIALS)
    assert len({v.loss for v in here.values()}) == len(TRIALS)
    with engine_on("local", context(), path, 1) as engine:
        assert engine.verdicts(TRIALS) == here
        assert engine.computed == 0


def test_a_scheme_that_does_not_fit_has_an_error_in_its_verdict() -> None:
    trial = Trial(Scheme((Rule(layers=("no such",), bias=True),), head=3), 0.01, 1, 0)
    found = evaluate(context(), trial)
    assert "no such" in found.error and found.loss == float("inf")


def test_ten_thousand_candidates(tmp_path: Path) -> None:
    """Through all of the engine: keys, workers, the file of results."""
    trials = [Trial(SCHEME, 0.1, 1, seed) for seed in range(10_000)]
    shared, told = context(), list[tuple[int, int]]()
    with ProcessPool(searching.counted, shared, 2) as pool:
        engine = Engine(shared, pool, Results(tmp_path / "r"))
        engine.told = lambda done, of: told.append((done, of))
        found = engine.verdicts(trials)
    assert found == {trial: Verdict(float(trial.seed), 0.0) for trial in trials}
    assert told[0] == (0, 10_000) and told[-1] == (10_000, 10_000)
    assert len(Results(tmp_path / "r").known) == 10_000


def test_a_damaged_result_is_computed_again(tmp_path: Path) -> None:
    """Each byte of a line is damaged in turn: no other result is taken for it."""
    path = tmp_path / "results.jsonl"
    Results(path).keep([("a", {"loss": 0.25, "accuracy": 50.0, "error": ""})])
    line = path.read_bytes()
    whole = Results(path).known
    assert list(whole) == ["a"]
    for at in range(len(line) - 1):
        for bit in (1, 2, 16):
            path.write_bytes(line[:at] + bytes([line[at] ^ bit]) + line[at + 1 :])
            known = Results(path, is_verdict).known
            assert known in ({}, whole), line[:at]
    path.write_bytes(b'\xff\n[]\n5\n{"key": [], "result": {}}\n{"key": "b", "result": {}}\n' + line)
    assert Results(path, is_verdict).known == whole
    path.write_bytes(b'{"key": "old", "result": {"loss": 1.0, "accuracy": 2.0, "error": ""}}\n')
    assert Results(path, is_verdict).known["old"]["loss"] == 1.0  # of a version without checksums


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    items = [(str(i), i) for i in range(20)]
    with ProcessPool(searching.deadly_once, str(tmp_path), 2) as pool:
        found = dict(pair for batch in pool.run(items) for pair in batch)
    assert found == {k: searching.doubled(2, i) for k, i in items}
    assert (tmp_path / "died").exists()


def test_ctrl_c_leaves_a_worker_that_has_just_been_started() -> None:
    """It reaches all processes of a terminal; the driver ends its workers itself."""
    with ProcessPool(searching.doubled, 2, 1) as pool:
        (worker,) = pool.workers
        os.kill(worker.process.pid or 0, signal.SIGINT)
        assert dict(*pool.run([("a", 1)])) == {"a": searching.doubled(2, 1)}
        assert pool.workers == [worker] and worker.process.is_alive()


def test_a_candidate_that_always_kills_is_refused() -> None:
    with (
        ProcessPool(searching.deadly, None, 1) as pool,
        pytest.raises(TinyflashError, match="ended 3 workers"),
    ):
        list(pool.run([(str(i), i) for i in range(5)]))


def test_a_killed_driver_loses_no_finished_result(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "tests.support.searching", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        lines = [driver.stdout.readline() for _ in range(5)]
        driver.kill()
    known = Results(path).known
    assert len(known) >= int(lines[-1]) >= 5
    assert all(result == searching.doubled(2, int(key)) for key, result in known.items())


def test_a_torn_line_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Results(path).keep([("a", {"loss": 1.0})])
    with path.open("ab") as file:
        file.write(b'{"key": "b", "res')
    results = Results(path)
    assert results.known == {"a": {"loss": 1.0}}
    results.keep([("c", {"loss": 2.0})])
    assert Results(path).known == {"a": {"loss": 1.0}, "c": {"loss": 2.0}}
    assert json.loads(path.read_text().splitlines()[-1])["key"] == "c"


def test_where_is_refused_with_one_line() -> None:
    with (
        pytest.raises(TinyflashError, match="write local, ray, or ray://HOST:PORT"),
        engine_on("moon", context(), None),
    ):
        pass
