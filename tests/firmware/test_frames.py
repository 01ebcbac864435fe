"""The host's side of frames: what goes in comes out, and what was damaged does not."""

from __future__ import annotations

import zlib

from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from tinyflash.runtime.device.frames import Decoder, Frame, decode, encode

BYTE = st.integers(0, 255)
FRAMES = st.builds(Frame, type=BYTE, sequence=BYTE, body=st.binary(max_size=600))


@given(FRAMES)
def test_a_frame_survives(frame: Frame) -> None:
    wire = encode(frame)
    assert wire.count(0) == 2
    assert wire[0] == wire[-1] == 0
    assert decode(wire[1:-1]) == frame


@given(st.lists(FRAMES, max_size=5), st.integers(1, 50))
def test_a_stream_may_come_in_any_pieces(frames: list[Frame], size: int) -> None:
    stream = b"".join(map(encode, frames))
    decoder = Decoder()
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in decoder.feed(piece)] == frames
    assert decoder.damaged == 0


@given(FRAMES, st.data())
def test_a_wrong_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(encode(frame))
    at = data.draw(st.integers(1, len(wire) - 2))
    wire[at] ^= data.draw(st.integers(1, 255))
    assert frame not in list(Decoder().feed(bytes(wire)))


@given(FRAMES, st.data())
def test_a_lost_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = encode(frame)
    at = data.draw(st.integers(1, len(wire) - 2))
    assert list(Decoder().feed(wire[:at] + wire[at + 1 :])) == []


@given(st.binary(max_size=3000))
def test_garbage_is_dropped_and_does_not_hide_what_follows(garbage: bytes) -> None:
    frame = Frame(7, 8, b"after")
    decoder = Decoder()
    assert list(decoder.feed(garbage + encode(frame)))[-1] == frame


def test_too_short_to_be_a_frame() -> None:
    covered = b"\x01"
    assert decode(cobs.encode(covered + zlib.crc32(covered).to_bytes(4, "little"))) is None


def test_a_line_without_frames_does_not_fill_memory() -> None:
    decoder = Decoder()
    for _ in range(100):
        assert list(decoder.feed(b"\xff" * 1000)) == []
    assert len(decoder._pending) <= 5000
