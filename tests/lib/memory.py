"""Bytes of the memory spaces, from what the numpy reference holds."""

from __future__ import annotations

import struct

from tinyflash.reference.environment import Environment

HEADER = struct.Struct("<IIHhHHHHI")  # tiny_state up to its scales (model.h)
SCALE = struct.Struct("<bBHiI")  # tiny_scale


def state_bytes(env: Environment) -> bytes:
    """STATE: `tiny_state`, little-endian."""
    header = HEADER.pack(
        env.seed,
        env.step,
        env.rate.mantissa,
        env.rate.exponent,
        env.label,
        env.predicted,
        env.probability,
        len(env.scale_list),
        env.weights_saturated,
    )
    scales = (SCALE.pack(s.exponent, s.quiet, 0, s.peak, s.saturated) for s in env.scale_list)
    return header + b"".join(scales)


def state_exponents(state: bytes) -> list[int]:
    """The exponents of all scales of a STATE."""
    return [fields[0] for fields in SCALE.iter_unpack(state[HEADER.size :])]


def tensor_bytes(env: Environment, tensor: str) -> bytes:
    """A tensor as it is stored."""
    return env.values[tensor].astype(env.graph.tensors[tensor].dtype).tobytes()


def weights_bytes(env: Environment) -> bytes:
    """WEIGHTS: the trained tensors in order, each aligned to 4 bytes."""
    names = [t.name for t in env.graph.tensors.values() if t.kind == "trainable"]
    parts = [tensor_bytes(env, name) for name in names]
    return b"".join(part + bytes(-len(part) % 4) for part in parts)
