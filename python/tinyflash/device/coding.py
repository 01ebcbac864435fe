"""Lossless coding of samples on the line (PROTOCOL.md, "Coded samples").

Each byte is predicted from its neighbours; the errors are Rice coded in blocks of 64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.device.protocol import Coding

BLOCK = 64
PARAMETERS = 7  # Rice parameters 0 to 6
_HEADER_BITS = 3
_MAX_STRIDE = 0xFFFF
_MAX_COUNT = 0xFFFF

Bytes = npt.NDArray[np.uint8]
Errors = npt.NDArray[np.int16]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Chunk:
    """Bytes [offset, offset + count) of a sample as they travel."""

    coding: Coding
    stride: int
    offset: int
    count: int
    data: bytes


def prediction_errors(sample: Bytes, stride: int) -> Errors:
    """What remains of each byte after its prediction, folded: 0, -1, 1, -2 are 0, 1, 2, 3."""
    padded = np.concatenate([np.zeros(stride + 1, np.uint8), sample])
    end = len(padded)
    predicted = padded[stride : end - 1]
    if stride:
        predicted = predicted + padded[1 : end - stride] - padded[: end - stride - 1]
    errors: Errors = (sample - predicted).view(np.int8).astype(np.int16)
    return (errors << 1) ^ (errors >> 15)


def chunks(sample: Bytes, strides: Iterable[int], room: int) -> Iterator[Chunk]:
    """Splits a sample [bytes] into chunks of at most `room` bytes of data, each coded if that is
    shorter. strides: candidates; the one that predicts best is used. room is at least 64.
    """
    candidates = [0, *(s for s in strides if 0 < s <= min(_MAX_STRIDE, len(sample)))]
    coded = min((_Blocks(prediction_errors(sample, s), s) for s in candidates), key=_Blocks.total)
    offset = 0
    while offset < len(sample):
        chunk = coded.chunk(offset, room)
        if chunk.count <= len(chunk.data):
            raw = sample[offset : offset + room // BLOCK * BLOCK].tobytes()
            chunk = Chunk(Coding.RAW, 0, offset, len(raw), raw)
        yield chunk
        offset += chunk.count


class _Blocks:
    """Prediction errors of a sample, and the Rice parameter that suits each block of 64.

    A chunk's blocks are counted from its first byte, so chunks begin at multiples of 64.
    """

    def __init__(self, errors: Errors, stride: int) -> None:
        self.errors, self.stride = errors, stride
        blocks = -(-len(errors) // BLOCK)
        padded = np.zeros(blocks * BLOCK, np.int16)
        padded[: len(errors)] = errors
        each = padded.reshape(blocks, BLOCK)
        sizes = np.stack([_bits(each, np.int16(k)).sum(axis=1) for k in range(PARAMETERS)])
        self.parameters = sizes.argmin(axis=0).astype(np.int16)
        self.ends: Counts = np.cumsum(sizes.min(axis=0) + _HEADER_BITS)  # bits, of each block

    def total(self) -> int:
        return int(self.ends[-1])

    def chunk(self, offset: int, room: int) -> Chunk:
        first = offset // BLOCK
        before = int(self.ends[first - 1]) if first else 0
        last = int(np.searchsorted(self.ends, before + room * 8, side="right"))
        last = min(last, first + _MAX_COUNT // BLOCK)
        errors = self.errors[offset : last * BLOCK]
        data = _pack(errors, self.parameters[first:last])
        return Chunk(Coding.CODED, self.stride, offset, len(errors), data)


def _bits(errors: Errors, parameter: Errors | np.int16) -> Errors:
    """Length of the code of each error: 1 for zero, else that of the Rice code of error - 1."""
    return np.where(errors == 0, np.int16(1), ((errors - 1) >> parameter) + (parameter + 2))


def _pack(errors: Errors, parameters: Errors) -> bytes:
    """The bit stream of some blocks, the first bit lowest."""
    each = np.repeat(parameters, BLOCK)[: len(errors)]
    lengths = _bits(errors, each).astype(np.int64)
    lengths[::BLOCK] += _HEADER_BITS
    starts = np.cumsum(lengths) - lengths
    bits = np.zeros(int(lengths.sum()), np.uint8)
    for i in range(_HEADER_BITS):
        bits[starts[::BLOCK] + i] = (parameters >> i) & 1
    starts[::BLOCK] += _HEADER_BITS
    there = errors > 0
    at, value, width = starts[there], errors[there] - 1, each[there]
    ones = 1 + (value >> width).astype(np.int64)  # the flag, then the quotient in unary
    run = np.arange(int(ones.sum())) - np.repeat(np.cumsum(ones) - ones, ones)
    bits[np.repeat(at, ones) + run] = 1
    for i in range(PARAMETERS - 1):
        wide = width > i
        bits[(at + ones + 1)[wide] + i] = (value >> i)[wide] & 1
    return np.packbits(bits, bitorder="little").tobytes()
