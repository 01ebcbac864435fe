"""A device that answers anything: each command of the host ends, with a result or in one line."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.devices import FakePort, info_body, reply_of, size_of_reply
from tests.support.learner import learner

from tinyflash.errors import LinkError, TinyflashError
from tinyflash.runtime.device import DeviceSession, link, protocol
from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Info, Type
from tinyflash.runtime.schedule import Schedule

INFO = Info(
    trains=True,
    half_written=False,
    stores=False,
    frame_bytes=512,
    hash=1,
    weights_bytes=600,
    state_bytes=56,
    arena_bytes=4000,
    input_bytes=900,
    output_bytes=700,
    classes=5,
    stack_bytes=2048,
    target_bytes=0,
    row_bytes=0,
    board="fake",
    model="fake",
)
BY_ROWS = replace(INFO, row_bytes=90)
BY_TARGETS = replace(INFO, classes=0, target_bytes=700)
SAMPLE, TARGET = np.zeros(900, np.int8), np.zeros(700, np.int8)

CALLS: dict[str, Callable[[DeviceSession], object]] = {
    "infer": lambda d: d.infer(SAMPLE),
    "train": lambda d: d.train_step(SAMPLE, 1, 0.1),
    "target": lambda d: d.train_on_target(SAMPLE, TARGET, 0.1),
    "schedule": lambda d: d.set_schedule(Schedule("cosine", 0.1, 10)),
    "guard": lambda d: d.start_guard(np.zeros((2, 900), np.int8), np.zeros(2, np.int64), 1, 0),
    "guard report": lambda d: d.guard_report(),
    "finish guard": lambda d: d.finish_guard(),
    "counters": lambda d: d.counters(),
    "reset": lambda d: d.reset(),
    "weights": lambda d: d.weights,
    "state": lambda d: d.state,
    "restore": lambda d: d.restore(bytes(600), bytes(56)),
    "stack": lambda d: d.stack_high_water,
    "damaged": lambda d: d.frames_damaged,
}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs 20 ms each time the link looks at it: no test waits."""
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(looks) * 0.02, sleep=lambda seconds: None)
    monkeypatch.setattr(link, "time", clock)


def session(port: FakePort, info: Info = INFO) -> DeviceSession:
    """A session with a device that describes itself well, and is then on its own."""
    port.answer = lambda sent: [reply_of(sent, info_body(info))]
    device = DeviceSession(Link(port))
    port.answer = lambda sent: []
    return device


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text and "\n" not in text and len(text) < 400
    return text


# ---- INFO ----------------------------------------------------------------------------------------


def opened(body: bytes) -> Info:
    port = FakePort(lambda sent: [reply_of(sent, body)])
    return DeviceSession(Link(port)).info


@pytest.mark.parametrize("info", [INFO, BY_ROWS, BY_TARGETS])
def test_a_good_description(info: Info) -> None:
    assert opened(info_body(info)) == info


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"frame_bytes": 70}, "frames of 70 bytes, not 80 to 4096"),
        ({"frame_bytes": 0}, "frames of 0 bytes"),
        ({"frame_bytes": 65535}, "frames of 65535 bytes"),
        ({"weights_bytes": 2**32 - 1}, "of memory, more than 67,108,864"),
        ({"state_bytes": 2**32 - 4}, "of memory, more than"),
        ({"arena_bytes": 2**31}, "of memory, more than"),
        ({"stack_bytes": 2**31}, "of memory, more than"),
        ({"input_bytes": 2**31}, "of memory, more than"),
        ({"output_bytes": 2**32 - 1}, "of memory, more than"),
        ({"target_bytes": 2**32 - 1}, "of memory, more than"),
        ({"state_bytes": 0}, "a state of 0 bytes"),
        ({"state_bytes": 57}, "a state of 57 bytes"),
        ({"input_bytes": 0}, "an input of 0 bytes"),
        ({"output_bytes": 0}, "an output of 0 bytes"),
        ({"row_bytes": 7}, "rows of 7 bytes in an input of 900"),
        ({"classes": 2**32 - 1}, "4,294,967,295 classes"),
        ({"classes": 0}, "trains without labels and targets"),
        ({"trains": False}, "has them and does not train"),
        ({"target_bytes": 700}, "both labels and targets"),
    ],
)
def test_a_description_that_no_firmware_gives(change: dict[str, int], why: str) -> None:
    with pytest.raises(LinkError, match=f"wrong description: .*{why}.*; rebuild and flash") as e:
        opened(info_body(replace(INFO, **change)))
    one_line(e.value)


