"""A short training run gives the same bytes on the host and on every emulated board."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from tests.support.firmware import EMULATED, UNLIKE

from tinyflash.boards.emulator import FLASH, Emulator
from tinyflash.compiler import compile_model
from tinyflash.errors import LinkError
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.replay import Kept
from tinyflash.runtime.state import pack, unpack
from tinyflash.scheme import Rule, Scheme
from tinyflash.scheme.optimizer import Optimizer, Rates
from tinyflash.search.fisher import read_judgement
from tinyflash.training.job import Job
from tinyflash.training.live.filling import filled
from tinyflash.training.live.learner import Beginning, Settings
from tinyflash.training.live.replaying import Stream, replay
from tinyflash.training.loop import Recipe, evaluate, train
from tinyflash.training.open import Ready, open_session
from tinyflash.training.run import run

on_unlike_boards = pytest.mark.parametrize(
    "board", UNLIKE, ids=lambda board: board.name, indirect=True
)
GUARD = 9  # held-out samples
HOW = Recipe(epochs=2, rate=0.05, seed=3, warmup=5)
ABSURD = Recipe(epochs=1, rate=90.0, schedule="step", seed=4)


@pytest.fixture(params=EMULATED, ids=lambda board: board.name)
def board(request):
    """All of them: any board's own code may differ."""
    return request.param


def whole_run(session, samples, compiled):
    return run(Job(samples, samples, HOW), session, Ready(compiled))


def test_weights_state_logits_and_every_step_agree(compiled, samples, board, firmware_folder):
    """And a board that is started again has what it saved."""
    host = whole_run(HostSession(compiled.program), samples, compiled)
    with open_session(Ready.of(compiled, board), firmware_folder, stores=True) as device:
        on_board = whole_run(device, samples, compiled)
        counters = device.counters()
        device.save()
    with open_session(Ready.of(compiled, board), firmware_folder, stores=True) as device:
        assert Learned.of(device, compiled.program) == host.learned
    (firmware_folder / FLASH).unlink()
    assert on_board.agrees(host)
    assert host.learned.weights != compiled.program.weights
    judged = read_judgement(compiled, host.learned.weights, len(samples)).d
    assert len(judged) >= 5 and all(d.any() for d in judged.values())  # a part of WEIGHTS
    assert host.after.score > host.before.score
    assert counters.step == len(host.history.steps)


@on_unlike_boards
def test_a_last_group_of_fewer_samples_agrees(model, samples, board, tmp_path):
    """It is applied, on the board as on the host."""
    optimizer = Optimizer(accumulate=64)
    scheme = Scheme((Rule(weights=0.5, bias=True),), 3, optimizer=optimizer)
    compiled = compile_model(read(model), scheme, calibration=(samples.x, samples.y), seed=5)
    job = Job(samples.take(np.arange(5)), samples, Recipe(epochs=1, rate=0.05))
    host = run(job, HostSession(compiled.program), Ready(compiled))
    with open_session(Ready.of(compiled, board), tmp_path) as device:
        assert run(job, device, Ready(compiled)).agrees(host)
    assert host.learned.weights != compiled.program.weights


def guarded_run(session, samples):
    """Trains well, then absurdly, under a guard; all that it said, and what was learned."""
    said = [session.start_guard(samples.x[:GUARD], samples.y[:GUARD], every=7, tolerance=1)]
    for recipe in (HOW, ABSURD):
        said.append(train(session, samples, recipe))
        said.append(session.guard_report())
    said.append(session.finish_guard())
    return said, evaluate(session, samples).score, session.weights, session.state


@on_unlike_boards
def test_schedule_and_guard_agree_run_twice(compiled, samples, board, firmware_folder):
    host = guarded_run(HostSession(compiled.program), samples)
    folder = firmware_folder / "guarded"
    for _ in range(2):
        with open_session(Ready.of(compiled, board), folder, guard=GUARD) as device:
            assert guarded_run(device, samples) == host
    before, *_, after = host[0]
    assert after.best > before.best
    assert after.rollbacks > 0
    assert after.last == after.best


