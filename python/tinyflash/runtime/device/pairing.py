"""The host's side of pairing: keys, and tags of frames (PROTOCOL.md, "Pairing")."""

from __future__ import annotations

import re
from pathlib import Path

from tinyflash import files
from tinyflash.errors import DataError
from tinyflash.runtime.device.siphash import siphash

KEY_BYTES = 16
TAG_BYTES = 8
NONCE_BYTES = 8
_LONGEST_FILE = 256
_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")


def read_key(path: Path) -> bytes:
    """Reads a key file: 32 hexadecimal digits. Raises DataError."""
    try:
        text = files.read_bytes(path, _LONGEST_FILE, cut=True).decode("ascii", "replace").strip()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    if not _KEY.fullmatch(text):
        raise DataError(
            f"{path} is not a pairing key, which has {2 * KEY_BYTES} hexadecimal digits; make one "
            "with: openssl rand -hex 16"
        )
    return bytes.fromhex(text)


class Pairing:
    """The tags of one session. nonce: what the device has sent for it."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        halves = (siphash(key, nonce + bytes([purpose]) + bytes(4)) for purpose in (2, 3))
        self._key = b"".join(half.to_bytes(8, "little") for half in halves)
        self._counter = 0

    def command(self, kind: int, sequence: int, body: bytes) -> bytes:
        """Returns the body of a new command with its tag."""
        tagged = self.rows(kind, sequence, body)
        self._counter += 1
        return tagged

    def rows(self, kind: int, sequence: int, body: bytes) -> bytes:
        """Returns the body of a frame within a command with its tag."""
        covered = bytes([kind, sequence]) + body + self._counter.to_bytes(8, "little")
        return body + siphash(self._key, covered).to_bytes(TAG_BYTES, "little")
