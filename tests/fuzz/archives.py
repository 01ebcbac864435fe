"""Files of numpy arrays: samples, labels, targets, learned weights."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from tests.fuzz.models import SCHEMES
from tests.fuzz.mutator import flip, splice
from tests.fuzz.schemes import network
from tests.fuzz.target import Target, refusals_allowed

from tinyflash.compiler import Compiled, compile_model
from tinyflash.graph import Port, Quant
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned, load_learned, save_learned
from tinyflash.training import health
from tinyflash.training.interrupted import arrays_of, load_interrupted
from tinyflash.training.job import Job
from tinyflash.training.loop import Guard, Recipe
from tinyflash.training.open import Ready
from tinyflash.training.run import run
from tinyflash.training.samples import Samples, load_inputs, load_samples, load_with_targets
from tinyflash.training.targets import Objective

PORT = Port("x", "float32", (1, 2, 3), Quant((0.5,), 3))
OUTPUTS = Port("y", "float32", (1, 6), Quant((0.1,), 5))
OBJECTIVE = Objective("mean_squared_error", OUTPUTS, OUTPUTS, probabilities=False)
WORDS = (
    *(b"'descr': ", b"'|O'", b"'<f8'", b"'<U9'", b"'<M8[s]'", b"[('a','<f4')]", b"(99999999999,)"),
    *(b"(4, 2, 3)", b"()", b"(0,)", b"(-1,)", b"True", b"'fortran_order': ", b"\x93NUMPY\x03\x00"),
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\xff\xff\xff\xff", b"x.npy", b"y.npy"),
)


# ---- Samples ------------------------------------------------------------------------------------


def _run_data(path: Path) -> None:
    with refusals_allowed():
        load_inputs(path, PORT)
    with refusals_allowed():
        load_samples(path, PORT, 2)
    load_with_targets(path, PORT, OBJECTIVE)


def _data_seeds(_: Path) -> list[bytes]:
    x, y, alone = np.random.default_rng(0).normal(size=(4, 2, 3)), np.arange(4) % 2, io.BytesIO()
    np.save(alone, x.astype(np.float32))
    archives = [io.BytesIO() for _ in range(3)]
    np.savez(archives[0], x=x, y=y)
    np.savez_compressed(archives[1], x=x.astype(np.int8), y=y)
    np.savez(archives[2], x=x, y=x.reshape(4, 6))
    return [file.getvalue() for file in (alone, *archives)]


def _mutate(content: bytes, random: Random, _: Path) -> bytes:
    """The container damaged, or a member within a container that is whole."""
    file = io.BytesIO()
    if random.random() < 0.4:
        return _damaged(content, random)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
            for name in old.namelist()[:12]:
                member = old.read(name)
                new.writestr(name, _damaged(member, random) if random.random() < 0.6 else member)
    except Exception:  # it is no archive, or was damaged before
        return _damaged(content, random)
    return file.getvalue()


def _damaged(content: bytes, random: Random) -> bytes:
    return (splice(content, WORDS, random)) if random.random() < 0.4 else flip(content, random)


# ---- Learned weights ----------------------------------------------------------------------------


@cache
def _learner(folder: Path) -> Compiled:
    return compile_model(network(folder), SCHEMES[1])


def _job(program: Program) -> Job:
    random, shape = np.random.default_rng(0), (12, program.input_bytes)
    x, y = random.integers(-128, 128, shape, dtype=np.int8), np.arange(12) % program.classes
    parts = [Samples(x[part], y[part]) for part in (slice(6), slice(6, 9), slice(9, 12))]
    return Job(parts[0], parts[1], Recipe(), Guard(parts[2], every=2))


def _run_learned(path: Path) -> None:
    ready = Ready(_learner(path.parent))
    program, job = ready.compiled.program, _job(ready.compiled.program)
    session = HostSession(program)
    learned = load_learned(path, program)
    begun = load_interrupted(path, learned, job, ready)
    if begun is None:
        learned.restore(session)
    else:
        health.as_record(run(job, session, ready, begun=begun).history.counters, _anatomy(ready))
    x = np.zeros(program.input_bytes, np.int8)
    session.infer(x)
    for _ in range(3):
        session.train_step(x, 1, 0.1)


def _learned_seeds(folder: Path) -> list[bytes]:
    program, path = _learner(folder).program, folder / "learned.npz"
    save_learned(path, Learned.of(HostSession(program), program))
    seeds, job, ready = [path.read_bytes()], _job(program), Ready(_learner(folder))
    for stop in (1, 9):
        steps = iter(range(99))

        def stopped(steps: Iterator[int] = steps, stop: int = stop) -> bool:
            return next(steps) >= len(job.held_out) + stop

        trained = run(job, HostSession(program), ready, stopped=stopped)
        save_learned(path, trained.learned, arrays_of(trained, job))
        seeds.append(path.read_bytes())
    return seeds


def _anatomy(ready: Ready) -> health.Anatomy:
    return health.Anatomy.of(ready.compiled)


DATA = Target(_data_seeds, _run_data, _mutate, ".npz")
LEARNED = Target(_learned_seeds, _run_learned, _mutate, ".npz")
