"""What lies in the arena: whatever a host sends in whatever order, a command that succeeds has
worked on exactly what was sent for it.

The model leaves nothing of the arena as it was, and its inputs and outputs share memory. The test
knows nothing of what voids what: it compares the results with the bytes that it sent.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.firmware import build_for_host
from tests.support.pipes import PipePort, exchange

from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Frame, encode
from tinyflash.runtime.device.guard import Action
from tinyflash.runtime.device.protocol import Purpose, Space, Type

MODEL = Path(__file__).parent / "tight_model"
INPUT, VALUES, ROOM = 96, 8, 2
LABEL = 3  # of all held-out samples
COMMANDS = 10000
BAD_RANGE, NO_SAMPLE, NO_OUTPUT, NO_ROWS = 3, 5, 6, 19
REPLY = struct.Struct("<IIIIIiIi")  # of GUARD
SETTINGS = {
    "labels": [f"-DGUARD_SAMPLES={ROOM}"],
    "targets": ["-DTARGETS"],
    "labels by rows": ["-DROWS", f"-DGUARD_SAMPLES={ROOM}"],
    "targets by rows": ["-DROWS", "-DTARGETS"],
}


def sums(sample: bytes, others: bytes) -> bytes:
    """What the model computes."""
    parts = zip(sample[:VALUES], sample[-VALUES:], others, strict=True)
    return bytes(sum(part) % 256 for part in parts)


def margin(output: bytes) -> int:
    """The lead of LABEL's score."""
    scores = [value - 256 * (value > 127) for value in output]
    return scores[LABEL] - max(scores[:LABEL] + scores[LABEL + 1 :])


