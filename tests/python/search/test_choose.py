"""tinyflash choose: a scheme within its limits, compared with simple rules; results are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.boards import Board, kernels_for, load_board
from tinyflash.boards.fits import measure
from tinyflash.compiler import compile_uncalibrated, prepare
from tinyflash.errors import ModelError, SchemeError
from tinyflash.program import Program
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme, load_scheme
from tinyflash.search.choose import Chooser, Limits
from tinyflash.search.engine import Context, Engine, Trial, Verdict
from tinyflash.search.engine.engine import is_verdict
from tinyflash.search.engine.pool import Keyed
from tinyflash.search.engine.store import Results
from tinyflash.search.fisher import Judgement
from tinyflash.search.probes import Gains, Judge
from tinyflash.search.propose import Proposer
from tinyflash.search.space import Space
from tinyflash.training.samples import Samples
from tinyflash.zoo.networks import path_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    y = np.arange(16) % 2
    x = (rng.random((16, 8, 8, 1)) * 0.2 + 0.6 * y[:, None, None, None]).astype(np.float32)
    np.savez(folder / "data.npz", x=np.round(x * 128).clip(-128, 127).astype(np.int8), y=y)
    (folder / "head.toml").write_text("head = 2\n")
    return folder


def chosen(data: Path, output: Path, *more: str) -> dict[str, object]:
    result = tinyflash(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "1700", "--epochs", "1", "--seeds", "1",
        "--processes", "1", "--json", "-o", str(output), *more,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_scheme_by_probes_fits(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scheme.toml"
    found = chosen(data, output)
    rows = found["rows"]
    assert isinstance(rows, list) and rows[0]["method"] == found["chosen"]
    assert {"probe"} <= {row["method"] for row in rows}
    losses = [row["loss"] for row in rows]
    assert losses == sorted(losses)
    program = compile_uncalibrated(prepare(read(path_of("digits")), load_scheme(output))).program
    sram = program.arena_bytes + len(program.weights) + len(program.state)
    assert rows[0]["sram"] == sram <= 1700
    results = (tmp_path / "scheme.results.jsonl").read_text().splitlines()
    assert chosen(data, output)["rows"] == rows
    assert (tmp_path / "scheme.results.jsonl").read_text().splitlines() == results


def test_a_scheme_by_fisher_fits(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scheme.toml"
    found = chosen(data, output, "--by", "fisher", "--budget", "9000")
    assert [row["method"] for row in found["rows"]] == ["fisher"]  # type: ignore[attr-defined]
    assert load_scheme(output).rules
    assert not (tmp_path / "scheme.results.jsonl").exists()


def test_an_interrupted_choice_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after a few trainings, then the same command: nothing is trained twice."""
    keep, output = Results.keep, tmp_path / "scheme.toml"

    def interrupted(self: Results, found: Iterable[tuple[str, dict[str, object]]]) -> None:
        keep(self, found)
        raise KeyboardInterrupt

    monkeypatch.setattr(Results, "keep", interrupted)
    command = (
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "1700", "--epochs", "1", "--seeds", "1",
        "--processes", "1", "-o", str(output),
    )  # fmt: skip
    assert tinyflash(*command).exit_code != 0
    assert not output.exists()
    kept = output.with_suffix(".results.jsonl").read_text().splitlines()
    assert kept
    monkeypatch.undo()
    assert tinyflash(*command).exit_code == 0
    after = output.with_suffix(".results.jsonl").read_text().splitlines()
    assert after[: len(kept)] == kept
    assert len({json.loads(line)["key"] for line in after}) == len(after) > len(kept)
    assert output.exists()


def test_a_time_that_is_over_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    line = refused(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "1700", "--epochs", "1", "--seeds", "1",
        "--processes", "1", "--minutes", "0.0001", "-o", str(tmp_path / "s.toml"),
    )  # fmt: skip
    assert "run the command again to go on" in line


def space_of_digits() -> Space:
    return Space.of(prepare(read(path_of("digits")), Scheme(head=2)))


