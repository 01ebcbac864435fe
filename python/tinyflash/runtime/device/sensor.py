"""The sensor of a board, over its link (PROTOCOL.md, "Collecting")."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError, LinkError, printable
from tinyflash.runtime.device.link import Link, RefusedError
from tinyflash.runtime.device.protocol import Type
from tinyflash.spectrogram import RAW, parse

Numbers = npt.NDArray[np.int16]

_ACTION = struct.Struct("<B")
_STREAM = struct.Struct("<BIIII")  # action, run, acknowledged, wanted, offset
_STREAM_REPLY = struct.Struct("<IIIIQ")  # first, offset, next, lost, stamp; then numbers
_ABOUT = struct.Struct("<BIIIIIIIIIIdI")
_TEXTS = 3
_MOST_NUMBERS = 1 << 24  # of a frame: more is no microcontroller's
_BAD_COMMAND, _BAD_RANGE = 1, 3
_REBUILD = "; rebuild and flash its firmware"


class Action(IntEnum):
    """The actions of COLLECT."""

    DESCRIBE = 0
    START = 1
    STOP = 2
    STREAM = 3
    FRONT_END = 4


@dataclass(frozen=True)
class SensorInfo:
    """What a sensor gives, and how far it is.

    shape: of a frame, [channels] or [rows, columns, channels]. rate: frames per second. A number n
    is n * scale in real units. names, units: one per channel, or none. length: frames until it
    ends; 0: it does not end. room: frames that the board keeps for the host.

    running: it was started and not stopped. run: changes at every start. next: the number of its
    next frame. acknowledged: the host has kept those before. lost: frames that the board had to
    drop. ticks_per_second: of the board's clock. front_end: what made the frames of the sensor's,
    as dataset.toml has it.
    """

    name: str
    shape: tuple[int, ...]
    rate: float
    scale: float
    names: tuple[str, ...]
    units: tuple[str, ...]
    length: int
    room: int
    running: bool
    run: int
    next: int
    acknowledged: int
    lost: int
    ticks_per_second: int
    front_end: str = RAW


@dataclass(frozen=True)
class Packet:
    """Frames of a sensor [n, *shape], n >= 0, numbered from `first` on; those from the number asked
    for to `first` are lost. next: the number of the board's next frame. lost: frames lost so far.
    seconds: since the start, by the board's clock, when frame next - 1 came."""

    first: int
    frames: Numbers
    next: int
    lost: int
    seconds: float


