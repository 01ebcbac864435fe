"""What is normal, judged by a device (PROTOCOL.md, "Normal"): it scores, holds and compares."""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np

from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.pieces import Pieces
from tinyflash.runtime.device.protocol import Info, Type
from tinyflash.runtime.normal import MOST_RANKS, HeldScores, Judged
from tinyflash.runtime.session import Int8Array, check_learns_from

_ACTION = struct.Struct("<B")
_PIECE = struct.Struct("<BI")  # action, offset
_SET = struct.Struct("<BI")  # action, rank
_RESUME = struct.Struct(f"<BI{MOST_RANKS}I")  # action, HeldScores
_REPLY = struct.Struct("<IIIIB")  # values compared, score, held, threshold, abnormal


class Action(IntEnum):
    """The actions of NORMAL."""

    TELL = 0
    CLEAR = 1
    SCORE = 2
    HOLD = 3
    SET = 4
    RESUME = 5


class RemoteJudge:
    """Sends NORMAL commands. Raises LinkError if the device has none."""

    def __init__(self, link: Link, pieces: Pieces, info: Info) -> None:
        check_learns_from(info.classes, info.target_bytes, target=True)
        self._link, self._pieces, self._info = link, pieces, info
        try:
            self.tell()
        except LinkError as error:
            if protocol.STATUS_TEXT[1] not in str(error):
                raise
            raise LinkError(
                f"the firmware of {info.board} judges nothing, since it is from before NORMAL; "
                "rebuild and flash it"
            ) from None

    def score(self, x: Int8Array, target: Int8Array) -> Judged:
        if target.size != self._info.output_bytes:
            raise DataError(f"a target of {target.size} values; the device compares "
                            f"{self._info.output_bytes}")  # fmt: skip
        self._pieces.infer(x)
        values = np.ascontiguousarray(target, np.int8).tobytes()
        room = self._pieces.room_to(_PIECE.size)
        said = [
            self._ask(_PIECE.pack(Action.SCORE, offset) + values[offset : offset + room])
            for offset in range(0, len(values), room)
        ]
        return said[-1]

    def hold(self) -> Judged:
        return self._ask(_ACTION.pack(Action.HOLD))

    def set(self, rank: int) -> Judged:
        return self._ask(_SET.pack(Action.SET, rank))

    def resume(self, held: HeldScores = HeldScores()) -> Judged:  # noqa: B008 (it is frozen)
        return self._ask(_RESUME.pack(Action.RESUME, held.count, *held.largest))

    def tell(self) -> Judged:
        return self._ask(_ACTION.pack(Action.TELL))

    def _ask(self, body: bytes) -> Judged:
        raw = self._link.command(Type.NORMAL, body, size=_REPLY.size)
        _, score, held, threshold, abnormal = _REPLY.unpack(raw)
        return Judged(score, held, threshold, bool(abnormal))
