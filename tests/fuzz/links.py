"""What a device sends: a session with one that answers with the bytes of a file.

A file is a list of pieces: a byte that says how it is sent, a length of 16 bits, and as many bytes.
It is the reply to the command that the host has sent, rows that this command asks for, any frame,
or bytes as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from tests.fuzz.mutator import flip, interesting, splice
from tests.fuzz.target import LONGEST, FindingError, Target, refusals_allowed
from tests.support.devices import FakePort, info_body, size_of_reply

from tinyflash.errors import TinyflashError
from tinyflash.runtime.device.frames import Frame
from tinyflash.runtime.device.link import TESTS, Link
from tinyflash.runtime.device.protocol import Info, Type
from tinyflash.runtime.device.rate import HIGHER, LineRate
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.replay import replay_bytes
from tinyflash.runtime.schedule import Schedule

INFO = Info(
    *(True, False, True, 128, 1, 600, 56, 4000, 90, 70, 5, 2048, 0, 0),
    board="fuzzed",
    model="fuzzed",
)
TARGETS = Info(
    *(True, False, True, 128, 1, 600, 56, 4000, 90, 70, 0, 2048, 70, 0),
    board="fuzzed",
    model="fuzzed",
)
BY_ROWS = Info(
    *(True, False, False, 128, 1, 600, 56, 4000, 90, 70, 5, 2048, 0, 9),
    board="fuzzed",
    model="fuzzed",
)
OPENING = 3 + len(TESTS)  # pieces until a session is open: INFO, its rates, the change, tests
REPLY, ROWS, ANY = 1, 2, 3  # else bytes as they are
MOST_PIECES = 200
CALLS: tuple[Callable[[DeviceSession], object], ...] = (
    lambda d: d.infer(np.zeros(d.info.input_bytes, np.int8)),
    lambda d: d.train_step(np.zeros(d.info.input_bytes, np.int8), 1, 0.1),
    lambda d: d.set_schedule(Schedule("cosine", 0.1, 10)),
    lambda d: d.counters(),
    lambda d: d.stack_high_water,
    lambda d: d.guard_report(),
    lambda d: d.start_guard(np.zeros((1, d.info.input_bytes), np.int8), np.zeros(1, int), 1, 0),
    lambda d: d.start_replay(bytes(replay_bytes(d.info.classes, 2, d.info.input_bytes)), 2, 1),
    lambda d: d.replay_memory(),
    lambda d: d.judge().score(np.zeros(d.info.input_bytes, np.int8), _target(d)).abnormal,
    lambda d: d.judge().hold(),
    lambda d: d.restore(bytes(d.info.weights_bytes), bytes(d.info.state_bytes)),
    lambda d: d.save(),
    lambda d: d.load(),
)
MOST_BYTES = 5000  # of input, or of weights and state: a call sends or reads no more


def _target(device: DeviceSession) -> npt.NDArray[np.int8]:
    return np.zeros(device.info.target_bytes, np.int8)


class AnyRate:
    baudrate = 115_200


class Script:
    """A device that answers each frame with the next pieces, until one can be the answer."""

    def __init__(self, content: bytes) -> None:
        self._pieces = islice(pieces_of(content), MOST_PIECES)
        self._command = 0
        self.ended = False

    def answer(self, sent: Frame) -> list[Frame | bytes]:
        self._command = self._command if sent.type == Type.ROWS else sent.type
        said: list[Frame | bytes] = []
        for way, content in self._pieces:
            if way == REPLY:
                said.append(Frame(self._command | 0x80, sent.sequence, content))
            elif way == ROWS:
                said.append(Frame(Type.WANT, sent.sequence, content))
            else:
                any_frame = way == ANY and len(content) > 1
                said.append(Frame(content[0], content[1], content[2:]) if any_frame else content)
                continue
            return said
        self.ended = True
        return said

    def why_dead(self) -> str | None:
        return "the emulator has ended" if self.ended else None


def pieces_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 3 <= len(content):
        way, size = struct.unpack_from("<BH", content, at)
        yield way, content[at + 3 : at + 3 + size]
        at += 3 + size


def piece(way: int, content: bytes) -> bytes:
    return struct.pack("<BH", way, len(content)) + content


def _run(path: Path) -> None:
    script = Script(path.read_bytes())
    port = FakePort(script.answer)
    line = LineRate(AnyRate())
    device = DeviceSession(Link(port, script.why_dead, patience=0.001, line=line))
    info = device.info
    if max(info.input_bytes, info.output_bytes, info.weights_bytes + info.state_bytes) > MOST_BYTES:
        return
    for call in CALLS:
        with refusals_allowed(), one_line():
            call(device)


@contextmanager
def one_line() -> Iterator[None]:
    try:
        yield
    except TinyflashError as error:
        if "\n" in str(error) or not 0 < len(str(error)) <= LONGEST:
            raise FindingError(f"not one line for a person: {error!r}") from error
        raise


def _session(info: Info) -> bytes:
    """One that goes well."""
    rates = struct.pack(f"<{1 + len(HIGHER)}I", 0, *HIGHER)
    sent: list[bytes] = [piece(REPLY, b"\0" + info_body(info)), piece(REPLY, b"\0" + rates)]
    sent += [piece(REPLY, b"\0"), *(piece(REPLY, b"\0" + test) for test in TESTS)]

    def answer(frame: Frame) -> list[Frame | bytes]:
        body = bytes(size_of_reply(frame, info))
        sizes = {Type.SAVE: 7, Type.LOAD: 7}
        body = bytes(sizes.get(Type(frame.type), len(body)))
        sent.append(piece(REPLY, b"\0" + body))
        return [Frame(frame.type | 0x80, frame.sequence, b"\0" + body)]

    hello = Frame(Type.HELLO | 0x80, 0, b"\0" + info_body(info))
    port = FakePort(lambda _: [hello])
    device = DeviceSession(Link(port))
    port.answer = answer
    for call in CALLS:
        with refusals_allowed():
            call(device)
    return b"".join(sent)


def _seeds(_: Path) -> list[bytes]:
    by_rows = _session(BY_ROWS)
    want = piece(ROWS, struct.pack("<II", 0, 18)) + piece(ROWS, struct.pack("<II", 18, 72))
    first = sum(len(piece(*one)) for one in islice(pieces_of(by_rows), OPENING))
    words = piece(ANY, bytes([0xF2, 0]) + bytes(20)) + piece(0, b"\0\x05abc\0")
    return [
        _session(INFO),
        _session(TARGETS),
        by_rows[:first] + want + by_rows[first:],
        words + _session(INFO),
    ]


_WORDS = (
    *(piece(REPLY, bytes(n)) for n in (1, 5, 13, 17, 33)),
    *(piece(ROWS, struct.pack("<II", *pair)) for pair in ((0, 9), (81, 9), (0, 2**32 - 1))),
    *(piece(ANY, bytes([kind, 0])) for kind in (0xF0, 0xF1, 0xF3)),
    *(piece(REPLY, bytes([status])) for status in (1, 8, 21, 255)),
)


def _mutate(content: bytes, random: Random, _: Path) -> bytes:
    """A piece changed, doubled or left out; or bytes, whatever they are."""
    if random.random() < 0.3:
        return splice(content, _WORDS, random) if random.random() < 0.5 else flip(content, random)
    pieces = list(pieces_of(content)) or [(REPLY, b"\0")]
    at = random.randrange(len(pieces))
    way, body = pieces[at]
    choice = random.randrange(5)
    if choice == 0:
        del pieces[at]
    elif choice == 1:
        pieces.insert(at, random.choice(pieces))
    elif choice == 2 and len(body) > 4:
        start = random.randrange(len(body) - 3)
        size = random.choice((1, 2, 4))
        changed = interesting(body[start : start + size], random)
        pieces[at] = way, body[:start] + changed + body[start + size :]
    elif choice == 3:
        pieces[at] = random.choice((REPLY, ROWS, ANY, 0)), body
    else:
        pieces[at] = way, flip(body, random)
    return b"".join(piece(way, body[:65535]) for way, body in pieces)


LINK = Target(_seeds, _run, _mutate, ".bin")
