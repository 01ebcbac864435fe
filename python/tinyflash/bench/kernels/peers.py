"""What the kernels of other libraries take for the same layers. peers.csv says how measured."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards import Board

_TABLE = Path(__file__).with_name("peers.csv")


@dataclass(frozen=True)
class Peer:
    """The instructions that a call of another library's kernel takes on a core."""

    name: str
    instructions: int


def better_peer(kernel: str, shape: str, board: Board) -> Peer | None:
    """Returns the one with the fewest instructions on the board's core. None: none was measured."""
    found = _table().get((kernel, shape, board.core), [])
    return min(found, key=lambda peer: peer.instructions, default=None)


@functools.cache
def _table() -> dict[tuple[str, str, str], list[Peer]]:
    text = _TABLE.read_text(encoding="utf-8").splitlines()
    table: dict[tuple[str, str, str], list[Peer]] = {}
    for row in csv.DictReader(line for line in text if not line.startswith("#")):
        peer = Peer(row["peer"], int(row["instructions"]))
        table.setdefault((row["kernel"], row["shape"], row["core"]), []).append(peer)
    return table
