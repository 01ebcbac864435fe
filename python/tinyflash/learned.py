"""What a model learned, as a file: its trained bytes under the hash of the model they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinyflash.errors import DataError
from tinyflash.files import write_atomically
from tinyflash.program import Program
from tinyflash.session import Session

_ARRAYS = ("hash", "state", "weights")


@dataclass(frozen=True)
class Learned:
    """WEIGHTS and STATE: with both, training goes on as if it had never stopped."""

    hash: int
    weights: bytes
    state: bytes

    @staticmethod
    def of(session: Session, program: Program) -> Learned:
        """What `session`, which runs `program`, has learned so far."""
        return Learned(program.hash, session.weights, session.state)

    def restore(self, session: Session) -> None:
        """Gives it back to a session of the same program."""
        session.weights = self.weights
        session.state = self.state


def save_learned(path: Path, learned: Learned) -> None:
    """An .npz file: hash, and weights and state as bytes."""
    arrays: dict[str, Any] = {
        "hash": np.uint32(learned.hash),
        "weights": np.frombuffer(learned.weights, np.uint8),
        "state": np.frombuffer(learned.state, np.uint8),
    }

    def write(file: BinaryIO) -> None:
        np.savez(file, **arrays)

    write_atomically(path, write)


def load_learned(path: Path, program: Program) -> Learned:
    """Reads such a file, and makes sure that it belongs to `program`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found, state, weights = (archive[name] for name in _ARRAYS)
        learned = Learned(int(found), weights.tobytes(), state.tobytes())
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except Exception:  # a damaged file can provoke any of a dozen exceptions
        raise DataError(f"{path} is not a whole file of learned weights") from None
    sizes = (len(learned.weights), len(learned.state))
    if learned.hash != program.hash or sizes != (len(program.weights), len(program.state)):
        raise DataError(
            f"{path} belongs to another model or scheme "
            f"(hash {learned.hash:08x}, this one has {program.hash:08x})"
        )
    return learned