class Host:
    """Sends commands at random, and knows what the last bytes sent for each purpose were.

    sent: the bytes for a purpose, as far as sent. output: of the last inference that succeeded.
    """

    def __init__(self, port: PipePort, seed: int, rows: bool, targets: bool) -> None:
        self.port, self.random = port, random.Random(seed)
        self.rows, self.targets = rows, targets
        self.sequence, self.wild = 0, False
        self.sent: dict[Purpose, bytes] = dict.fromkeys(Purpose, b"")
        self.weights, self.output = b"\1\2\3" + bytes(5), b""
        self.held: list[bytes] = []
        self.written, self.snapshot = b"", b""  # the best weights: sent; those that RESUME took
        self.done: Counter[str] = Counter()

    def ask(self, kind: Type, body: bytes = b"", sample: bytes | None = None) -> tuple[int, bytes]:
        """Status and rest of the reply. sample: for its WANTs; None answers them with HELLO, which
        ends the command, or with nonsense, if it is wild."""
        self.sequence = self.sequence % 255 + 1
        (frame,) = exchange(self.port, encode(Frame(kind, self.sequence, body)), 1)
        while frame.type == Type.WANT:
            if sample is None and self.wild and self.random.random() < 0.5:
                reply = Frame(Type.ROWS, self.sequence, self.nonsense(Type.ROWS))
            elif sample is None:
                reply = Frame(Type.HELLO, 0)
            else:
                offset, count = protocol.WANT.unpack(frame.body)
                head = protocol.ROWS_HEAD.pack(0, 0, offset, count)
                reply = Frame(Type.ROWS, self.sequence, head + sample[offset : offset + count])
            (frame,) = exchange(self.port, encode(reply), 1)
        assert (frame.type, frame.sequence) == (kind | protocol.REPLY, self.sequence)
        return frame.body[0], frame.body[1:]

    def nonsense(self, kind: Type) -> bytes:
        """A body that may be right at its beginning, and of any length."""
        small = struct.pack("<HIH", *self.random.choices([0, 1, 24, VALUES, 500, INPUT], k=3))
        heads = {
            Type.SAMPLE: bytes(self.random.choices(range(5), k=2)) + small,
            Type.ROWS: bytes([self.random.randrange(3)]) + small,
            Type.RESTORE: struct.pack("<IB", 0xF00D, self.random.randrange(16)),
            Type.READ: bytes([self.random.randrange(5)]) + small,
            Type.WRITE: bytes([self.random.randrange(4)]) + small[2:6],
        }
        length = self.random.choice([0, 0, VALUES, INPUT, self.random.randrange(490)])
        known = heads.get(kind, b"") if self.random.random() < 0.8 else b""
        return known + self.random.randbytes(length)

    # ---- Commands, each with what must hold if it succeeds ----

    def send(self, purpose: Purpose) -> None:
        """A piece that continues, begins or repeats: all that is left, or a part of it."""
        size = VALUES if purpose is Purpose.TARGET else INPUT
        so_far = b"" if self.random.random() < 0.3 else self.sent[purpose]
        count = size - len(so_far)
        if self.random.random() < 0.4:
            count = self.random.randint(0, count)
        head = protocol.SAMPLE_HEAD.pack(purpose, 0, 0, len(so_far), count)
        data = self.random.randbytes(count)
        status, _ = self.ask(Type.SAMPLE, head + data)
        self.done[f"{purpose.name} piece"] += status == 0
        if status == 0:
            self.sent[purpose] = so_far + data
        elif so_far == b"":
            self.sent[purpose] = b""

    def infer(self, sample: bytes | None) -> None:
        status, body = self.ask(Type.INFER, sample=sample)
        self.done["INFER"] += status == 0
        if status == 0:
            x = sample if self.rows and sample else self.sent[Purpose.INFER]
            assert len(x) == INPUT
            self.output = sums(x, self.weights)
            assert body[4:] == self.output
            self.sent[Purpose.INFER] = b""
        assert status in (0, NO_SAMPLE, NO_ROWS)

    def train(self, sample: bytes | None, label: int) -> None:
        status, _ = self.ask(Type.TRAIN, protocol.TRAIN.pack(label, 0x8000, 0), sample)
        self.done["TRAIN"] += status == 0
        if status == 0:
            x = sample if self.rows and sample else self.sent[Purpose.TRAIN]
            wanted = self.sent[Purpose.TARGET] if self.targets else bytes([label] * VALUES)
            assert (len(x), len(wanted)) == (INPUT, VALUES)
            self.weights = sums(x, wanted)
            self.sent[Purpose.TRAIN] = self.sent[Purpose.TARGET] = b""
        _, weights = self.ask(Type.READ, protocol.READ.pack(Space.WEIGHTS, 0, VALUES))
        assert weights == self.weights

    def read_output(self) -> None:
        status, body = self.ask(Type.READ, protocol.READ.pack(Space.OUTPUT, 0, VALUES))
        self.done["READ"] += status == 0
        assert (status, body) in ((0, self.output), (NO_OUTPUT, b""))

    def write_snapshot(self) -> None:
        """In two pieces, or only the first of them."""
        snapshot = self.random.randbytes(VALUES + 1)
        middle, whole = self.random.randrange(1, VALUES), self.random.random() < 0.8
        for offset, piece in ((0, snapshot[:middle]), (middle, snapshot[middle:]))[: 1 + whole]:
            body = protocol.WRITE_HEAD.pack(Space.SNAPSHOT, offset) + piece
            assert self.ask(Type.WRITE, body)[0] == (BAD_RANGE if self.targets else 0)
        self.written = snapshot if whole else b""

    def resume(self) -> bytes:
        """The fields of RESUME: the best score is one that nothing beats."""
        best = (len(self.held), 255 * len(self.held))
        crc = zlib.crc32(self.written or self.random.randbytes(VALUES + 1))
        return struct.pack("<IIIIIIiIiI", 1, 1000, 1, 7, 0, 0, 0, *best, crc)

    def guard(self, action: Action) -> None:
        fields = {
            Action.HOLD: struct.pack("<I", LABEL),
            Action.BEGIN: struct.pack("<II", 1, 1000),
            Action.RESUME: self.resume(),
        }
        status, body = self.ask(Type.GUARD, bytes([action]) + fields.get(action, b""))
        self.done[action.name] += status == 0
        if status == 0 and action is Action.HOLD:
            assert len(self.sent[Purpose.HELD_OUT]) == INPUT
            self.held.append(self.sent[Purpose.HELD_OUT])
            self.sent[Purpose.HELD_OUT] = b""
        if status == 0 and action is Action.CLEAR:
            self.held.clear()
        if status == 0 and action is Action.BEGIN:
            *_, lead, _, _ = REPLY.unpack(body)
            assert lead == sum(margin(sums(x, self.weights)) for x in self.held)
            self.snapshot = b""
        if status == 0 and action is Action.RESUME:
            assert self.held and len(self.written) == VALUES + 1
            self.snapshot = self.written
        if status == 0 and action is Action.FINISH:  # it may bring back the best weights
            _, self.weights = self.ask(Type.READ, protocol.READ.pack(Space.WEIGHTS, 0, VALUES))
            assert self.snapshot[:-1] in (b"", self.weights)

    def step(self) -> None:
        sample = self.random.randbytes(INPUT)
        choices = [
            lambda: self.send(self.random.choice([Purpose.INFER, Purpose.TRAIN, Purpose.TARGET])),
            lambda: self.send(self.random.choice(list(Purpose))),
            lambda: self.infer(sample if self.random.random() < 0.7 else None),
            lambda: self.train(
                sample if self.random.random() < 0.7 else None, self.random.randrange(9)
            ),
            self.read_output,
            lambda: self.send(Purpose.HELD_OUT),
            lambda: self.guard(self.random.choices(list(Action), [1, 2, 6, 4, 6, 4])[0]),
            self.write_snapshot,
        ]
        self.random.choices(choices, [6, 3, 3, 3, 3, 3, 3, 1])[0]()


