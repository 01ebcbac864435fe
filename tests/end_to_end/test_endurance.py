"""The endurance run: what its phases are, what it looks at, and what it says."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.support.firmware import build_for_host
from tests.support.learner import SCHEME, learner_graph
from tests.support.lines import on_a_terminal

from tinyflash.bench.endurance.plot import draw_endurance
from tinyflash.bench.endurance.run import (
    Endured,
    Look,
    Result,
    Settings,
    as_record,
    compile_task,
    endure,
    phases,
    run,
)
from tinyflash.boards import load_board
from tinyflash.compiler import compile_model
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.host import HostSession
from tinyflash.show.report import write_compilation
from tinyflash.training.health import Anatomy
from tinyflash.training.open import Running
from tinyflash.training.samples import Samples
from tinyflash.zoo.task import Split, Task

SETTINGS = Settings(steps=120, phase=40, look=20, tests=15, rate=0.05)


def clusters(count, subject):
    random = np.random.default_rng(subject)
    y = np.arange(count) % 3
    centres = np.random.default_rng(99).integers(-60, 60, (3, 6, 6, 2)) + 5 * subject
    return Samples((centres[y] + random.integers(-30, 30, (count, 6, 6, 2))).astype(np.int8), y)


def splits(seed):
    return tuple(Split(*(clusters(n, seed + i) for n in (21, 6, 30))) for i in range(2))


@pytest.fixture(scope="module")
def task():
    return Task("clusters", "small", learner_graph(), 3, SCHEME, 1, splits)


@pytest.fixture(scope="module")
def compiled(task):
    first = phases(task, SETTINGS)[0].train
    return compile_task(task, first, SETTINGS.decay, 0)


@pytest.fixture(scope="module")
def endured(task, compiled):
    tasks = phases(task, SETTINGS)
    return endure(HostSession(compiled.program), compiled.program, tasks, SETTINGS, lambda _: None)


def test_phases_change_the_subject_and_what_labels_mean(task):
    found = phases(task, SETTINGS)
    subjects = splits(0)
    assert len(found) == 3
    for phase, split in zip(found, (*subjects, subjects[0]), strict=True):
        assert np.array_equal(phase.train.x, split.train.x)
        assert len(phase.test) == 15
        pairs = set(zip(split.train.y.tolist(), phase.train.y.tolist(), strict=True))
        assert len(pairs) == 3  # a permutation
    assert np.array_equal(found[0].train.y, subjects[0].train.y)
    assert not np.array_equal(found[2].train.y, subjects[0].train.y)
    again = phases(task, SETTINGS)
    assert all(np.array_equal(a.test.y, b.test.y) for a, b in zip(found, again, strict=True))


def test_it_looks_before_the_first_step_of_a_phase_and_then_by_turns(endured):
    steps = [(look.phase, look.step) for look in endured.looks]
    assert steps == [(p, 40 * p + s) for p in range(3) for s in (0, 20, 40)]
    assert endured.looks[-1].counters.step == 120


def test_a_shift_costs_accuracy_which_comes_back(endured):
    for phase in (1, 2):
        assert endured.start(phase) < 70
        assert endured.looks[3 * phase + 2].accuracy > endured.start(phase)
    assert endured.looks[-1].accuracy >= 80


def test_the_same_settings_give_the_same_run(task, compiled, endured):
    tasks = phases(task, SETTINGS)
    heard = []
    again = endure(HostSession(compiled.program), compiled.program, tasks, SETTINGS, heard.append)
    assert again == endured
    assert tuple(heard) == endured.looks


def test_record_and_picture(compiled, endured, tmp_path):
    anatomy = Anatomy.of(compiled)
    result = Result(SETTINGS, anatomy, endured, endured, (90.0, 91.0, 92.0), True, 0.5)
    record = json.loads(json.dumps(as_record(result)))
    assert record["accuracy_fresh"] == 91.0
    assert record["weights"] == anatomy.weights
    assert [phase["settled"] for phase in record["phases"]] == [
        endured.settled(n) for n in range(3)
    ]
    assert len(record["looks"]) == 9
    draw_endurance(tmp_path / "e.png", "endurance", result)
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


def test_settled_is_the_mean_of_the_last_looks(endured):
    counters = endured.looks[0].counters
    looks = tuple(Look(i, 0, float(i), counters, 0) for i in range(5))
    assert Endured(looks, b"", b"").settled(0) == 3.0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 50}, {"look": 15}])
def test_steps_that_do_not_divide_are_refused(wrong):
    with pytest.raises(DataError, match="each must divide the one before"):
        Settings(**{"steps": 120, "phase": 40, "look": 20, **wrong})


def test_board_and_host_agree(task, board, tmp_path):
    heard = {}

    def listen(name):
        heard[name] = []
        return heard[name].append

    settings = Settings(steps=24, phase=8, look=4, tests=5)
    result = run(task, board, settings, tmp_path, listen)
    assert result.agrees
    assert result.board.weights != result.undecayed.weights
    assert len(result.fresh) == 3
    assert list(heard) == [board.name, "this computer", "without weight decay", "fresh copies"]
    assert heard[board.name] == heard["this computer"] == list(result.board.looks)


def test_a_board_that_runs_already(task, tmp_path, monkeypatch):
    """The first call writes the model that the board must run, and says so."""
    monkeypatch.setattr("tinyflash.training.open._check_board", lambda *_: None)
    host = replace(load_board("qemu_stm32f405"), kernels=())
    settings = Settings(steps=24, phase=8, look=4, tests=5)
    model, other = tmp_path / "model", tmp_path / "other"
    write_compilation(compile_model(learner_graph(), SCHEME, seed=5), other)
    with (
        on_a_terminal(build_for_host(other, tmp_path / "wrong")) as port,
        pytest.raises(LinkError, match=r"the device runs .* build and flash it again"),
    ):
        run(task, host, settings, model, lambda _: lambda _: None, Running(port))
    firmware = build_for_host(model, tmp_path / "firmware")
    for _ in range(2):  # what it learned before is replaced
        with on_a_terminal(firmware) as port:
            assert run(task, host, settings, model, lambda _: lambda _: None, Running(port)).agrees
