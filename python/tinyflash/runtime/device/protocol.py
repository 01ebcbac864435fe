"""The numbers and layouts of firmware/PROTOCOL.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyflash.errors import LinkError, printable
from tinyflash.runtime.device.frames import LONGEST
from tinyflash.runtime.device.pairing import TAG_BYTES
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES
from tinyflash.runtime.state import VERSION as VERSION

REPLY = 0x80  # added to the type of the command; alone: to a type that no command has
FRAME_OVERHEAD = 6  # type, sequence number and CRC
_SMALLEST_FRAME = 80  # holds a piece of 64 bytes, the head of SAMPLE, and the overhead
_MOST_BYTES = 64 << 20  # of a device's memory, or of a sample; more is no microcontroller
_MOST_CLASSES = 1 << 16
_FLAGS = 15


class Type(IntEnum):
    """Types of frames."""

    HELLO = 1
    SAMPLE = 2
    INFER = 3
    TRAIN = 4
    COUNTERS = 5
    READ = 6
    RESTORE = 7
    WRITE = 8
    COMMIT = 9
    RESET = 10
    SCHEDULE = 11
    GUARD = 12
    ROWS = 13  # a reply to WANT
    SAVE = 14
    LOAD = 15
    FACTORY = 16
    PAIR = 17
    RATES = 18
    RATE = 19
    ECHO = 20
    COLLECT = 21
    REPLAY = 22
    NORMAL = 23
    READY = 0xF0
    NAK = 0xF1
    FAULT = 0xF2
    REFUSAL = 0xF3
    WANT = 0xF4


class Space(IntEnum):
    """Memory that READ can name; WRITE, too, except the output."""

    WEIGHTS = 1
    STATE = 2
    OUTPUT = 3
    SNAPSHOT = 4
    REPLAYED = 5


class Purpose(IntEnum):
    """Purposes of a sample."""

    INFER = 0
    TRAIN = 1
    TARGET = 2
    HELD_OUT = 3


STATUS_TEXT = {
    1: "does not know the command",
    2: "found a command of the wrong length",
    3: "found an offset, a size or a name out of range",
    4: "could not decode a sample",
    5: "has no complete sample",
    6: "has no output to read",
    7: "runs another model; build and flash this one",
    8: "has partly written weights; restore all of them, or reset",
    9: "received bytes that differ from those sent; try again",
    10: "refused a state or weights that do not fit its model",
    11: "refused a label that is not below the number of classes",
    12: "refused a learning rate",
    13: "runs a model compiled only for inference; compile it with a scheme",
    14: "has no learning rate; send one, or set a schedule",
    15: "refused a schedule",
    16: "has no room for a held-out sample; build its firmware with --guard SAMPLES",
    17: "has no held-out samples, or an output that is not a row of class scores",
    18: "runs no guard; start one",
    19: "received no rows of the sample in time",
    20: "has no flash to save to, or too little for two records",
    21: "has a flash that cannot be read, or does not keep what is written",
    22: "refused a command without the tag of this session; is this its pairing key, and does no "
    "other host use it?",
    23: "has no sensor, or no room for one of its frames; give an emulated board a recording with "
    "--replay, build with a larger --collect, or with --features for this sensor",
    24: "collects nothing, or something else than this host has asked for",
    25: "has no room for a replay buffer, or a model that cannot have one; build its firmware with "
    "--replay SLOTS",
    26: "holds too few scores of normal samples for a threshold of this rank",
}

SAMPLE_HEAD = struct.Struct("<BBHIH")  # purpose, group, stride, offset, count
ROWS_HEAD = struct.Struct("<BHIH")  # group, stride, offset, count
WANT = struct.Struct("<II")  # offset, count
TRAIN = struct.Struct("<IHh")  # label, rate: mantissa, exponent
TRAIN_SCHEDULED = struct.Struct("<I")  # label
SCHEDULE = struct.Struct("<HhHhIIIBB")  # rate, drop; steps, warm-up, done; kind, drops
TRAIN_REPLY = struct.Struct("<IHHI")  # ticks, predicted, probability, error
TICKS = struct.Struct("<I")
READ = struct.Struct("<BIH")  # space, offset, count
WRITE_HEAD = struct.Struct("<BI")  # space, offset
RESTORE = struct.Struct("<IB")  # model hash, set of spaces
COMMIT = struct.Struct("<I")  # CRC-32
RATE = struct.Struct("<I")  # baud
STORE_REPLY = struct.Struct("<IBH")  # number of the newest record, what it says, slots
COUNTERS_REPLY = struct.Struct("<IIII")  # step, weights saturated, stack used, frames damaged
FAULT = struct.Struct("<IIIII")  # exception, status, address, pc, stack broken
REFUSAL = struct.Struct("<II")  # bytes of stack needed, reserved
_INFO = struct.Struct("<BBHIIIIIIIIII")  # version, flags, then
_INFO_NUMBERS = (
    *("frame_bytes", "hash", "weights_bytes", "state_bytes", "arena_bytes", "input_bytes"),
    *("output_bytes", "classes", "stack_bytes", "target_bytes", "row_bytes"),
)


@dataclass(frozen=True)
class Info:
    """A device's description of itself. Sizes are in bytes."""

    trains: bool
    half_written: bool  # a restore began and did not finish
    stores: bool  # it has a store, for SAVE, LOAD and FACTORY
    frame_bytes: int
    hash: int
    weights_bytes: int
    state_bytes: int
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    classes: int
    stack_bytes: int  # reserved
    target_bytes: int  # 0: the model learns from labels
    row_bytes: int  # of each row that the device asks for; 0: it takes whole samples
    board: str
    model: str
    paired: bool = False  # it takes only frames with a tag