def test_live_learning_agrees(without_judgement, samples, board, tmp_path):
    """Window by window, with a replay buffer and a guard."""
    compiled = without_judgement
    memory = filled(compiled, 1, 3, samples)
    start = Beginning(Learned.compiled(compiled.program), memory, samples.take(np.arange(3)))
    stream = Stream(samples.take(np.arange(12)), samples, Settings(0.05, 1, 2), start.held_out)
    runs = []
    ready = Ready.of(compiled, board, 1)
    with open_session(ready, tmp_path, guard=3, replay=1) as device:
        for session in (device, HostSession(compiled.program)):
            runs.append(replay(stream, session, compiled.graph, compiled.program, start))
        assert device.replay_memory() == runs[1].ending.memory
    assert runs[0] == runs[1]
    assert runs[0].finished
    assert Kept.of(runs[0].ending.memory, compiled.program.classes, 1).replayed == 24


@on_unlike_boards
def test_every_option_of_the_optimizer_agrees(model, samples, board, tmp_path):
    """In ten steps, of which one is skipped for a gradient that saturates."""
    optimizer = Optimizer(0.9, 1e-3, 2, master=True, saturation_limit=0.05)
    rules, rates = (Rule(weights=0.5, bias=True),), Rates(2.0, 0.5)
    scheme = Scheme(rules, 3, optimizer=optimizer, rates=rates)
    compiled = compile_model(read(model), scheme, calibration=(samples.x, samples.y), seed=5)
    with open_session(Ready.of(compiled, board), tmp_path) as device:
        sessions = (device, HostSession(compiled.program))
        for session in sessions:
            for i in range(10):
                if i == 5:
                    header, scales = unpack(session.state)
                    session.state = pack(header, [s._replace(gain=-64) for s in scales])
                session.train_step(samples.x[i], int(samples.y[i]), 0.05)
        ends = [(session.weights, session.state) for session in sessions]
        assert device.counters().updates_skipped > 0
    assert ends[0] == ends[1]


def test_a_single_changed_bit_does_not_agree(compiled, samples):
    trained = whole_run(HostSession(compiled.program), samples, compiled)
    for part in ("weights", "state"):
        changed = bytearray(getattr(trained.learned, part))
        changed[len(changed) // 2] ^= 1
        learned = replace(trained.learned, **{part: bytes(changed)})
        assert not trained.agrees(replace(trained, learned=learned))
    assert trained.agrees(replace(trained))


@on_unlike_boards
def test_training_moves_from_board_to_host_and_back(compiled, samples, board, firmware_folder):
    """Ten steps on the board, ten on the host, ten on the board: as thirty in one go."""
    alone = HostSession(compiled.program)
    other = HostSession(compiled.program)

    def steps(session, first):
        for i in range(first, first + 10):
            session.train_step(samples.x[i], int(samples.y[i]), 0.03)

    with open_session(Ready.of(compiled, board), firmware_folder) as device:
        steps(device, 0)
        Learned.of(device, compiled.program).restore(other)
        steps(other, 10)
        Learned.of(other, compiled.program).restore(device)
        steps(device, 20)
        for first in (0, 10, 20):
            steps(alone, first)
        assert (device.weights, device.state) == (alone.weights, alone.state)


def test_reset_brings_back_the_compiled_weights(compiled, samples, board, firmware_folder):
    with open_session(Ready.of(compiled, board), firmware_folder) as device:
        device.train_step(samples.x[0], 0, 0.1)
        assert device.weights != compiled.program.weights
        device.reset()
        assert (device.weights, device.state) == (compiled.program.weights, compiled.program.state)


@on_unlike_boards
def test_an_emulator_that_dies_in_the_middle_is_one_clear_error(
    compiled, samples, board, firmware_folder, monkeypatch
):
    started = []

    class Noted(Emulator):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            started.append(self)

    monkeypatch.setattr("tinyflash.training.open.Emulator", Noted)
    with open_session(Ready.of(compiled, board), firmware_folder) as device:
        device.infer(samples.x[0])
        os.kill(started[0].pid, signal.SIGKILL)
        with pytest.raises(LinkError, match=r"emulator was killed|serial line is gone") as caught:
            train(device, samples, HOW)
    assert "\n" not in str(caught.value)
