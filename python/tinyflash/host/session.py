"""A model running on the host: the C library through cffi, on the table a device would have."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyflash.arith import factor
from tinyflash.errors import DataError, TinyflashError
from tinyflash.host._tinyflash import ffi, lib  # type: ignore[import-not-found]
from tinyflash.host.table import Table
from tinyflash.program import Program
from tinyflash.session import Counters, Int8Array, Outcome, check_learns_from


class HostSession:
    """Implements `session.Session` on the host."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._table = Table(program)
        self._session = ffi.new("tiny_session *")
        # int32 elements, so that every space is aligned as the library asks.
        sizes = (len(program.weights), len(program.state), program.arena_bytes)
        self._memory = [ffi.new("int32_t[]", -(-size // 4) + 1) for size in sizes]
        places = [ffi.cast("uint8_t *", m) for m in self._memory]
        memory = ffi.new("tiny_memory *", [*places, *sizes])
        _check(lib.tiny_init(self._session, self._table.model, memory))

    def infer(self, x: Int8Array) -> Int8Array:
        self._load(lib.tiny_infer_input(self._session), x, self.program.input_bytes)
        y = lib.tiny_infer(self._session)
        return np.frombuffer(ffi.buffer(y, self.program.output_bytes), np.int8).copy()

    def train_step(self, x: Int8Array, label: int, rate: float) -> Outcome:
        check_learns_from(self.program.target_bytes, target=False)
        if not 0 <= label < max(self.program.classes, 1):
            raise DataError(f"label {label} is not one of the {self.program.classes} classes")
        return self._train(x, label, rate)

    def train_on_target(self, x: Int8Array, target: Int8Array, rate: float) -> Outcome:
        check_learns_from(self.program.target_bytes, target=True)
        size = self.program.target_bytes
        self._load(lib.tiny_train_target(self._session), target, size, "target")
        return self._train(x, 0, rate)

    def _train(self, x: Int8Array, label: int, rate: float) -> Outcome:
        self._load(lib.tiny_train_input(self._session), x, self.program.input_bytes)
        f = factor(rate)
        _check(lib.tiny_train(self._session, label, [f.mantissa, f.exponent]))
        state = self._state
        return Outcome(state.predicted, state.probability / 32768, state.error)

    def counters(self) -> Counters:
        return Counters.of(self.state)

    def reset(self) -> None:
        lib.tiny_reset(self._session)

    @property
    def weights(self) -> bytes:
        return bytes(self._space(0, len(self.program.weights)))

    @weights.setter
    def weights(self, data: bytes) -> None:
        self._restore(0, len(self.program.weights), data, "weights")

    @property
    def state(self) -> bytes:
        return bytes(self._space(1, len(self.program.state)))

    @state.setter
    def state(self, data: bytes) -> None:
        self._restore(1, len(self.program.state), data, "state")

    @property
    def _state(self) -> Any:
        return lib.tiny_session_state(self._session)

    def _load(self, to: Any, x: Int8Array, size: int, what: str = "sample") -> None:
        if x.dtype.itemsize != 1 or x.size != size:
            raise DataError(
                f"a {what} has {x.size} elements of {x.dtype}; the model reads {size} of int8"
            )
        ffi.memmove(to, np.ascontiguousarray(x), x.size)

    def _space(self, index: int, size: int) -> Any:
        return ffi.buffer(self._memory[index], size)

    def _restore(self, index: int, size: int, data: bytes, what: str) -> None:
        if len(data) != size:
            raise DataError(f"{what}: {len(data)} bytes given, this model has {size}")
        self._space(index, size)[:] = data


def _check(error: int) -> None:
    if error:
        raise TinyflashError(ffi.string(lib.tiny_error_text(error)).decode())
