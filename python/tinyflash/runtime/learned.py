"""The file of learned weights: the trained bytes, with the hash of their model."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.errors import DataError, LinkError
from tinyflash.files import write_bytes
from tinyflash.program import ConstArray, Program, Row, Space
from tinyflash.runtime.session import Session
from tinyflash.runtime.state import VERSION, unpack

LARGEST = 64 << 20  # bytes of a file
_ARRAYS = ("hash", "state", "weights")
_EXPONENTS = range(-40, 16)  # of scales (SPEC 5.1)
_GAINS = range(-64, 64)
_RATE_EXPONENTS = range(-512, 512)


@dataclass(frozen=True)
class Learned:
    """WEIGHTS and STATE: with both, training continues as if it had never stopped."""

    hash: int
    weights: bytes
    state: bytes

    @staticmethod
    def of(session: Session, program: Program) -> Learned:
        """Reads what `session`, which runs `program`, has learned so far. Raises LinkError if no
        training of this program can have left that: then it came from a device that is broken."""
        learned = Learned(program.hash, session.weights, session.state)
        state = _impossible_state(learned.state, program)
        wrong = state or impossible_weights(learned.weights, program)
        if wrong is not None:
            raise LinkError(f"the device sent what it cannot have learned: {wrong}; reset it")
        return learned

    @staticmethod
    def compiled(program: Program) -> Learned:
        """Returns what `program` starts with."""
        return Learned(program.hash, program.weights, program.state)

    def restore(self, session: Session) -> None:
        """Writes the learned bytes to a session of the same program."""
        session.weights = self.weights
        session.state = self.state


def save_learned(path: Path, learned: Learned, more: Mapping[str, Numbers] | None = None) -> None:
    """Writes an .npz file: version and hash, weights and state as bytes, and `more`, by name.

    If it cannot be written there, writes it elsewhere, and raises a DataError that says where.
    """
    arrays: dict[str, Any] = {
        **(more or {}),
        "version": np.uint32(VERSION),
        "hash": np.uint32(learned.hash),
        "weights": np.frombuffer(learned.weights, np.uint8),
        "state": np.frombuffer(learned.state, np.uint8),
    }
    file = BytesIO()
    np.savez(file, **arrays)
    try:
        write_bytes(path, file.getvalue())
    except DataError as error:
        raise DataError(f"{error}; {_rescued(file.getvalue())}") from error


def _rescued(content: bytes) -> str:
    """Writes a file to the first folder that takes it. Returns which, for a message."""
    name = f"learned-{zlib.crc32(content):08x}.npz"
    for folder in (Path.cwd, lambda: Path(tempfile.gettempdir()), Path.home):
        with suppress(DataError, OSError, RuntimeError):
            path = folder() / name
            write_bytes(path, content)
            return f"what was learned is in {path}"
    return "what was learned is lost"


def load_learned(path: Path, program: Program) -> Learned:
    """Reads a learned file. Raises DataError if it is damaged, or belongs to another program or
    another version of what its bytes mean."""
    learned = _read(path)
    sizes = (len(learned.weights), len(learned.state))
    if learned.hash != program.hash or sizes != (len(program.weights), len(program.state)):
        raise DataError(
            f"{path} belongs to another model or scheme (hash {learned.hash:08x}, this one has "
            f"{program.hash:08x}); pass the model under the same file name, and the same --scheme "
            "and --rows, as for training"
        )
    state = _impossible_state(learned.state, program)
    wrong = state or impossible_weights(learned.weights, program)
    if wrong is not None:
        raise DataError(f"{path} is damaged: {wrong}; resume from another file, or start again")
    return learned


def learned_hash(path: Path) -> str | None:
    """Returns the hash of the program that a learned file belongs to, as hexadecimal digits; None
    if there is no such file."""
    try:
        return f"{_read(path).hash:08x}"
    except DataError:
        return None


def _read(path: Path) -> Learned:
    expected = "a whole file of learned weights"
    arrays = load_arrays(path, LARGEST, expected)
    if isinstance(arrays, dict) and arrays.keys() >= {*_ARRAYS}:
        found, state, weights = (arrays[name] for name in _ARRAYS)
        version = arrays.get("version", np.uint32(VERSION))  # from before versions were written
        if all(n.shape == () and n.dtype.kind in "iu" for n in (found, version)):
            _check_version(path, int(version))
            return Learned(int(found), weights.tobytes(), state.tobytes())
    raise DataError(f"{path} is not {expected}")


def _check_version(path: Path, version: int) -> None:
    if version != VERSION:
        raise DataError(
            f"{path} has learned weights of version {version}, this tinyflash reads version "
            f"{VERSION}; train again, or use the tinyflash that wrote it"
        )


def _impossible_state(state: bytes, program: Program) -> str | None:
    """Returns what is out of range in STATE, if anything. Kernels rely on these ranges."""
    (head, scales), (compiled, _) = unpack(state), unpack(program.state)
    if head.scale_count != compiled.scale_count:
        return f"{head.scale_count} scales of gradients, the model has {compiled.scale_count}"
    if 0 < head.rate_mantissa < 2**15 or head.rate_exponent not in _RATE_EXPONENTS:
        return f"a learning rate of {head.rate_mantissa} * 2^{head.rate_exponent}"
    if max(head.label, head.predicted) >= max(1, program.classes):
        return f"labels {head.label} and {head.predicted}, the model has {program.classes} classes"
    for index, scale in enumerate(scales):
        if scale.exponent not in _EXPONENTS or scale.peak < 0:
            return f"scale {index} has exponent {scale.exponent}, peak {scale.peak}"
        if scale.gain not in _GAINS:
            return f"scale {index} has gain {scale.gain}"
    return None


def impossible_snapshot(snapshot: bytes, program: Program) -> str | None:
    """Returns what is out of range in a guard's snapshot, if anything: its WEIGHTS, then gains."""
    size = len(program.weights)
    gains = np.frombuffer(snapshot[size:], np.int8)
    wrong = [f"scale {i} has gain {gain}" for i, gain in enumerate(gains) if gain not in _GAINS]
    return next(iter(wrong), None) or impossible_weights(snapshot[:size], program)


