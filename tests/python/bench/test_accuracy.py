"""The accuracy benchmark: choosing rates, comparing, keeping results. A small task stands in."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.graphs import Layer, Net, same

from tinyflash.bench.accuracy import cell as cells
from tinyflash.bench.accuracy import methods, pool, schemes, store
from tinyflash.bench.accuracy.cell import Cell, Effort, Limits, Run, fill
from tinyflash.bench.accuracy.judgement import claims, difference
from tinyflash.bench.accuracy.learners import Verdict
from tinyflash.bench.accuracy.picture import draw
from tinyflash.bench.accuracy.results import Results, as_json, tables
from tinyflash.bench.accuracy.run import chosen_tasks
from tinyflash.bench.accuracy.schemes import Memory
from tinyflash.compiler import prepare
from tinyflash.errors import DataError
from tinyflash.scheme import Rule, Scheme, resolve
from tinyflash.training.samples import Samples
from tinyflash.zoo import tasks
from tinyflash.zoo.task import Split, Task

METHODS = {method.name: method for method in methods.METHODS}
OURS = [m.name for m in methods.METHODS if m.arithmetic == "int8"]
SHORT = Effort(seeds=(0, 1), grid=2, growth=0)


def samples(count: int, seed: int) -> Samples:
    """Two classes, told apart by their brightness."""
    random = np.random.default_rng(seed)
    y = np.arange(count, dtype=np.int64) % 2
    x = random.normal(0, 25, (count, 6, 6, 3)) + np.where(y, 30, -30)[:, None, None, None]
    return Samples(np.clip(x, -128, 127).astype(np.int8), y)


def split(seed: int) -> Split:
    return Split(samples(24, 10 + seed), samples(10, 20 + seed), samples(16, 30 + seed))


def small_task(layers: int = 3) -> Task:
    net = Net(np.random.default_rng(0))
    y = net.input((6, 6, 3))
    for _ in range(layers):
        y = net.conv2d(y, 8, same((6, 6), 3), Layer(zero=-100))
    graph = net.graph(net.fully_connected(net.mean(y, (0, 1)), 5))
    scheme = Scheme((Rule(last=2, weights=0.5, bias=True),))
    return Task("small", "little net", graph, 2, scheme, 1, lambda seed: (split(seed), split(seed)))


# ---- Schemes -------------------------------------------------------------------------------------


def trained(task: Task, scheme: Scheme) -> dict[str, tuple[int, bool]]:
    updates = resolve(scheme, prepare(task.graph, scheme).forward)
    return {name: (update.kept, update.bias) for name, update in updates.items()}


def test_schemes_train_what_their_names_say() -> None:
    task = small_task()
    a, b, c, _, head = (n.name for n in task.graph.nodes)
    whole = {head: (8, True)}
    assert trained(task, schemes.head_only(task)) == whole
    assert trained(task, schemes.sparse(task)) == {b: (4, True), c: (4, True)} | whole
    assert trained(task, schemes.full(task)) == {a: (3, True), b: (8, True), c: (8, True)} | whole
    assert trained(task, schemes.last(task, 1)) == {c: (8, True)} | whole
    shallow = {b: (0, True), c: (0, True)} | whole
    assert trained(task, schemes.biases(task, deep=False)) == shallow
    assert trained(task, schemes.biases(task, deep=True)) == {a: (0, True)} | shallow


@pytest.mark.parametrize("ratio", [0.1, 0.6, 1.0])
def test_the_last_layers_fill_the_memory_of_the_sparse_scheme(ratio: float) -> None:
    task = small_task()
    task = replace(task, scheme=Scheme((Rule(last=3, weights=ratio, bias=True),)))
    count = schemes.longest_last(task)
    sparse = schemes.memory(task, schemes.sparse(task)).total
    assert schemes.memory(task, schemes.last(task, count)).total <= sparse
    if count < 3:
        assert schemes.memory(task, schemes.last(task, count + 1)).total > sparse
    assert count == 3 or ratio < 1


# ---- Choosing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_a_cell_of_each_method(name: str) -> None:
    task = small_task()
    cell = fill("small", task, METHODS[name], SHORT)
    assert cell.limits == Limits("little net", 2, 48, 20, 32, 1)
    assert [len(c) for c in cell.correct] == [32, 32]
    assert cell.accuracies == tuple(100 * c.count("1") / 32 for c in cell.correct)
    assert cell.memory is not None and cell.memory.total > 0
    assert {run.seed for run in cell.runs if run.rate == cell.rate} == {0, 1}
    assert fill("small", task, METHODS[name], SHORT).correct == cell.correct


class Scripted:
    """A learner whose accuracy depends on nothing but its rate and on what it is asked about."""

    best = 0.0
    asked: ClassVar[list[tuple[float, int]]] = []

    def train(self, _: Samples, recipe: object) -> None:
        self.rate = recipe.rate  # type: ignore[attr-defined]

    def health(self) -> dict[str, int]:
        return {}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Scripted]]:
    def judged(learner: Scripted, given: Samples) -> Verdict:
        Scripted.asked.append((learner.rate, len(given)))
        distance = abs(np.log(learner.rate / Scripted.best))
        wrong = min(len(given), round(distance * 4))
        return Verdict(np.arange(len(given)) >= wrong, float(distance))

    monkeypatch.setattr(cells, "learner", lambda *_: Scripted())
    monkeypatch.setattr(cells, "judge", judged)
    Scripted.asked = []
    yield Scripted


@pytest.mark.parametrize("best", [0.0016, 0.004, 0.01, 0.025, 0.15])
def test_the_grid_grows_until_the_best_rate_lies_inside(
    scripted: type[Scripted], best: float
) -> None:
    scripted.best = best
    cell = fill("small", small_task(), METHODS["int8-sparse"], Effort())
    tried = sorted({run.rate for run in cell.runs})
    assert abs(np.log(cell.rate / best)) <= np.log(cells.RATIO) / 2 + 1e-9
    assert tried[0] < cell.rate < tried[-1]
    assert len(tried) <= cells.GRID + cells.GROWTH


def test_no_choice_sees_the_test_samples(scripted: type[Scripted]) -> None:
    scripted.best = 0.01
    cell = fill("small", small_task(), METHODS["int8-sparse"], Effort())
    tests = [(rate, count) for rate, count in scripted.asked if count == 16]
    assert tests == [(cell.rate, 16)] * 6  # three seeds of two splits, after everything else
    assert scripted.asked[-6:] == tests


def test_among_equal_accuracies_the_smaller_loss_wins(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cells, "judge", lambda learner, given: Verdict(np.ones(len(given), bool), learner.rate)
    )
    cell = fill("small", small_task(), METHODS["int8-sparse"], Effort(growth=0))
    assert cell.rate == min(run.rate for run in cell.runs)


def test_efforts_cut_to_the_same_samples_every_time() -> None:
    cuts = [Effort(train=6, validation=100, test=4).limit(split(0)) for _ in range(2)]
    assert (len(cuts[0].train), len(cuts[0].validation), len(cuts[0].test)) == (6, 10, 4)
    assert np.array_equal(cuts[0].train.x, cuts[1].train.x)
    assert np.array_equal(cuts[0].validation.x, split(0).validation.x)


def test_efforts_leave_no_label_out_where_labels_take_turns() -> None:
    turns = Samples(np.zeros((320, 1), np.int8), np.arange(320) % 8)
    cut = Effort(train=200).limit(Split(turns, turns, turns))
    assert set(cut.train.y.tolist()) == set(range(8))


# ---- Comparing -----------------------------------------------------------------------------------


def made(method: str, correct: str, task: str = "t", memory: int = 1000) -> Cell:
    runs = (Run("", 0.01, 0, 50.0, 0.7, 1.0, {}),)
    accuracy = 100 * correct.count("1") / len(correct)
    return Cell(
        task,
        method,
        Limits("net", 1, 4, 4, len(correct), 1),
        "",
        0.01,
        runs,
        (accuracy,),
        (correct,),
        Memory(memory, 0, 0),
    )


def test_a_difference_is_paired() -> None:
    """Two networks with the same errors differ by nothing, for certain."""
    same_errors = difference(made("a", "1100" * 25), made("b", "1100" * 25))
    assert (same_errors.points, same_errors.low, same_errors.high) == (0, 0, 0)
    other_errors = difference(made("a", "1100" * 25), made("b", "0011" * 25))
    assert other_errors.points == 0
    assert -25 < other_errors.low < -15 and 15 < other_errors.high < 25


def test_an_interval_is_that_of_the_bootstrap() -> None:
    ours, other = "1" * 60 + "0" * 40, "1" * 50 + "0" * 30 + "1" * 20
    found = difference(made("a", ours), made("b", other))
    assert found.points == pytest.approx(-10)
    error = 1.96 * np.sqrt(0.1 + 0.2 - 0.1**2) / np.sqrt(100) * 100
    assert found.low == pytest.approx(-10 - error, abs=1.5)
    assert found.high == pytest.approx(-10 + error, abs=1.5)


def test_an_interval_knows_that_seeds_differ() -> None:
    """Seeds that are 20 points apart each way: no single one is representative."""
    base, up, down = ("1" * n + "0" * (1000 - n) for n in (500, 700, 300))
    other = replace(made("b", base), correct=(base, base))
    found = difference(replace(made("a", up), correct=(up, down)), other)
    assert found.points == pytest.approx(0)
    assert found.low < -18 and found.high > 18


@pytest.mark.parametrize(("ours", "holds"), [(990, True), (985, True), (975, False), (900, False)])
def test_claims_against_float(ours: int, holds: bool) -> None:
    """Of 1,000 samples float has 990 right; the same and 5 fewer hold, 15 fewer do not."""
    table = {
        ("t", "int8-full"): made("int8-full", "1" * ours + "0" * (1000 - ours)),
        ("t", "float-full"): made("float-full", "1" * 990 + "0" * 10),
    }
    mean, each = claims(table, ["t"])
    assert mean.holds == holds
    assert each.holds == (990 - ours <= 20)


def test_claims_against_partial_methods() -> None:
    table = {
        ("t", "int8-sparse"): made("int8-sparse", "1110"),
        ("t", "head"): made("head", "1100"),
        ("t", "biases"): made("biases", "1111", memory=2000),
    }
    above = {c.text: c.holds for c in claims(table, ["t"])}
    assert list(above.values()) == [False, True]
    assert "more SRAM" in next(iter(above))


# ---- Keeping -------------------------------------------------------------------------------------


def test_a_store_remembers_across_runs(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "cells.jsonl"
    done = fill("small", small_task(), METHODS["head"], SHORT)
    store.Store(path).keep("key", done)
    assert store.Store(path).cells == {"key": done}
    assert store.Store(path, fresh=True).cells == {}
    with path.open("a") as file:
        file.write('{"key": "cut sho')
    assert store.Store(path).cells == {"key": done}


def test_keys_differ_wherever_outcomes_could() -> None:
    task, method = small_task(), METHODS["int8-sparse"]
    other_samples = replace(task, splits=lambda seed: (split(seed + 1),))
    data = task.graph.tensors["conv2d_0_w"].data
    assert data is not None
    weights = replace(task.graph.tensors["conv2d_0_w"], data=np.flip(data))
    other_weights = replace(
        task, graph=replace(task.graph, tensors={**task.graph.tensors, "conv2d_0_w": weights})
    )
    keys = {
        store.key(task, method, SHORT),
        store.key(task, METHODS["head"], SHORT),
        store.key(task, method, replace(SHORT, epochs=2)),
        store.key(replace(task, scheme=Scheme()), method, SHORT),
        store.key(other_samples, method, SHORT),
        store.key(other_weights, method, SHORT),
    }
    assert len(keys) == 6
    assert store.key(small_task(), method, SHORT) in keys


# ---- The command ---------------------------------------------------------------------------------


@pytest.fixture
def one_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import_module("tinyflash.cli.bench.endurance")  # before: it takes the names of all tasks
    monkeypatch.setattr(tasks, "TASKS", {"small": small_task})
    monkeypatch.setattr("tinyflash.bench.accuracy.run.TASKS", {"small": small_task})
    monkeypatch.setattr("tinyflash.bench.accuracy.run.FOREIGN", {})
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path / "cache"))
    pool._task.cache_clear()


@pytest.mark.usefixtures("one_task")
def test_the_command(tmp_path: Path) -> None:
    files = [f"--json={tmp_path}/a.json", f"--picture={tmp_path}/a.png"]
    command = ["bench", "accuracy", "--quick", "--ours", "--processes=1", *files]
    first = tinyflash(*command)
    assert first.exit_code == 0, first.output
    assert "little net" in first.output and "int8, classifier only" in first.output
    found = json.loads((tmp_path / "a.json").read_text())
    assert {c["method"] for c in found["cells"]} == set(OURS)
    assert found["tasks"]["small"]["test"] == 32
    assert found["versions"]["tinyflash"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    again = tinyflash(*command)
    assert json.loads((tmp_path / "a.json").read_text())["cells"] == found["cells"]
    assert again.stdout == first.stdout


@pytest.mark.usefixtures("one_task")
def test_other_seeds_and_single_methods(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    ran = tinyflash(
        *("bench", "accuracy", "--quick", "--processes=1", "--seed=4", f"--json={file}"),
        *("--method=head", "--method=int8-sparse"),
    )
    assert ran.exit_code == 0, ran.output
    cells = json.loads(file.read_text())["cells"]
    assert {c["method"] for c in cells} == {"head", "int8-sparse"}
    assert {run["seed"] for c in cells for run in c["runs"]} == {4}


@pytest.mark.usefixtures("one_task")
def test_what_is_not_there_is_one_line() -> None:
    assert refused("bench", "accuracy", "--task", "big") == "no task 'big'; choose one of small"
    assert "no method 'best'; choose one of float-" in refused(
        "bench", "accuracy", "--method", "best"
    )
    alone = refused("bench", "accuracy", "--ours", "--method", "float-full")
    assert alone.startswith("no method without torch 'float-full'; choose one of int8-full, ")


@pytest.mark.usefixtures("one_task")
def test_without_torch_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "--ours" in refused("bench", "accuracy", "--quick", "--processes=1")


@pytest.mark.usefixtures("one_task")
def test_data_that_cannot_be_had_are_missed_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> Task:
        raise DataError("no data")

    both = {"small": small_task, "absent": absent}
    monkeypatch.setattr(tasks, "TASKS", both)
    monkeypatch.setattr("tinyflash.bench.accuracy.run.TASKS", both)
    monkeypatch.setattr("tinyflash.bench.accuracy.run.fill_all", lambda *_: pytest.fail("measured"))
    assert refused("bench", "accuracy", "--ours", "--processes=1") == "no data"


def test_foreign_tasks_run_when_they_are_asked_for() -> None:
    six = ("faces", "fashion", "fashion-person", "activity", "digits", "keywords")
    assert chosen_tasks(()) == six
    assert chosen_tasks((), foreign=True) == (*six, "watch", "digits-resnet")
    assert chosen_tasks(("watch",)) == ("watch",)


def test_tables_and_picture_of_many_tasks(tmp_path: Path) -> None:
    names = ("one", "two")
    both = tuple(METHODS[m] for m in ("float-full", "int8-full", "float-sparse", "int8-sparse"))
    table = {(t, m.name): made(m.name, "1110", t) for t in names for m in both}
    results = Results(names, both, table, Effort(), 1.0)
    assert len(tables(results)) == 3
    assert len(as_json(results)["differences"]) == 4
    draw(tmp_path / "table.png", results)
    assert (tmp_path / "table.png").stat().st_size > 10_000
