"""The library's replay buffer on the host, with its own memory."""

from __future__ import annotations

from typing import Any

from tinyflash.runtime.host.library import ffi, lib


class NativeReplay:
    """Owns a `tiny_replay` for a `tiny_session`; it works after `begin`, which returns the
    library's error; 0: success. memory: what it starts with (SPEC 12.1)."""

    def __init__(self, session: Any, memory: bytes, slots: int, repeats: int) -> None:
        self._session = session
        self._words = ffi.new("uint32_t[]", -(-len(memory) // 4))
        self._size = len(memory)
        ffi.memmove(self._words, memory, len(memory))
        self._replay = ffi.new("tiny_replay *", [self._words, len(memory), slots, repeats])

    def begin(self) -> int:
        return int(lib.tiny_replay_begin(self._replay, self._session))

    @property
    def memory(self) -> bytes:
        return bytes(ffi.buffer(self._words, self._size))

    def keep(self, label: int) -> None:
        """Call this before each training step, with the sample in place."""
        lib.tiny_replay_keep(self._replay, self._session, label)

    def run(self, rate: Any) -> None:
        """Call this after each training step."""
        lib.tiny_replay_run(self._replay, self._session, rate)
