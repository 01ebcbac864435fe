"""The demo's network learns the same bytes with every kernel set on every emulated core; with the
reference also on a Cortex-M0, and where unaligned access is a fault."""

from __future__ import annotations

import re
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.lib.build import M0, ROOT, build_for_board, run
from tests.support.firmware import LARGE

from tinyflash.boards import Board
from tinyflash.compiler import compile_model, prepare
from tinyflash.demo import task as tasks
from tinyflash.factor import factor
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.sources import REFERENCE, library_sources
from tinyflash.write.model import write_model

RATE = 0.03
CORES = [*LARGE, M0]
SETS = [(board, name) for board in CORES for name in board.kernels]
# Of compiler and core; an M0 is never otherwise, and has no switch, nor has RISC-V.
STRICT = ("-mno-unaligned-access", "-DSTRICT_ALIGNMENT=1")
SOURCES = [
    *library_sources(ROOT),
    *(ROOT / "tests" / "lib" / name for name in ("run_steps.c", "case_file.c")),
]


@pytest.fixture(scope="module")
def demo():
    """The demo's network, made ready to train, and its samples."""
    graph, job = tasks.load_task(0)
    return prepare(graph, scheme("person_faces")), job.train


@pytest.fixture(scope="module")
def steps_of(demo):
    """By a number of steps: the file of samples, and what the host says of each."""
    return cache(lambda count: steps(demo, count))


def steps(demo, count: int) -> tuple[bytes, list[str]]:
    samples = demo[1]
    session = HostSession(compiled(demo).program)
    rate, said, file = factor(RATE), [], []
    for i in np.resize(np.arange(len(samples)), count):
        session.train_step(samples.x[i], int(samples.y[i]), RATE)
        said.append(f"step {zlib.crc32(session.state, zlib.crc32(session.weights)):08x}")
        file.append(struct.pack("<IHh", samples.y[i], rate.mantissa, rate.exponent))
        file.append(samples.x[i].tobytes())
    said.append(f"infer {zlib.crc32(session.infer(samples.x[0]).tobytes()):08x}")
    return b"".join([*file, struct.pack("<IHh", 0, 0, 0), samples.x[0].tobytes()]), said


def compiled(demo, sets=(REFERENCE,)):
    prepared, samples = demo
    return compile_model(prepared, None, (samples.x, samples.y), kernels=sets)


@pytest.mark.parametrize(("board", "name"), SETS, ids=lambda value: getattr(value, "name", value))
def test_every_set_on_every_core(
    board: Board, name: str, demo, steps_of, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    count = request.config.getoption("--demo-steps")
    if name == REFERENCE:
        count = min(count, request.config.getoption("--demo-steps-of-ref"))
    file, said = steps_of(count)
    (tmp_path / "cases.bin").write_bytes(file)
    sets = dict.fromkeys((name, REFERENCE))
    model = compiled(demo, tuple(sets))
    assert {row.kernel_set for row in model.program.train} == set(sets)
    write_model(model, tmp_path)
    flags = STRICT if name == REFERENCE and board.core and board is not M0 else ()
    program = build_for_board([*SOURCES, tmp_path / "model.c"], tmp_path, board, flags)
    outcome = run(program, tmp_path, board, seconds=600)
    assert re.findall(r"^(?:step|infer) \w+$", outcome.text, re.MULTILINE) == said
    assert outcome.status == 0, outcome.text
