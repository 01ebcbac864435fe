"""The benchmark of choosing: rows of every method, on several splits, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import refused

from tinyflash.bench.choose.data import BUDGETS, FEW, FEW_TASKS, Data, _few
from tinyflash.bench.choose.methods import METHODS
from tinyflash.bench.choose.picture import draw
from tinyflash.bench.choose.results import claims, mean
from tinyflash.bench.choose.run import Bench, Row
from tinyflash.bench.choose.runs import Item, Runs
from tinyflash.compiler import prepare
from tinyflash.read import read
from tinyflash.scheme import Scheme, resolve
from tinyflash.search.engine import Context, Trial
from tinyflash.search.engine.pool import Keyed
from tinyflash.search.engine.store import Results
from tinyflash.search.space import Space
from tinyflash.training.samples import Samples
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.task import Split, Task
from tinyflash.zoo.tasks import TASKS

BUDGET = 2700
command = import_module("tinyflash.cli.bench.choose")


class Pool:
    """Trains nothing: the loss falls with the trained layers, weights of the last but one most."""

    def __init__(self, space: Space) -> None:
        self.space, self.asked = space, list[str]()

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        for key, item in items:
            self.asked.append(key)
            yield [(key, self._judged(item))]

    def _judged(self, item: Item) -> dict[str, Any]:
        index, trial = item
        updates = resolve(trial.scheme, self.space.prepared.forward)
        weights = sum(u.kept > 0 for u in updates.values())
        best = updates.get(self.space.body[-1].name)
        gain = 0.01 * len(updates) + 0.02 * weights + 0.3 * (best is not None and best.kept > 0)
        loss = 1 - gain + abs(trial.rate - 0.03) + 0.1 * index
        return {"loss": loss, "accuracy": 100 * gain + index, "error": "", "seconds": 2.0}


def bench_of(tmp_path: Path) -> tuple[Bench, Pool]:
    """Two seeds of two splits; even contexts validate, odd ones test."""
    graph, base = read(path_of("digits")), Scheme(head=2)
    whole = Space.of(prepare(graph, base))
    space = replace(whole, body=whole.body[:2])
    x = np.random.default_rng(0).integers(-128, 128, (3, 8, 8, 1)).astype(np.int8)
    x[1] = x[0]  # of another class: no classifier fits both, so gradients remain
    some = Samples(x, np.array([0, 1, 0]))
    few = replace(some, x=some.x[:1], y=some.y[:1])
    parts = (some, few, few, some) * 2
    contexts = [Context(space.prepared.source, some, part) for part in parts]
    pool, results = Pool(space), Results(tmp_path / "results.jsonl")
    tune, test = {0: [0, 2], 1: [4, 6]}, {0: [1, 3], 1: [5, 7]}
    runs = (Runs(contexts, of, pool, results) for of in ({0: [0], 1: [4]}, tune, test))
    task = Task("still", "digits", graph, 2, base, 1, lambda _: ())
    return Bench("still", Data(task, base, 1, {0: (), 1: ()}), space, *runs), pool


def test_probes_find_the_layer_that_matters(tmp_path: Path) -> None:
    bench, pool = bench_of(tmp_path)
    methods = {name: METHODS[name] for name in ("probes", "ladder", "biases")}
    rows = [row for found in bench.rows(BUDGET, methods) for row in found]
    assert [(r.method, r.seed) for r in rows] == [(m, s) for m in methods for s in (0, 1)]
    assert all(row.sram <= BUDGET and row.rate == 0.03 for row in rows)
    ours, others = rows[0], [row for row in rows[2:] if row.seed == 0]
    assert all(ours.accuracy > other.accuracy + 25 for other in others)
    assert ours.seconds > 0 and all(other.seconds == 0 for other in others)
    trained = len(pool.asked)
    again = [row for found in bench.rows(BUDGET, methods) for row in found]
    assert (again, len(pool.asked)) == (rows, trained)
    draw(tmp_path / "rows.png", rows)
    assert (tmp_path / "rows.png").stat().st_size > 1000


def test_splits_are_pooled_by_their_samples(tmp_path: Path) -> None:
    bench, _ = bench_of(tmp_path)
    trial = Trial(bench.space.base, 0.03, 1, 0)
    verdict = bench.tune.verdicts([trial])[trial]
    sizes = [len(bench.tune.contexts[i].held_out) for i in (0, 2)]
    assert sizes == [3, 1]
    alone = [1 - 0.03 + 0.1 * i for i in (0, 2)]
    assert verdict.loss == pytest.approx(np.average(alone, weights=sizes))


def test_fisher_trains_what_it_has_chosen_alone(tmp_path: Path) -> None:
    """One scheme, judged by a pass in this process; its rate is tuned as that of all others."""
    bench, pool = bench_of(tmp_path)
    (rows,) = bench.rows(BUDGET, {"fisher": METHODS["fisher"]})
    assert {(r.method, r.by) for r in rows} == {("fisher", "fisher")}
    assert all(row.sram <= BUDGET and row.seconds > 0 for row in rows)
    assert len({row.scheme for row in rows}) == 1 and "bias = true" in rows[0].scheme
    assert len(pool.asked) == 3 * 2 + 2  # rates and the other seed, of two splits each


def row(task: str, budget: int, method: str, accuracy: float) -> Row:
    return Row(task, budget, 0, method, accuracy, 1, 0.0, method, 0.1, 0.0, "")


def test_claims_take_the_best_rule_of_each_task_and_of_all() -> None:
    rows = [
        *(row("a", 1, "probes", 90.0), row("a", 1, "ladder", 80.0), row("a", 1, "last", 91.0)),
        *(row("b", 1, "probes", 90.0), row("b", 1, "ladder", 89.0), row("b", 1, "last", 70.0)),
        *(row("b", 2, "probes", 10.0), row("b", 2, "ladder", 99.0)),
    ]
    assert mean(rows, "a", 1, "last") == 91
    first, second, third, last = claims(rows, few_shot=False)
    assert "a," in first and "-1.00 points" in first and "last" in first
    assert "+1.00 points" in second and "-89.00 points" in third
    assert "90.00 %" in last and "+5.50 points" in last and "ladder" in last


def test_few_samples_train_and_none_of_them_validates() -> None:
    x = np.arange(60, dtype=np.int8).reshape(60, 1)
    parts = [Samples(x[i::3], (np.arange(20) % 2).astype(np.int64)) for i in range(3)]
    split = _few(Split(*parts), 0)
    assert np.bincount(split.train.y).tolist() == [FEW, FEW]
    assert not set(split.train.x[:, 0]) & set(split.validation.x[:, 0])
    assert split.test is parts[2]


def test_the_command_knows_all_tasks_and_methods() -> None:
    assert tuple(METHODS) == command._METHODS
    assert command._TASKS == tuple(BUDGETS) == tuple(TASKS)
    assert tuple(FEW_TASKS) == command._FEW


def test_what_a_comparison_does_not_have_is_refused() -> None:
    bench = ("bench", "choose", "--task")
    assert "without --few-shot it is" in refused(*bench, "digits-person")
    assert "with --few-shot it is" in refused(*bench, "keywords", "--few-shot")
    assert "leave --methods out" in refused(*bench, "faces", "--few-shot", "--methods", "last")
    assert "'most' is not one of" in refused(*bench, "faces", "--methods", "probes,most")
