"""Builds the fuzzer of the firmware's link (fuzz_link.c), and runs it."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tests.support.compilers import compile_program
from tests.support.firmware import FLASH, REPLAY_SLOTS, ROOT, SANITIZERS, WATCHED
from tests.support.learner import SCHEME, learner_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.normal import MOST_RANKS
from tinyflash.runtime.replay import replay_bytes
from tinyflash.scheme import parse_scheme
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model

FIRST_RUN = 1  # of the sensor
FRAMED, NUMBERED = 1, 2  # of fuzz_link.c
COVERAGE = "-fsanitize-coverage=trace-pc"


# How samples come: whole, row by row, or with targets in place of labels.
Kind = Literal["whole", "rows", "targets"]
SQUARED = parse_scheme("loss = 'mean_squared_error'\n[[update]]\nlast = 1\nweights = 0.5")
OUTPUTS = 4


def learner(kind: Kind) -> Compiled:
    scheme = SQUARED if kind == "targets" else SCHEME
    return compile_model(learner_graph(), scheme, seed=9, row_source=kind == "rows")


def build(folder: Path, kind: Kind) -> Path:
    """The fuzzer of the firmware that runs the learner: with guard, replay buffer and store."""
    write_model(learner(kind), folder)
    sizes = [f"-DBOARD_STORE_{name.upper()}={size}" for name, size in vars(FLASH).items()]
    settings = [*SANITIZERS, COVERAGE, *sizes, *WATCHED, "-DCOLLECT_BYTES=600u"]
    firmware = sorted((ROOT / "firmware").rglob("*.c"))
    files = [*library_sources(ROOT), *(f for f in firmware if f.name != "main.c")]
    files += [folder / "model.c", Path(__file__).with_name("fuzz_link.c")]
    files += [ROOT / "boards" / "parts" / "simulated_flash" / "simulated_flash.c"]
    files += [ROOT / "tests" / "firmware" / "host_sensor.c"]
    includes = [f"-I{name}" for name in ("include", "lib", "boards", "firmware", folder)]
    compile_program(["cc", "-std=c99", *settings, *includes], files, folder / "fuzz_link")
    return folder / "fuzz_link"


def _piece(kind: Type, body: bytes = b"", flags: int = FRAMED | NUMBERED) -> bytes:
    content = bytes([kind, 0]) + body
    return bytes([flags]) + struct.pack("<H", len(content)) + content


def _sample(purpose: int, size: int = 72) -> bytes:
    head = protocol.SAMPLE_HEAD.pack(purpose, 0, 0, 0, size)
    return _piece(Type.SAMPLE, head + bytes(range(size)))


def _replay(repeats: int) -> bytes:
    """Fills the replay buffer, and begins with it."""
    memory = bytes(replay_bytes(3, REPLAY_SLOTS, 72))
    write = _piece(Type.WRITE, protocol.WRITE_HEAD.pack(5, 0) + memory)
    return write + _piece(Type.REPLAY, struct.pack("<BII", 1, repeats, zlib.crc32(memory)))


def _rows() -> bytes:
    """Rows for a command that is still to be numbered, as long as one takes them."""
    pieces = (
        bytes([13, 1]) + protocol.ROWS_HEAD.pack(0, 0, at, 12) + bytes(12)
        for at in range(0, 72, 12)
    )
    return b"".join(bytes([FRAMED]) + struct.pack("<H", len(p)) + p for p in pieces)


def _judged() -> Iterator[bytes]:
    """Sessions of a model that learns from targets: it learns one, scores, and holds."""
    score = _piece(Type.NORMAL, struct.pack("<BI", 2, 0) + bytes(OUTPUTS))
    hold = _piece(Type.NORMAL, b"\3")
    infer = _sample(0) + _piece(Type.INFER)
    train = _piece(Type.TRAIN, protocol.TRAIN.pack(0, 0x8000, -4))
    yield _sample(1) + _sample(2, OUTPUTS) + train
    half = struct.pack("<BI", 2, 2) + bytes(OUTPUTS - 2)
    first = _piece(Type.NORMAL, struct.pack("<BI", 2, 0) + bytes(2))
    threshold = _piece(Type.NORMAL, struct.pack("<BI", 4, 1))
    yield infer + first + _piece(Type.NORMAL, half) + hold + threshold + infer + score
    held = struct.pack(f"<B{1 + MOST_RANKS}I", 5, *range(1 + MOST_RANKS, 0, -1))
    yield _piece(Type.NORMAL, held) + threshold + _piece(Type.NORMAL, b"\0")
    yield _piece(Type.NORMAL, b"\1") + _piece(Type.SAVE) + _piece(Type.LOAD)


def seeds(kind: Kind) -> Iterator[bytes]:
    """Sessions that go well: each command is in one of them."""
    program, by_rows = learner(kind).program, kind == "rows"
    if kind == "targets":
        yield from _judged()
    train = _piece(Type.TRAIN, protocol.TRAIN.pack(1, 0x8000, -4))
    yield _piece(Type.HELLO)
    yield _piece(Type.INFER) + _rows() if by_rows else _sample(0) + _piece(Type.INFER)
    yield train + _rows() if by_rows else _sample(1) + train
    yield _piece(Type.SCHEDULE, protocol.SCHEDULE.pack(0x8000, -4, 0x8000, -1, 10, 2, 0, 2, 1))
    yield _piece(Type.COUNTERS) + _piece(Type.READ, protocol.READ.pack(1, 0, 100))
    weights = program.weights
    writes = (
        _piece(Type.WRITE, protocol.WRITE_HEAD.pack(1, at) + weights[at : at + 400])
        for at in range(0, len(weights), 400)
    )
    begin = _piece(Type.RESTORE, protocol.RESTORE.pack(program.hash, 2))
    yield begin + b"".join(writes) + _piece(Type.COMMIT, struct.pack("<I", zlib.crc32(weights)))
    hold = _sample(3) + _piece(Type.GUARD, struct.pack("<BI", 2, 1))
    yield hold + hold + _piece(Type.GUARD, struct.pack("<BII", 3, 1, 0)) + _sample(1) + train
    yield _piece(Type.GUARD, b"\0") + _piece(Type.GUARD, b"\1") + _piece(Type.GUARD, b"\4")
    yield _piece(Type.GUARD, struct.pack("<B10I", 5, *[1] * 10)) + _piece(Type.RESET)
    yield _piece(Type.REPLAY, b"\0") + _replay(2) + (_sample(1) + train) * 4
    yield _replay(3) + _piece(Type.READ, protocol.READ.pack(5, 0, 100)) + _piece(Type.REPLAY, b"\2")
    yield _piece(Type.SAVE) + _piece(Type.LOAD) + _piece(Type.FACTORY) + _piece(Type.SAVE)
    rates = _piece(Type.RATES, struct.pack("<3I", 0, 115200, 2000000)) + _piece(Type.ECHO, b"echo")
    yield rates + _piece(Type.RATE, struct.pack("<I", 2000000)) + bytes([0, 2, 0, 7, 7])
    stream = _piece(Type.COLLECT, struct.pack("<BIIII", 3, FIRST_RUN, 0, 0, 0))
    yield _piece(Type.COLLECT, b"\0") + _piece(Type.COLLECT, b"\1") + stream + stream
    yield _piece(Type.COLLECT, b"\4")
    yield _piece(Type.COLLECT, b"\1") + stream + _piece(Type.COLLECT, b"\2") + stream
    yield bytes([0]) + struct.pack("<H", 6) + b"\0\x05\x01\x02\x03\0"


def fuzz(program: Path, seconds: int, folder: Path, kind: Kind, seed: int = 1) -> str:
    """Runs the fuzzer. Returns what it printed: counts. Raises AssertionError with the words of a
    sanitizer, if the firmware failed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(kind)):
        (folder / f"seed-{number}").write_bytes(content)
    command = [program, str(seconds), str(seed), folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-3000:]}"
    return done.stdout.strip()


def counts(printed: str) -> tuple[int, int, int]:
    """Executions, cases kept, edges."""
    executions, cases, edges = map(int, re.findall(r"\d+", printed))
    return executions, cases, edges