@pytest.fixture(scope="module", params=SETTINGS)
def firmware(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    name: str = request.param
    program = tmp_path_factory.mktemp("tight") / "firmware"
    return name, build_for_host(MODEL, program, *SETTINGS[name])


@pytest.fixture
def host(firmware: tuple[str, Path]) -> Iterator[Host]:
    name, program = firmware
    port = PipePort(program)
    assert exchange(port, b"", 1) == [Frame(Type.READY, 0)]
    yield Host(port, 11, "rows" in name, "targets" in name)
    port.process.kill()
    port.process.communicate()


def test_what_succeeds_has_worked_on_what_was_sent(host: Host) -> None:
    for _ in range(COMMANDS):
        host.step()
    needed = {
        "INFER",
        "TRAIN",
        "READ",
        *(() if host.targets else ("HOLD", "BEGIN", "RESUME", "FINISH")),
    }
    assert all(host.done[name] >= 8 for name in needed), host.done


def test_no_body_of_any_command_breaks_it(host: Host) -> None:
    """The sanitizers stay silent, every command gets its reply, and in the end all is well."""
    kinds = [kind for kind in Type if Type.HELLO < kind < Type.ROWS]  # exchange drops HELLO
    host.wild = True
    statuses: Counter[int] = Counter()
    for _ in range(COMMANDS // 2):
        kind = host.random.choice(kinds)
        statuses[host.ask(kind, host.nonsense(kind))[0]] += 1
    assert set(statuses) >= {0, 2, 3, 4} and set(statuses) <= {0, *protocol.STATUS_TEXT}
    assert host.ask(Type.RESET) == (0, b"")
    assert host.ask(Type.READ, protocol.READ.pack(Space.WEIGHTS, 0, VALUES)) == (0, host.weights)
    host.port.close()


@pytest.mark.parametrize("firmware", ["targets", "targets by rows"], indirect=True)
def test_an_inference_ends_a_target(host: Host) -> None:
    """By rows, too, where no sample is sent before."""
    sample, target = bytes(range(INPUT)), bytes(range(VALUES))
    head = protocol.SAMPLE_HEAD.pack(Purpose.TARGET, 0, 0, 0, VALUES)
    train = protocol.TRAIN.pack(0, 0x8000, 0)
    assert host.ask(Type.SAMPLE, head + target) == (0, b"")
    if not host.rows:
        infer = protocol.SAMPLE_HEAD.pack(Purpose.INFER, 0, 0, 0, INPUT)
        host.ask(Type.SAMPLE, infer + sample)
    assert host.ask(Type.INFER, sample=sample)[0] == 0
    assert host.ask(Type.TRAIN, train, sample) == (NO_SAMPLE, b"")
    assert host.ask(Type.SAMPLE, head + target) == (0, b"")
    assert host.ask(Type.READ, protocol.READ.pack(Space.OUTPUT, 0, 1)) == (NO_OUTPUT, b"")