def impossible_weights(weights: bytes, program: Program) -> str | None:
    """Returns what is out of range in WEIGHTS, if anything: a bias beyond its limit, with which a
    sum could overflow (SPEC 6.5). That of a dead channel (6.6), which no update changes, is as
    compiled. Weights may be any int8, also -128, which no update leaves (10.7)."""
    for row in program.train:
        if row.kernel == "bias_update":
            found, compiled = (_biases(image, row) for image in (weights, program.weights))
            fields = program.records[row.record].fields
            limit, rate = fields["limit"], fields["rate"]
            assert isinstance(limit, int) and isinstance(rate, ConstArray)
            count = len(rate.values)
            found, compiled = found[:count].astype(np.int64), compiled[:count]
            lives = rate.values[:, 0] != 0
            wrong = np.where(lives, abs(found) > limit, found != compiled)
            if wrong.any():
                o = int(np.argmax(wrong))
                return f"bias {o} of {row.layer} is {found[o]}, its limit {limit}"
    return None


def _biases(weights: bytes, row: Row) -> npt.NDArray[np.int32]:
    """From the biases of an update's row to the end of WEIGHTS: the first trained buffer."""
    place = next(b for b in row.buffers if b is not None and b.space is Space.WEIGHTS)
    count = (len(weights) - place.offset) // 4
    return np.frombuffer(weights, "<i4", count, place.offset)


def layer_spans(program: Program) -> list[tuple[str, int, int]]:
    """Returns the ranges of int8 weights in WEIGHTS, each after the name of its layer. The other
    bytes are biases, which have limits, optimizer state and what judges channels, which may have
    any value. Weights are the first trained buffer of their update's row (ops.h)."""
    trained: dict[int, str] = {}
    for row in program.train:
        if row.kernel.endswith("_update") or row.kernel == "fisher":
            spaces = [b.offset for b in row.buffers if b is not None and b.space is Space.WEIGHTS]
            weights = row.kernel not in ("bias_update", "fisher")
            trained |= {at: row.layer if weights and not i else "" for i, at in enumerate(spaces)}
    starts = sorted(trained)
    ends = [*starts[1:], len(program.weights)]
    return [(trained[a], a, b) for a, b in zip(starts, ends, strict=False) if trained[a]]


def int8_spans(program: Program) -> list[tuple[int, int]]:
    """Returns the ranges of int8 weights in WEIGHTS, in order."""
    return [(start, end) for _, start, end in layer_spans(program)]