def test_a_description_of_another_length() -> None:
    whole = info_body(INFO)
    for length in range(len(whole)):
        with pytest.raises(LinkError, match=r"version none|wrong description") as caught:
            opened(whole[:length])
        one_line(caught.value)
    with pytest.raises(LinkError, match="more than it should"):
        opened(whole + b"x")
    unknown_flag = whole[:1] + bytes([whole[1] | 16]) + whole[2:]
    with pytest.raises(LinkError, match="more than it should"):
        opened(unknown_flag)


def test_another_version_names_both() -> None:
    body = bytes([protocol.VERSION + 1]) + info_body(INFO)[1:]
    with pytest.raises(LinkError, match=f"has protocol version {protocol.VERSION + 1}, this host"):
        opened(body)


def test_names_are_only_text() -> None:
    """A board's name may be cut within a character, and control no terminal."""
    body = info_body(INFO).replace(b"\4fake", b"\6a\x1b[\nb\xc3", 1)
    assert opened(body).board == "a[b\N{REPLACEMENT CHARACTER}"


def test_a_device_of_the_right_hash_and_other_sizes() -> None:
    program = learner().program
    fields = {
        "hash": program.hash,
        "weights_bytes": len(program.weights),
        "state_bytes": len(program.state),
        **{n: getattr(program, n) for n in ("input_bytes", "output_bytes")},
        "classes": program.classes,
    }
    right = replace(INFO, **fields)

    def open_with(info: Info) -> None:
        port = FakePort(lambda sent: [reply_of(sent, info_body(info))])
        DeviceSession(Link(port), program)

    open_with(right)
    open_with(replace(right, arena_bytes=program.arena_bytes + 4))  # planned for other kernels
    for name in (*fields, "row_bytes"):
        size = 12 if name == "state_bytes" else 1
        if name == "row_bytes":
            wrong = replace(right, row_bytes=right.input_bytes)
        else:
            wrong = replace(right, **{name: getattr(right, name) + size})
        with pytest.raises(LinkError, match=r"build and flash it again"):
            open_with(wrong)


# ---- Replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [-1, 1, 400])
@pytest.mark.parametrize("name", CALLS)
def test_replies_have_an_exact_length(name: str, extra: int) -> None:
    """The first reply of another length ends the command."""
    info = BY_TARGETS if name == "target" else INFO
    port = FakePort(lambda sent: [])
    device = session(port, info)

    def wrong(sent: Frame) -> list[Frame]:
        size = size_of_reply(sent, info)
        if size + extra < 0:
            return [Frame(sent.type | protocol.REPLY, sent.sequence)]  # without a status
        return [reply_of(sent, bytes(size + extra))]

    port.answer = wrong
    with pytest.raises(LinkError, match=r"answers \w+ with \d+ bytes, not|says nothing") as caught:
        CALLS[name](device)
    one_line(caught.value)
    assert len(port.sent) == 2  # HELLO, and one command


def test_values_that_no_step_has() -> None:
    port = FakePort(lambda sent: [])
    device = session(port)
    for predicted, probability in ((5, 0), (0, 2**15 + 1)):
        step = protocol.TRAIN_REPLY.pack(0, predicted, probability, 0)
        port.answer = lambda sent, step=step: [
            reply_of(sent, step if sent.type == Type.TRAIN else b"")
        ]
        with pytest.raises(LinkError, match="the device predicts class"):
            device.train_step(SAMPLE, 0, 0.1)
    for numbers in ((0, 1, 0, 0, 0, 0, 0, 0), (9, 5, 0, 0, 6, 0, 0, 0), (9, 5, 0, 0, 0, 0, 6, 0)):
        report = struct.pack("<IIIIIiIi", *numbers)
        port.answer = lambda sent, report=report: [reply_of(sent, report)]
        with pytest.raises(LinkError, match="the device's guard has"):
            device.guard_report()


def test_a_command_that_the_device_does_not_know() -> None:
    port = FakePort(lambda sent: [])
    device = session(port)
    port.answer = lambda sent: [Frame(protocol.REPLY, sent.sequence, b"\1")]
    with pytest.raises(LinkError, match="does not know the command"):
        device.counters()


def good(sent: Frame) -> Frame:
    return reply_of(sent, bytes(size_of_reply(sent, INFO)))


def test_one_silence_after_many_naks_is_short() -> None:
    """Ten NAKs are ten answers: the frame that is then lost is sent again after one patience."""
    port = FakePort(lambda sent: [])
    device = session(port)
    answers = iter([*[[Frame(Type.NAK, 0)]] * 10, []])
    port.answer = lambda sent: next(answers, [good(sent)])
    assert len(device.state) == 56