class RemoteSensor:
    """Sends COLLECT commands. info: as of the last describe or start."""

    def __init__(self, link: Link) -> None:
        self._link, self._front_end = link, RAW
        self.describe()
        self._front_end = self._asked_front_end()
        self.describe()

    def describe(self) -> SensorInfo:
        self.info = self._about(Action.DESCRIBE)
        return self.info

    def start(self) -> SensorInfo:
        """Begins with frame 0."""
        self.info = self._about(Action.START)
        if not (self.info.running and self.info.run):
            raise LinkError(f"the device does not start its sensor{_REBUILD}")
        return self.info

    def stop(self) -> SensorInfo:
        """Ends the run. The frames that the board keeps can still be read."""
        self.info = self._about(Action.STOP)
        return self.info

    def stream(self, wanted: int, acknowledged: int) -> Packet:
        """Returns the next frames from number `wanted` on. acknowledged: frames before this one are
        safe; never above `wanted`. A frame that is longer than a link frame comes in parts."""
        packet, offset = self._part(wanted, acknowledged, 0)
        each = math.prod(self.info.shape)
        parts = packet.frames
        while packet.next > packet.first and len(parts) < each:
            more, offset = self._part(packet.first, acknowledged, len(parts))
            if more.first != packet.first:  # it was replaced meanwhile
                packet, parts = more, more.frames
                continue
            if offset != len(parts) or not len(more.frames):
                raise self._wrong(f"part {offset} of a frame instead of {len(parts)}")
            parts = np.concatenate([parts, more.frames])
        count, rest = divmod(len(parts), each)
        if rest or packet.first + count > packet.next:
            raise self._wrong(f"{len(parts)} numbers for frames of {each}")
        frames = parts.reshape(count, *self.info.shape)
        return Packet(packet.first, frames, packet.next, packet.lost, packet.seconds)

    def _part(self, wanted: int, acknowledged: int, offset: int) -> tuple[Packet, int]:
        """Returns numbers from `offset` of a frame on, not yet in frames, and that offset."""
        body = _STREAM.pack(Action.STREAM, self.info.run, acknowledged, wanted, offset)
        reply = self._link.command(Type.COLLECT, body)
        if len(reply) < _STREAM_REPLY.size or (len(reply) - _STREAM_REPLY.size) % 2:
            raise self._wrong(f"{len(reply)} bytes")
        first, begin, following, lost, stamp = _STREAM_REPLY.unpack_from(reply)
        gone = first - wanted
        if not wanted <= first <= following or lost < gone or (gone and begin):
            raise self._wrong(f"frame {first} of {following} for {wanted}, {lost} lost")
        numbers = np.frombuffer(reply, "<i2", offset=_STREAM_REPLY.size).astype(np.int16)
        if not len(numbers) and following > first:
            raise self._wrong(f"no number of frame {first}")
        if not gone and begin != offset:
            raise self._wrong(f"part {begin} of a frame instead of {offset}")
        seconds = stamp / self.info.ticks_per_second
        return Packet(first, numbers, following, lost, seconds), begin

    def _about(self, action: Action) -> SensorInfo:
        try:
            found = parse_sensor(self._link.command(Type.COLLECT, _ACTION.pack(action)))
            names = found.names or _bands(self._front_end, found.shape)
            return replace(found, front_end=self._front_end, names=names)
        except RefusedError as error:
            if error.status != _BAD_COMMAND:
                raise
            raise LinkError(
                "the firmware of this board does not collect; build it with --collect, and flash it"
            ) from None

    def _asked_front_end(self) -> str:
        """Firmware of before front ends does not know the question."""
        try:
            reply = self._link.command(Type.COLLECT, _ACTION.pack(Action.FRONT_END))
        except RefusedError as error:
            if error.status != _BAD_RANGE:
                raise
            return RAW
        if not reply or len(reply) != 1 + reply[0]:
            raise LinkError(f"the device sent a wrong front end of its sensor{_REBUILD}")
        text = reply[1:].decode(errors="replace")
        return "".join(c for c in text if c.isprintable())

    def _wrong(self, what: str) -> LinkError:
        return LinkError(f"the device answers a request for frames with {what}{_REBUILD}")


def _bands(front_end: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Returns the names of features; none of a front end that this version does not know."""
    try:
        names = parse(front_end, None).channels
    except DataError:
        return ()
    return names if shape == (len(names),) else ()


def parse_sensor(body: bytes) -> SensorInfo:
    """Parses the reply to DESCRIBE, START or STOP. Raises LinkError."""
    try:
        running, *numbers, scale, length = _ABOUT.unpack_from(body)
        texts, rest = _texts(body[_ABOUT.size :])
    except (struct.error, IndexError) as error:
        raise LinkError(f"the device sent a wrong description of its sensor: {error}") from error
    run, following, acknowledged, lost, room, ticks, millihertz, rows, columns, channels = numbers
    shape = (rows, columns, channels) if rows else (channels,)
    wrong = _impossible(shape, scale, ticks, millihertz, acknowledged, following)
    if rest:
        wrong = "more than it should"
    if wrong is not None:
        raise LinkError(f"the device sent a wrong description of its sensor: {wrong}{_REBUILD}")
    name, names, units = texts
    return SensorInfo(
        *(name, shape, millihertz / 1000, scale, _list(names, channels), _list(units, channels)),
        *(length, room, bool(running), run, following, acknowledged, lost, ticks),
    )


def _impossible(
    shape: tuple[int, ...], scale: float, ticks: int, millihertz: int, acked: int, following: int
) -> str | None:
    """Returns what no sensor says, if anything."""
    if not 0 < math.prod(shape) <= _MOST_NUMBERS:
        return f"frames of shape {list(shape)}"
    if not (ticks and millihertz):
        return "a clock or a rate of 0"
    if not (math.isfinite(scale) and scale > 0):
        return f"a scale of {scale}"
    return None if acked <= following else f"{acked} frames acknowledged of {following}"


def _texts(body: bytes) -> tuple[list[str], bytes]:
    texts = []
    for _ in range(_TEXTS):
        length = body[0]
        if len(body) < 1 + length:
            raise IndexError("a text is cut off")
        texts.append(printable(body[1 : 1 + length].decode(errors="replace")))
        body = body[1 + length :]
    return texts, body


def _list(text: str, channels: int) -> tuple[str, ...]:
    """Returns the texts of the channels; none if there are not as many, as in one that was cut."""
    found: Any = tuple(text.split(","))
    return found if text and len(found) == channels else ()
