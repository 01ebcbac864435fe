"""The replay buffer of a device, over its link (PROTOCOL.md, "Replay")."""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

from tinyflash.errors import LinkError
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.replay import MOST_SLOTS

_ACTION = struct.Struct("<B")
_START = struct.Struct("<BII")  # action, repeats, CRC-32 of the memory
_REPLY = struct.Struct("<IIII")


class Action(IntEnum):
    """The actions of REPLAY."""

    TELL = 0
    START = 1
    STOP = 2


class Reply(NamedTuple):
    """The reply to every action. slots: of each class, 0 without room. repeats: 0: not in use."""

    slots: int
    repeats: int
    kept: int
    replayed: int


class RemoteReplay:
    """Sends REPLAY commands."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def check_room(self, slots: int) -> None:
        """Raises LinkError if the device does not keep `slots` samples of each class: where they
        are in memory depends on that number."""
        room = self._ask(_ACTION.pack(Action.TELL)).slots
        if room != slots:
            raise LinkError(
                f"the device keeps {room} samples of each class, not {slots}; build its firmware "
                f"with --replay {slots}"
            )

    def start(self, memory: bytes, repeats: int) -> None:
        """Begins with the memory that has been written to its space."""
        self._ask(_START.pack(Action.START, repeats, zlib.crc32(memory)))

    def slots(self) -> int:
        return self._ask(_ACTION.pack(Action.TELL)).slots

    def stop(self) -> None:
        self._ask(_ACTION.pack(Action.STOP))

    def _ask(self, body: bytes) -> Reply:
        raw = self._link.command(Type.REPLAY, body, size=_REPLY.size)
        reply = Reply(*_REPLY.unpack(raw))
        if reply.slots > MOST_SLOTS:
            raise LinkError(
                f"the device keeps {reply.slots} samples of each class; rebuild and flash its "
                "firmware"
            )
        return reply