def gains_of(space: Space) -> Gains:
    """Of a network whose first layers gain most."""
    weights = {n.name: {0.25: 0.1 * (i + 1), 1.0: 0.8} for i, n in enumerate(space.body)}
    return Gains({1: 0.1, 3: 0.2, 7: 0.3}, weights)


def test_instructions_are_a_limit_of_proposals() -> None:
    whole, most = space_of_digits(), 4_700_000
    space = replace(whole, body=whole.body[:2])  # each layer takes two compilations
    free = Chooser(space, Limits(9000, instructions=10**9)).by_gains("probe", gains_of(space), 1)
    chooser = Chooser(space, Limits(9000, instructions=most))
    found = [*chooser.by_gains("probe", gains_of(space)), *chooser.ladder()]
    assert {one.method for one in found} == {"probe", "ladder"}
    for one in found:
        instructions = one.size.instructions
        assert instructions is not None and instructions <= most
    assert free[0].size.instructions is not None and free[0].size.instructions > most


def test_flash_is_a_limit_of_proposals() -> None:
    whole = space_of_digits()
    space = replace(whole, body=whole.body[:2])
    free = Chooser(space, Limits(9000)).by_gains("probe", gains_of(space), 1)[0]
    chooser = Chooser(space, Limits(9000, flash=free.size.flash - 1))
    found = chooser.by_gains("probe", gains_of(space), 1)
    assert found and found[0].size.flash < free.size.flash
    with pytest.raises(SchemeError) as error:
        _ = Chooser(space, Limits(9000, flash=20_000)).proposer
    assert "takes 32,804 bytes of flash (the limit is 20,000); raise" in str(error.value)
    assert "SRAM" not in str(error.value)  # of which there is enough


def test_a_board_s_budget_counts_stack_and_library() -> None:
    space, board = space_of_digits(), load_board("nrf52840_dk")
    alone = Chooser(space, Limits(24_000)).size(space.base)
    whole = Chooser(space, Limits(24_000), board).size(space.base)
    assert alone is not None and whole is not None
    assert whole.sram == measure(compiled_for(space, board), board).sram_bytes > alone.sram


def compiled_for(space: Space, board: Board) -> Program:
    prepared = space.prepared.under(space.base)
    return compile_uncalibrated(prepared, kernels=kernels_for(board)).program


def test_rates_are_tried_until_the_best_is_inside() -> None:
    """The loss falls up to a rate at the end of the grid, or beyond it."""
    for best, wanted in ((0.03, 0.03), (0.3, 0.3), (0.001, 0.001), (99.0, 3.0)):
        trials = Curved(best)
        scheme = Scheme((Rule(last=1, bias=True),))
        found = Judge(trials, 1, (0,)).of([scheme])[scheme]
        assert found.rate == wanted
        assert len(trials.asked) == len(set(trials.asked))