def parse_info(body: bytes) -> Info:
    """Parses the reply to HELLO."""
    if body[:1] != bytes([VERSION]):
        spoken = body[0] if body else "none"
        raise LinkError(
            f"the device has protocol version {spoken}, this host version {VERSION}; "
            "rebuild and flash its firmware"
        )
    try:
        _, flags, *numbers = _INFO.unpack_from(body)
        board, rest = _text(body[_INFO.size :])
        model, rest = _text(rest)
    except (struct.error, IndexError) as error:
        raise LinkError(f"the device sent a wrong description: {error}") from error
    sizes: dict[str, int] = dict(zip(_INFO_NUMBERS, numbers, strict=True))
    trains, half_written, stores, paired = (bool(flags & bit) for bit in (1, 2, 4, 8))
    info = Info(trains, half_written, stores, board=board, model=model, paired=paired, **sizes)
    wrong = "more than it should" if rest or flags & ~_FLAGS else _impossible(info)
    if wrong is not None:
        raise LinkError(
            f"the device sent a wrong description: {wrong}; rebuild and flash its firmware"
        )
    return info


def _impossible(info: Info) -> str | None:
    """Returns what no firmware says, if anything: later sizes and loops rely on these limits."""
    memory = info.weights_bytes + info.state_bytes + info.arena_bytes + info.stack_bytes
    ports = {"input": info.input_bytes, "output": info.output_bytes}
    largest = max(memory, *ports.values(), info.target_bytes)
    smallest = _SMALLEST_FRAME + (TAG_BYTES if info.paired else 0)
    if not smallest <= info.frame_bytes <= LONGEST:
        return f"frames of {info.frame_bytes} bytes, not {smallest} to {LONGEST}"
    if largest > _MOST_BYTES:
        return f"{largest:,} bytes of memory, more than {_MOST_BYTES:,}"
    if info.state_bytes < HEADER_BYTES or (info.state_bytes - HEADER_BYTES) % SCALE_BYTES:
        return f"a state of {info.state_bytes} bytes"
    for name, size in ports.items():
        if size == 0:
            return f"an {name} of 0 bytes"
    if info.row_bytes and info.input_bytes % info.row_bytes:
        return f"rows of {info.row_bytes} bytes in an input of {info.input_bytes}"
    if info.classes > _MOST_CLASSES:
        return f"{info.classes:,} classes"
    if info.trains != bool(info.classes or info.target_bytes):
        return "a model that trains without labels and targets, or has them and does not train"
    return "both labels and targets" if info.classes and info.target_bytes else None


def parse_want(body: bytes) -> tuple[int, int]:
    """Returns offset and count of a WANT."""
    if len(body) != WANT.size:
        raise LinkError("the device asks for rows, but does not say which")
    offset, count = WANT.unpack(body)
    return offset, count


def _text(body: bytes) -> tuple[str, bytes]:
    """Splits off a text. A device cuts long ones, perhaps within a character."""
    length = body[0]
    if len(body) < 1 + length:
        raise IndexError("a text is cut off")
    return printable(body[1 : 1 + length].decode(errors="replace")), body[1 + length :]


# Causes in CFSR, by their masks: the memory, bus and usage parts of the register.
_CAUSES = {
    0x000000FF: "access denied by the memory protection",
    0x0000FF00: "access to an address without memory",
    0x00010000: "undefined instruction",
    0x01000000: "unaligned access",
    0x02000000: "division by zero",
    0xFFFF0000: "invalid instruction",
}


# Causes in mcause of RISC-V.
_RISCV = 256  # BOARD_FAULT_RISCV of boards/board.h
_TRAPS = {
    **dict.fromkeys((1, 5, 7), "access to an address without memory, or denied"),
    **dict.fromkeys((0, 4, 6), "unaligned access"),
    2: "undefined instruction",
    3: "breakpoint",
}


def fault_text(body: bytes) -> str:
    """Describes a FAULT frame for a person."""
    if len(body) != FAULT.size:
        return "a fault without a description"
    exception, status, address, pc, stack_broken = FAULT.unpack(body)
    if stack_broken:
        return "stack overflow; raise stack_bytes in its board.toml"
    if exception == _RISCV:
        cause = _TRAPS.get(status, f"trap {status}")
    else:
        causes = (text for mask, text in _CAUSES.items() if status & mask)
        cause = next(causes, "hard fault" if exception == 3 else f"exception {exception}")
    where = f", address 0x{address:08x}" if address else ""
    return f"{cause}, at pc 0x{pc:08x}{where}"


def refusal_text(body: bytes) -> str:
    """Describes a REFUSAL frame for a person."""
    if len(body) != REFUSAL.size:
        return "but does not say why"
    needed, reserved = REFUSAL.unpack(body)
    if not needed:
        return "because its memory is too small for the model; rebuild its firmware"
    return (
        f"because its stack of {reserved:,} bytes is smaller than the {needed:,} that it may need; "
        f"set stack_bytes = {-(-needed // 32) * 32} in its board.toml and rebuild"
    )
