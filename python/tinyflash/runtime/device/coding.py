"""Lossless coding of samples on the line (PROTOCOL.md, "Coded samples").

The coder predicts each byte from its neighbours, and Rice codes the errors in blocks of 64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK = 64
_PARAMETERS = 7  # Rice parameters 0 to 6
_HEADER_BITS = 4  # head of a block: the parameter, and whether it is sparse
_MAX_STRIDE = 0xFFFF
_MAX_COUNT = 0xFFFF
_MAX_GROUP = 0xFF
RAW = 0  # instead of a group

Bytes = npt.NDArray[np.uint8]
Errors = npt.NDArray[np.int16]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Chunk:
    """Bytes [offset, offset + count) of a sample as sent. group: RAW, or the group of the code."""

    group: int
    stride: int
    offset: int
    count: int
    data: bytes


def chunks(sample: Bytes, shape: tuple[int, ...], room: int) -> Iterator[Chunk]:
    """Splits a sample [bytes] into chunks of at most `room` >= 64 bytes of data, each coded if that
    is shorter. shape: of the sample; the coder tries predictions along each axis.
    """
    group = shape[-1] if shape and 1 <= shape[-1] <= _MAX_GROUP else 1
    coded = min((_Code(sample, s, group) for s in _strides(shape)), key=_Code.total_bits)
    offset = 0
    while offset < len(sample):
        chunk = coded.chunk(offset, room)
        if chunk.count <= len(chunk.data):
            raw = sample[offset : offset + room // BLOCK * BLOCK].tobytes()
            chunk = Chunk(RAW, 0, offset, len(raw), raw)
        yield chunk
        offset += chunk.count


def _strides(shape: tuple[int, ...]) -> list[int]:
    """Returns the distances between neighbours along each axis except the last, and 0: no second
    neighbour."""
    distances = {int(np.prod(shape[axis:])) for axis in range(1, len(shape))}
    return [0, *sorted(d for d in distances if 1 < d <= _MAX_STRIDE)]


def prediction_errors(sample: Bytes, stride: int) -> Errors:
    """Returns the prediction error of each byte, folded: 0, -1, 1, -2 become 0, 1, 2, 3."""
    padded = np.concatenate([np.zeros(stride + 1, np.uint8), sample])
    end = len(padded)
    predicted = padded[stride : end - 1]
    if stride:
        predicted = predicted + padded[1 : end - stride] - padded[: end - stride - 1]
    errors: Errors = (sample - predicted).view(np.int8).astype(np.int16)
    return (errors << 1) ^ (errors >> 15)


class _Code:
    """A sample's prediction errors, and the best coding of each block of 64.

    A chunk's blocks are counted from its first byte, so chunks begin at multiples of 64.
    """

    def __init__(self, sample: Bytes, stride: int, group: int) -> None:
        self.count, self.stride, self.group = len(sample), stride, group
        blocks = -(-len(sample) // BLOCK)
        errors = np.zeros(blocks * BLOCK, np.int16)
        errors[: len(sample)] = prediction_errors(sample, stride)
        first = (np.arange(blocks * BLOCK) % group == 0).reshape(blocks, BLOCK)
        self.errors = errors.reshape(blocks, BLOCK)
        self.sparse: Flags = ~((self.errors != 0) & ~first).any(axis=1)
        self.coded: Flags = first | ~self.sparse[:, np.newaxis]
        self._choose_parameters()

    def _choose_parameters(self) -> None:
        sizes = [
            np.sum(_bits(self.errors, np.int16(k)), axis=1, where=self.coded)
            for k in range(_PARAMETERS)
        ]
        self.parameters: Errors = np.argmin(sizes, axis=0).astype(np.int16)
        self.ends: Counts = np.cumsum(np.min(sizes, axis=0) + _HEADER_BITS)  # bits of each block

    def total_bits(self) -> int:
        return int(self.ends[-1])

    def chunk(self, offset: int, room: int) -> Chunk:
        """Returns as many blocks from `offset` on as fit."""
        first = offset // BLOCK
        before = int(self.ends[first - 1]) if first else 0
        last = int(np.searchsorted(self.ends, before + room * 8, side="right"))
        last = min(last, first + _MAX_COUNT // BLOCK)
        count = min(last * BLOCK, self.count) - offset
        return Chunk(self.group, self.stride, offset, count, self._pack(slice(first, last), count))

    def _pack(self, blocks: slice, count: int) -> bytes:
        """Packs the bits of some blocks, up to `count` bytes of the sample, lowest bit first."""
        errors, coded = self.errors[blocks].reshape(-1)[:count], self.coded[blocks].reshape(-1)
        parameters = np.repeat(self.parameters[blocks], BLOCK)[:count]
        lengths = np.where(coded[:count], _bits(errors, parameters), 0).astype(np.int64)
        lengths[::BLOCK] += _HEADER_BITS
        starts = np.cumsum(lengths) - lengths
        bits = np.zeros(int(lengths.sum()), np.uint8)
        headers = self.parameters[blocks] | self.sparse[blocks].astype(np.int16) << 3
        for i in range(_HEADER_BITS):
            bits[starts[::BLOCK] + i] = (headers >> i) & 1
        starts[::BLOCK] += _HEADER_BITS
        there = errors > 0
        _set_rice(bits, starts[there], errors[there] - 1, parameters[there])
        return np.packbits(bits, bitorder="little").tobytes()


def _bits(errors: Errors, parameter: Errors | np.int16) -> Errors:
    """Returns the code length of each error: 1 for zero, otherwise that of the Rice code of error -
    1."""
    return np.where(errors == 0, np.int16(1), ((errors - 1) >> parameter) + (parameter + 2))


def _set_rice(bits: Bytes, at: Counts, values: Errors, parameters: Errors) -> None:
    """Sets the bits of non-zero values: flag, quotient in unary, low bits."""
    ones = 1 + (values >> parameters).astype(np.int64)
    run = np.arange(int(ones.sum())) - np.repeat(np.cumsum(ones) - ones, ones)
    bits[np.repeat(at, ones) + run] = 1
    for i in range(_PARAMETERS - 1):
        wide = parameters > i
        bits[(at + ones + 1)[wide] + i] = (values >> i)[wide] & 1
