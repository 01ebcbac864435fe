"""Finished results, in a file of JSON lines that is only ever appended to.

A line that a killed process has left unfinished is ignored, and the next one begins a new line.
Each line has a checksum, so that a damaged one is ignored, too: its result is computed again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tinyflash.files import append_bytes


class Results:
    """The results by key. path None: in memory alone. valid: whether a result that was read can be
    used; others are ignored."""

    def __init__(
        self, path: Path | None, valid: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> None:
        self.path = path
        self._valid = valid
        self.known: dict[str, dict[str, Any]] = {}
        self._torn = False
        if path is not None and path.is_file():
            text = path.read_bytes()
            self._torn = bool(text) and not text.endswith(b"\n")
            for line in text.splitlines():
                self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            key, result = entry["key"], entry["result"]
            whole = entry.get("check") in (None, _check(key, json.dumps(result)))  # None: older
            if isinstance(result, dict) and whole and self._valid(result):
                self.known[key] = result
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def keep(self, found: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Adds results, on the disk first."""
        new = [(key, result) for key, result in found if key not in self.known]
        lines = "".join(_line(key, json.dumps(result)) for key, result in new)
        if self.path is not None and lines:
            append_bytes(self.path, ("\n" * self._torn + lines).encode())
            self._torn = False
        self.known.update(new)


def _line(key: str, result: str) -> str:
    return f'{{"key": {json.dumps(key)}, "result": {result}, "check": {_check(key, result)}}}\n'


def _check(key: str, result: str) -> int:
    return zlib.crc32(f"{key} {result}".encode())