def test_the_ready_of_the_start_said_twice_is_no_restart() -> None:
    port = FakePort(lambda sent: [reply_of(sent, info_body(INFO)), Frame(Type.READY, 0)])
    device = DeviceSession(Link(port))
    port.answer = lambda sent: [good(sent)]
    assert len(device.state) == 56


# ---- WANT ----------------------------------------------------------------------------------------


def wants(*offsets: int, count: int = 90) -> Callable[[Frame], list[Frame]]:
    """Answers INFER, and every ROWS, by a WANT for the next of the offsets, again and again."""
    turn = iter(range(10**9))

    def answer(sent: Frame) -> list[Frame]:
        offset = offsets[next(turn) % len(offsets)]
        return [Frame(Type.WANT, sent.sequence, protocol.WANT.pack(offset, count))]

    return answer


@pytest.mark.parametrize("offsets", [(0,), (810,), (0, 90), (0, 450, 90)])
def test_a_want_that_repeats_ends(offsets: tuple[int, ...]) -> None:
    port = FakePort(lambda sent: [])
    device = session(port, BY_ROWS)
    port.answer = wants(*offsets)
    with pytest.raises(LinkError, match=r"asked for the rows at byte \d+ .* times") as caught:
        device.infer(SAMPLE)
    one_line(caught.value)
    assert len(port.sent) < 200


@pytest.mark.parametrize(("offset", "count"), [(0, 0), (0, 901), (900, 1), (2**32 - 1, 90)])
def test_a_want_beyond_the_sample(offset: int, count: int) -> None:
    port = FakePort(lambda sent: [])
    device = session(port, BY_ROWS)
    port.answer = wants(offset, count=count)
    with pytest.raises(LinkError, match="the device asks for"):
        device.infer(SAMPLE)


def test_a_want_without_a_sample() -> None:
    port = FakePort(lambda sent: [])
    device = session(port)
    port.answer = wants(0)
    for name in ("infer", "counters", "weights"):
        with pytest.raises(LinkError, match="asks for rows of a sample, but the command has none"):
            CALLS[name](device)


# ---- Anything ------------------------------------------------------------------------------------

BODIES = st.binary(max_size=60) | st.builds(bytes, st.integers(0, 700))
TYPES = st.sampled_from([*Type, *(t | protocol.REPLY for t in Type), protocol.REPLY]) | st.integers(
    0, 255
)
REPLIES = st.lists(
    st.one_of(
        st.tuples(st.just("reply"), BODIES),
        st.tuples(st.just("good"), BODIES),
        st.tuples(st.just("right length"), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("frame"), st.tuples(TYPES, BODIES)),
        st.tuples(st.just("noise"), st.binary(max_size=40)),
    ),
    max_size=4,
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(CALLS)),
    info=st.sampled_from([INFO, BY_ROWS, BY_TARGETS]),
    script=st.lists(REPLIES, min_size=1, max_size=5),
)
def test_whatever_it_answers(name: str, info: Info, script: list[list[tuple[str, object]]]) -> None:
    port = FakePort(lambda sent: [])
    device = session(port, info)
    turn = iter(range(10**9))

    def answer(sent: Frame) -> list[Frame | bytes]:
        given: list[Frame | bytes] = []
        for kind, what in script[next(turn) % len(script)]:
            if kind == "reply":
                given.append(Frame(sent.type | protocol.REPLY, sent.sequence, what))
            elif kind == "good":
                given.append(reply_of(sent, what))
            elif kind == "right length":
                body = what * size_of_reply(sent, info)
                given.append(reply_of(sent, body[: size_of_reply(sent, info)]))
            elif kind == "frame":
                given.append(Frame(what[0], sent.sequence, what[1]))
            else:
                given.append(what)
        return given

    port.answer = answer
    before = time.monotonic()
    try:
        CALLS[name](device)
    except TinyflashError as error:
        one_line(error)
    assert time.monotonic() - before < 5


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=150), version=st.booleans())
def test_whatever_it_says_of_itself(body: bytes, version: bool) -> None:
    try:
        opened((bytes([protocol.VERSION]) if version else b"") + body)
    except LinkError as error:
        one_line(error)


def test_a_large_frame_passes_the_decoder() -> None:
    """Of the largest frame_bytes that INFO may name."""
    frame = Frame(Type.READ | protocol.REPLY, 1, b"\1" * (4096 - protocol.FRAME_OVERHEAD))
    decoder = Decoder()
    coded = encode(frame)
    assert [f for i in range(0, len(coded), 100) for f in decoder.feed(coded[i : i + 100])] == [
        frame
    ]
