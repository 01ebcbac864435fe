"""The search for a network: what it keeps, what it takes, and that a seed decides all of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import refused

from tinyflash.boards import Board, load_board
from tinyflash.boards.firmware import build_firmware, can_compile
from tinyflash.boards.fits import measure
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError
from tinyflash.read import read
from tinyflash.scheme import Scheme
from tinyflash.search.designs import choosing, finish, searching, stage1, stage2
from tinyflash.search.designs import trial as designs_trial
from tinyflash.search.designs.choosing import learning
from tinyflash.search.designs.cost import Cost, Limits, untrained
from tinyflash.search.designs.design import (
    KINDS,
    WIDTHS,
    Block,
    Design,
    Kind,
    Space,
    draw,
    spaces,
    strides,
)
from tinyflash.search.designs.effort import Effort, Halving
from tinyflash.search.designs.jobs import Fields, Here, Job, Results, computed, workers
from tinyflash.search.designs.layers import random_weights
from tinyflash.search.designs.searching import Found, Progress, Request, _trainable, search
from tinyflash.search.designs.stage1 import Input, Surveyed, chosen
from tinyflash.search.designs.stage2 import Source, Tried, drawn
from tinyflash.search.designs.task import Part, Task, load_task
from tinyflash.search.designs.trial import Score, seconds, trial

GIVEN = Input("signal", (1, 24, 2), 3)
ROOMY = Limits(1 << 20, 1 << 20)


def cheap(design: Design, _board: Board) -> Cost:
    """A cost that needs no compilation: more multiply-adds take more of everything."""
    return Cost(design.macs, design.macs // 2, design.macs // 4, 10, design.macs, 3 * design.macs)


def guessed(design: Design, _task: Task, samples: int, seed: int) -> Score:
    """A score without training: of the description, more with more samples."""
    share = int(design.key, 16) % 1000 / 1000
    return Score(0.5 + 0.4 * share + samples * 1e-9, 1 - share)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage1, "cost_of", cheap)
    monkeypatch.setattr(stage2, "trial", guessed)
    monkeypatch.setattr(finish, "can_compile", lambda _: False)
    monkeypatch.setattr(
        searching,
        "train",
        lambda design, task, samples, seed: (
            random_weights(design.shape, design.layers, seed),
            guessed(design, task, samples, seed),
        ),
    )


@pytest.fixture
def no_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search ends with a network; what it trains is not chosen, which takes compilations."""
    nothing = finish.Trainable(Scheme(), "", None, Cost(0), None)  # type: ignore[arg-type]
    monkeypatch.setattr(searching, "_trainable", lambda *_: nothing)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "moves.npz"
    np.savez(path, x=random.normal(size=(60, 24, 2)), y=np.arange(60) % 3)
    return path


# ---- Jobs ----------------------------------------------------------------------------------------


def squared(number: int) -> Fields:
    return {"number": number * number}


def fail() -> Fields:
    raise AssertionError("it was finished already")


def test_finished_results_are_not_computed_again(tmp_path: Path) -> None:
    path, ticks = tmp_path / "results.jsonl", list[str]()
    jobs = {str(n): Job(squared, (n,)) for n in range(5)}
    first = dict(list(jobs.items())[:3])
    computed(first, Results(path), Here(), ticks.append)
    with path.open("ab") as file:
        file.write(b'{"key": "3", "resu')  # a run that was killed while it wrote
    broken = {key: Job(fail, ()) for key in first}
    found = computed({**jobs, **broken}, Results(path), Here(), ticks.append)
    assert found == {str(n): {"number": n * n} for n in range(5)}
    assert len(ticks) == 3 + 5
    assert Results(path).known["3"] == {"number": 9}


def test_workers_compute_what_this_process_does(tmp_path: Path) -> None:
    jobs = {str(n): Job(squared, (n,)) for n in range(9)}
    with workers(2) as pool:
        found = computed(jobs, Results(tmp_path / "results.jsonl"), pool, lambda _: None)
    assert found == {str(n): {"number": n * n} for n in range(9)}


