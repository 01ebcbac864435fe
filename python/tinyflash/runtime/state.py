"""`tiny_state` as bytes: all training state except the weights (tinyflash/model.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

# Of the link, firmware/PROTOCOL.md, and of the layout of the bytes that it carries: weights, state.
VERSION = 3

_HEADER = struct.Struct("<IIHhHHHHIII")
_SCALE = struct.Struct("<bbHiI")
HEADER_BYTES, SCALE_BYTES = _HEADER.size, _SCALE.size


class Header(NamedTuple):
    """The fields of `tiny_state` up to its scales."""

    seed: int = 0
    step: int = 0
    rate_mantissa: int = 0
    rate_exponent: int = 0
    label: int = 0
    predicted: int = 0
    probability: int = 0
    scale_count: int = 0
    weights_saturated: int = 0
    updates_skipped: int = 0
    error: int = 0


class Scale(NamedTuple):
    """`tiny_scale`."""

    exponent: int = 0
    gain: int = 0
    clipped: int = 0
    peak: int = 0
    saturated: int = 0


def pack(header: Header, scales: Iterable[Scale]) -> bytes:
    """Returns STATE, little-endian. Sets `scale_count` to the number of scales."""
    packed = [_SCALE.pack(*scale) for scale in scales]
    return _HEADER.pack(*header._replace(scale_count=len(packed))) + b"".join(packed)


def unpack(state: bytes) -> tuple[Header, list[Scale]]:
    """Returns header and scales. Raises struct.error if the length is impossible."""
    scales = [Scale(*fields) for fields in _SCALE.iter_unpack(state[HEADER_BYTES:])]
    return Header(*_HEADER.unpack_from(state)), scales


def scale_offset(index: int) -> int:
    """Returns the offset of a scale in STATE, in bytes."""
    return HEADER_BYTES + SCALE_BYTES * index
