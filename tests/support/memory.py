"""Bytes of the memory spaces, from what the numpy reference holds."""

from __future__ import annotations

from tinyflash.reference.environment import Environment
from tinyflash.runtime.state import Header, Scale, pack


def state_bytes(env: Environment) -> bytes:
    """STATE: `tiny_state`, little-endian."""
    header = Header(
        seed=env.seed,
        step=env.step,
        rate_mantissa=env.rate.mantissa,
        rate_exponent=env.rate.exponent,
        label=env.label,
        predicted=env.predicted,
        probability=env.probability,
        weights_saturated=env.weights_saturated,
        updates_skipped=env.updates_skipped,
        error=env.error,
    )
    return pack(
        header,
        [Scale(s.exponent, s.gain, s.clipped, s.peak, s.saturated) for s in env.scale_list],
    )


def tensor_bytes(env: Environment, tensor: str) -> bytes:
    """A tensor as it is stored."""
    return env.values[tensor].astype(env.graph.tensors[tensor].dtype).tobytes()


def weights_bytes(env: Environment) -> bytes:
    """WEIGHTS: the trained tensors in order, each aligned to 4 bytes."""
    names = [t.name for t in env.graph.tensors.values() if t.kind == "trainable"]
    parts = [tensor_bytes(env, name) for name in names]
    return b"".join(part + bytes(-len(part) % 4) for part in parts)