def test_nothing_begins_after_the_end(tmp_path: Path) -> None:
    jobs = {"late": Job(squared, (2,))}
    results = Results(tmp_path / "results.jsonl")
    assert not computed(jobs, results, Here(), lambda _: None, time.monotonic() - 1)
    assert not jobs.keys() & results.known.keys()


# ---- Stage 1 -------------------------------------------------------------------------------------


def surveyed(
    width: float, macs: Sequence[int], fits: Sequence[bool], kind: Kind = "bottleneck"
) -> Surveyed:
    random, space = np.random.default_rng(0), Space(width, 1, kind)
    designs = tuple(GIVEN.draw(space, random) for _ in macs)
    return Surveyed(space, designs, tuple(Cost(m, m, m) for m in macs), tuple(fits))


def test_the_space_whose_fitting_networks_compute_most_is_taken() -> None:
    narrow = surveyed(0.2, [10, 20, 30, 40], [True] * 4)
    middle = surveyed(0.5, [30, 50, 70, 900], [True, True, True, False])
    wide = surveyed(1.0, [400, 500, 600, 700, 800], [True, *[False] * 4])  # too few fit
    assert middle.macs == 50
    assert chosen([narrow, middle, wide], ROOMY) == (middle,)
    assert chosen([narrow, wide], ROOMY) == (narrow,)
    assert chosen([wide], ROOMY) == (wide,)


def test_each_kind_of_blocks_has_its_space() -> None:
    less, more = (surveyed(width, [macs], [True]) for width, macs in ((0.2, 10), (0.5, 20)))
    plain = surveyed(0.9, [900], [True], "plain")
    rare = surveyed(0.9, [900] * 5, [True, *[False] * 4], "fused")
    assert chosen([plain, less, more, rare], ROOMY) == (more, plain)


@pytest.mark.parametrize(
    "limits, words",
    [
        (Limits(9, 1000), "--train-budget is 9"),
        (Limits(1000, 9), "the limit is 9"),
        (Limits(1000, 1000, step=5), "not counted"),
    ],
)
def test_the_limit_that_nothing_meets_is_named(limits: Limits, words: str) -> None:
    with pytest.raises(BoardError, match=words):
        chosen([surveyed(0.2, [10, 20], [False, False])], limits)


# ---- Effort --------------------------------------------------------------------------------------