class Curved:
    """Trainings whose loss depends on the rate alone."""

    def __init__(self, best: float) -> None:
        self.best, self.asked = best, list[Trial]()

    def verdicts(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        chosen = list(trials)
        self.asked += chosen
        return {t: Verdict(abs(math.log(t.rate / self.best)), 0.0) for t in chosen}


def test_too_small_a_budget_is_refused(data: Path, tmp_path: Path) -> None:
    line = refused(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "100", "-o", str(tmp_path / "s.toml"),
    )  # fmt: skip
    assert "training only the classifier takes" in line


def test_fisher_takes_the_classifier_alone_where_nothing_else_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Estimates of instructions are too small here: no proposal is within them when compiled."""
    monkeypatch.setattr(Proposer, "_steps_added", lambda *_: 0)
    whole = space_of_digits()
    space = replace(whole, body=whole.body[:1])
    x = np.random.default_rng(0).integers(-128, 128, (4, 64)).astype(np.int8)
    x[1] = x[0]  # of another class: no classifier fits both, so gradients remain
    biases = Chooser(space, Limits(9000, instructions=10**9)).size(space.scheme(1))
    assert biases is not None and biases.instructions is not None
    chooser = Chooser(space, Limits(9000, instructions=biases.instructions))
    (found,) = chooser.by_fisher(Samples(x, np.array([0, 1, 0, 1])))
    assert found.scheme == space.base


def test_fisher_proposes_beside_the_simple_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (8, 64)).astype(np.int8)
    samples = Samples(x, np.arange(8) % 2)
    chooser = Chooser(space_of_digits(), Limits(9000))
    *rules, last = chooser.others(samples)
    assert last.method == "fisher" and last.scheme.rules and last.size.sram <= 9000
    assert rules == chooser.rules()
    monkeypatch.setattr("tinyflash.search.choose.judge_channels", cannot_judge)
    assert chooser.others(samples) == rules


def cannot_judge(*_: object) -> Judgement:
    raise ModelError("conv1: breaks SPEC 10.5")


def test_what_no_search_can_use_is_refused(data: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=np.zeros((1, 8, 8, 1), np.int8), y=[0])
    usual = {
        "--scheme": str(data / "head.toml"), "--data": str(data / "data.npz"),
        "--budget": "1700", "-o": str(tmp_path / "s.toml"),
    }  # fmt: skip
    wrong = {
        "--budget": ("9" * 20, "more than 32-bit addresses reach"),
        "--minutes": ("nan", "not a finite number"),
        "--on": ("moon", "write local, ray, or ray://HOST:PORT"),
        "--data": (str(tmp_path / "one.npz"), "leaves no samples to judge with"),
    }
    for option, (value, said) in wrong.items():
        given = [part for pair in {**usual, option: value}.items() for part in pair]
        assert said in refused("choose", str(path_of("digits")), *given)


class Nobody:
    """A pool that is asked for nothing."""

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        assert not items
        return iter(())


def test_results_of_a_benchmark_are_read(data: Path) -> None:
    """They have more in them; keys are the same. What is no result is none."""
    path = data / "others.jsonl"
    path.write_bytes(b'{"key": "a", "result": 5}\n{"key": "b", "resu')
    results = Results(path)
    assert results.known == {}
    some = Samples(np.zeros((1, 64), np.int8), np.zeros(1, np.int64))
    context = Context(read(path_of("digits")), some, some)
    trial = Trial(Scheme(head=2), 0.1, 1, 0)
    judged = {"loss": 1.0, "accuracy": 2.0, "error": "", "seconds": 3.0}
    results.keep([(context.key(trial), judged)])
    engine = Engine(context, Nobody(), Results(path))
    assert engine.verdicts([trial]) == {trial: Verdict(1.0, 2.0)}


def test_results_that_cannot_be_kept_are_refused_before_work(data: Path, tmp_path: Path) -> None:
    (tmp_path / "scheme.results.jsonl").mkdir()
    said = tinyflash(
        "choose", str(path_of("digits")), "--scheme", str(data / "head.toml"),
        "--data", str(data / "data.npz"), "--budget", "1700", "-o", str(tmp_path / "scheme.toml"),
    )  # fmt: skip
    assert said.exit_code == 1
    assert "scheme.results.jsonl is not a regular file" in said.stderr
    assert "last layers" not in said.stderr  # no training has begun


def test_a_loss_that_is_no_number_is_no_result() -> None:
    found = {"loss": 0.5, "accuracy": 50.0, "error": ""}
    assert is_verdict(found)
    assert not is_verdict({**found, "loss": math.nan})


def test_targets_have_no_accuracy(data: Path, tmp_path: Path) -> None:
    """It was told as 0 %."""
    x = np.load(data / "data.npz")["x"]
    np.savez(tmp_path / "targets.npz", x=x, y=np.zeros((len(x), 2), np.float32))
    (tmp_path / "targets.toml").write_text('head = 2\nloss = "mean_squared_error"\n')
    more = ("--scheme", str(tmp_path / "targets.toml"), "--data", str(tmp_path / "targets.npz"))
    found = chosen(data, tmp_path / "s.toml", *more, "--by", "ladder")
    rows = found["rows"]
    assert isinstance(rows, list) and rows[0]["accuracy"] is None and rows[0]["loss"] >= 0
