"""Finished results, in a file of JSON lines that is only ever appended to.

A line that a killed process has left unfinished is ignored, and the next one begins a new line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinyflash.files import append_bytes


class Results:
    """The results by key. path None: in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
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
            if isinstance(entry["result"], dict):
                self.known[entry["key"]] = entry["result"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def keep(self, found: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Adds results, on the disk first."""
        new = [(key, result) for key, result in found if key not in self.known]
        lines = "".join(json.dumps({"key": k, "result": r}) + "\n" for k, r in new)
        if self.path is not None and lines:
            append_bytes(self.path, ("\n" * self._torn + lines).encode())
            self._torn = False
        self.known.update(new)