def test_more_minutes_do_more_and_no_clock_decides() -> None:
    random = np.random.default_rng(0)
    designs = [GIVEN.draw(space, random) for space in spaces("signal", (1, 24, 2))[:8]]
    short, long = (Effort(minutes).halving(designs, 500) for minutes in (0.5, 60))
    assert short.population <= long.population
    assert short.samples <= long.samples == 3 * (30_000 // 27)  # the last round is whole
    assert Effort(0.5).draws(36) < Effort(60).draws(36)
    assert Effort(60).final_samples(designs[0], 500) == 30_000
    assert Effort(60).final_samples(designs[0], 5000) == 200_000
    assert 0 < Effort(0.01).final_samples(designs[0], 500) < 30_000


def test_a_short_search_plans_networks_of_fewer_spaces_of_all_kinds_and_widths() -> None:
    every = spaces("picture", (28, 28, 1))
    assert Effort(60).surveyed(every) == every
    few = Effort(0.5).surveyed(every)
    assert len(few) * 8 == len(every)
    assert {space.kind for space in few} == set(KINDS)
    assert {space.width for space in few} == set(WIDTHS)


def test_the_rounds_take_about_the_time_that_they_should() -> None:
    random = np.random.default_rng(0)
    designs = [GIVEN.draw(space, random) for space in spaces("signal", (1, 24, 2))[:8]]
    effort = Effort(1)
    plan = effort.halving(designs, 100_000)
    one = sum(seconds(design, 1) for design in designs) / len(designs)
    counts = [plan.population + plan.children, plan.survivors(1), plan.survivors(2)]
    total = sum(n * plan.samples_in(number) for number, n in enumerate(counts))
    assert plan.counts == tuple(counts)
    assert 0.8 * effort.halving_seconds < total * one <= effort.halving_seconds


# ---- The whole search ----------------------------------------------------------------------------


def progress() -> Progress:
    return Progress(lambda *_: None, lambda _: None, lambda _: None)


def request_for(data: Path, folder: Path, seed: int = 3, sram: int = 1 << 17) -> Request:
    board = load_board("stm32f446_nucleo")
    limits = Limits(sram, board.flash_bytes)
    return Request(Source(data, None, None, 0), board, limits, 0.2, seed, 1, folder)


def run(data: Path, folder: Path, seed: int = 3) -> Found:
    return search(request_for(data, folder, seed), progress())


def test_the_same_seed_finds_the_same_network(
    quick: None, no_scheme: None, data: Path, tmp_path: Path
) -> None:
    one, again = (run(data, tmp_path / name) for name in ("one", "again"))
    assert one.tried == again.tried and one.surveyed == again.surveyed
    assert one.best == again.best
    files = [(tmp_path / name / "network.tflite").read_bytes() for name in ("one", "again")]
    assert files[0] == files[1]
    assert run(data, tmp_path / "other", seed=4).best != one.best


def test_an_interrupted_search_goes_on(
    quick: None, no_scheme: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(data, tmp_path / "whole")
    calls = 0

    def interrupted(*given: object) -> Score:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return guessed(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(stage2, "trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "again")
    assert run(data, tmp_path / "again").tried == whole.tried
    assert calls == 1 + len({(one.design, one.samples) for one in whole.tried})
    kept = calls
    assert run(data, tmp_path / "again").best == whole.best
    assert calls == kept  # nothing is trained again


def test_what_is_found_is_the_best_of_the_last_round_and_fits(
    quick: None, data: Path, tmp_path: Path
) -> None:
    found = search(replace(request_for(data, tmp_path / "found"), chooses=False), progress())
    last = max(one.samples for one in found.tried)
    finalists = [one for one in found.tried if one.samples == last]
    assert found.best.score.accuracy == max(one.score.accuracy for one in finalists)
    assert {one.design.space for one in found.tried} == set(found.spaces)
    assert any(one.samples < last for one in found.tried)
    request = request_for(data, tmp_path)
    scheme = found.trainable.scheme
    made = compile_model(
        read(tmp_path / "found" / "network.tflite"), scheme, kernels=request.board.kernels
    )
    assert measure(made.program, request.board).sram_bytes == found.trainable.cost.sram
    assert found.trainable.cost.sram <= found.limits.sram
    assert not found.late


def test_what_a_network_learns_from_is_new_to_it_and_judged_by_other_samples() -> None:
    graph = untrained(GIVEN.draw(Space(0.2, 1), np.random.default_rng(0)))
    x = np.arange(24).repeat(48).reshape(24, 1, 24, 2).astype(np.float32) / 8  # all different
    found = learning(graph, Part(x, np.arange(24) % 3), 0)
    learns, judges = ({x.tobytes() for x in part.x} for part in (found.train, found.held_out))
    assert len(learns) == len(judges) == 12 and not learns & judges
    assert sorted(found.train.y) == sorted(found.held_out.y)
    assert found.judges and not learning(graph, Part(x[:1], np.zeros(1, np.int64)), 0).judges


@pytest.mark.skipif(not can_compile(load_board("stm32f446_nucleo")), reason="no Arm compiler")
def test_what_is_trained_is_chosen_by_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `choose` does: of all that fits, the lowest loss wins; and goes on from its results. What
    is linked takes what was planned, to the byte, as the compiler's own tool sees it."""
    images: list[int] = []

    def build(*given: Any, **named: Any) -> Path:
        elf = build_firmware(*given, **named)
        size = ("arm-none-eabi-size", "-A", "-d", str(elf))
        lines = [one.split() for one in subprocess.check_output(size, text=True).splitlines()]
        of_board = [one for one in lines if len(one) == 3 and one[2].isdigit()]
        images.append(sum(int(n) for _, n, at in of_board if 0x20000000 <= int(at) < 0x40000000))
        return elf

    monkeypatch.setattr(finish, "build_firmware", build)
    shape, random = (1, 8, 2), np.random.default_rng(0)
    stages = ((Block(3, 3),),) * (len(strides("signal", shape, 1)) - 1)
    best = point(Design("signal", shape, 3, Space(0.2, 1), 3, stages), 0.9)
    y = np.arange(24) % 3
    part = Part(random.normal(size=(24, *shape)).astype(np.float32) + y[:, None, None, None], y)
    given = request_for(tmp_path, tmp_path / "mine.design", sram=24_000)
    task = Task("signal", 3, part, part, part)
    told: list[str] = []
    listen = Progress(lambda text, _: told.append(text), told.append, told.append)

    def choose() -> finish.Trainable:
        graph = untrained(best.design)
        return _trainable(given, task, best, graph, given.limits, Effort(0.2), tmp_path, listen)

    found = choose()
    compared = found.compared
    assert {"fisher", "ladder", "classifier alone"} <= {one.method for one in compared}
    losses = [one.judged.loss for one in compared if one.judged]
    assert losses == sorted(losses) and len(losses) == len(compared)
    assert (found.scheme, found.method) == (compared[0].scheme, compared[0].method)
    made = compile_model(untrained(best.design), found.scheme, kernels=given.board.kernels)
    assert measure(made.program, given.board).sram_bytes == compared[0].size.sram <= 24_000
    assert found.image is not None
    assert [found.image.sram] == images == [compared[0].size.sram]
    assert "finalists" in told and told.count("") > 30
    monkeypatch.setattr(finish, "can_compile", lambda _: False)
    monkeypatch.setattr(choosing, "work", lambda *_: fail())
    assert choose().compared == compared


def test_a_longer_search_lets_probes_propose() -> None:
    design = GIVEN.draw(Space(0.2, 1), np.random.default_rng(0))
    short, long = (Effort(minutes).choosing(design, 200) for minutes in (0.2, 60))
    assert not short.probes and short.epochs >= 1
    assert long.probes and long.epochs > short.epochs


def test_another_seed_or_a_new_compiler_measures_code_again(
    monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    """In one folder, too: or what an earlier run has measured decides what a seed finds."""
    counts = iter(range(1, 9))
    monkeypatch.setattr(searching, "with_code", lambda *_: Limits(1, 1, None, float(next(counts))))
    progress = Progress(lambda *_: None, lambda _: None, lambda _: None)
    results = Results(tmp_path / "results.jsonl")

    def code(seed: int) -> float:
        asked = request_for(data, tmp_path, seed)
        return searching._with_code(asked, GIVEN, results, tmp_path, progress).code

    monkeypatch.setattr(searching, "can_compile", lambda _: False)
    assert [code(3), code(4), code(3)] == [1, 2, 1]
    monkeypatch.setattr(searching, "can_compile", lambda _: True)
    assert [code(3), code(3)] == [3, 3]


def test_damaged_weights_are_trained_again(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    arrays: dict[str, Any] = {"a.w": np.ones(9), "a.b": np.zeros(1), "score": np.array([0.5, 1.0])}
    np.savez(whole, **arrays)
    kept = searching._kept(whole)
    assert kept is not None and kept[1] == Score(0.5, 1.0)
    content = whole.read_bytes()
    middle = content.index(b"NUMPY") + 100
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    for number, damaged in enumerate((b"", b"no file", content[:200], flipped)):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(damaged)
        assert searching._kept(path) is None
    assert searching._kept(tmp_path / "missing.npz") is None


def test_networks_that_do_not_fit_are_not_trained(quick: None, tmp_path: Path) -> None:
    tight, two = Limits(20_000, 1 << 20), (Space(0.5, 1), Space(0.5, 1, "plain"))
    planner = stage1.Planner(
        load_board("stm32f446_nucleo"), Results(tmp_path / "results.jsonl"), Here()
    )
    found = drawn(GIVEN, two, tight, planner, 10, np.random.default_rng(0))
    assert [sum(one.space == space for one in found) for space in two] == [5, 5]
    assert all(cost.sram <= 20_000 for cost in found.values())
    assert any(
        draw("signal", (1, 24, 2), 3, Space(0.5, 1), np.random.default_rng(n)).macs > 40_000
        for n in range(9)
    )


def test_an_image_above_a_limit_is_left_out(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    ranked = [point(GIVEN.draw(Space(0.2, 1), random), 0.9 - n / 10) for n in range(3)]
    sizes = iter([finish.Linked(200, 90), finish.Linked(90, 200), finish.Linked(90, 90)])
    monkeypatch.setattr(finish, "can_compile", lambda _: True)
    monkeypatch.setattr(finish, "compiled", lambda *_: None)
    monkeypatch.setattr(finish, "linked", lambda *_: next(sizes))
    said: list[str] = []
    board, limits = load_board("stm32f446_nucleo"), Limits(100, 100)
    assert finish.first_linked(ranked, limits, board, Path(), said.append) is ranked[2]
    assert "flash" in said[0] and "SRAM" in said[1]
    sizes = iter([finish.Linked(200, 90)] * 3)
    with pytest.raises(BoardError, match="200 bytes of flash"):
        finish.first_linked(ranked, limits, board, Path(), said.append)


def test_a_scheme_that_an_image_does_not_take_is_made_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    design = GIVEN.draw(Space(0.2, 1), np.random.default_rng(0))
    sizes: list[int] = []

    def link(made: Compiled, board: Board, _work: Path) -> finish.Linked:
        sizes.append(measure(made.program, board).sram_bytes)
        if len(sizes) == 1:
            raise BoardError("a region is too small")
        return finish.Linked(200 if len(sizes) == 2 else 90, sizes[-1])

    monkeypatch.setattr(finish, "can_compile", lambda _: True)
    monkeypatch.setattr(finish, "linked", link)
    board, said = load_board("stm32f446_nucleo"), list[str]()
    limits = Limits(1 << 17, 100)
    found = finish.with_scheme(untrained(design), design, limits, board, Path(), said.append)
    assert sizes[0] > sizes[1] > sizes[2]
    assert "region" in said[0] and "flash" in said[1]
    assert found.image == finish.Linked(90, sizes[2])


def point(design: Design, accuracy: float, samples: int = 9, sram: int = 10) -> Tried:
    return Tried(design, Cost(5, sram, 20, 3, 30, 40), samples, Score(accuracy, 1.0))


# ---- Torch ---------------------------------------------------------------------------------------


def test_a_trial_is_a_function_of_its_seed(data: Path) -> None:
    torch = pytest.importorskip("torch")
    task = load_task(data, None, None, 0)
    design = draw("signal", task.shape, 3, Space(0.2, 2), np.random.default_rng(0))
    torch.set_num_threads(2)
    one, again, other = (trial(design, task, 64, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert torch.get_num_threads() == 2
    assert 0 <= one.accuracy <= 1


def test_a_plan_of_rounds_halves() -> None:
    plan = Halving(16, 100)
    assert [plan.survivors(n) for n in (1, 2)] == [4, 2]
    assert [plan.samples_in(n) for n in (0, 1, 2)] == [100, 300, 900]


def test_without_torch_the_command_says_how_to_install_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(designs_trial, "find_spec", lambda _: None)
    out = ("--board", "stm32f446_nucleo", "-o", str(tmp_path / "m.tflite"))
    assert "torch" in refused("design", str(data), *out)
