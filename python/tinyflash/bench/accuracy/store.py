"""Stores finished cells, so that an interrupted benchmark continues where it stopped.

The store is a file of JSON lines in the user's cache. Each line has a cell and a key of everything
that affects its result: network, samples, method, effort, code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinyflash.bench.accuracy.cell import Cell, Effort, Limits, Run
from tinyflash.bench.accuracy.methods import Method
from tinyflash.bench.accuracy.schemes import Memory
from tinyflash.files import append_bytes, cache_dir
from tinyflash.zoo.task import Task

# The code that computes, in addition to the compiled library: files and folders of the package.
_CODE = (
    "bench/accuracy/operators.py",
    "bench/accuracy/twin.py",
    "bench/accuracy/learners.py",
    "bench/accuracy/schemes.py",
    "bench/accuracy/methods.py",
    "bench/accuracy/cell.py",
    "compiler",
    "layers.py",
    "operators.py",
    "runtime/host",
    "scheme",
    "training/loop.py",
)


def key(task: Task, method: Method, effort: Effort) -> str:
    """Returns a key that differs whenever the result could."""
    digest = hashlib.sha256(repr((task.graph, task.classes, task.scheme, task.epochs)).encode())
    for tensor in task.graph.constants():
        assert tensor.data is not None
        digest.update(tensor.data.tobytes())
    digest.update(repr((method.name, method.arithmetic, effort)).encode())
    for seed in effort.seeds:
        for split in task.splits(seed):
            for samples in (split.train, split.validation, split.test):
                digest.update(samples.x.tobytes() + samples.y.tobytes())
    return hashlib.sha256(digest.digest() + _code()).hexdigest()


def _code() -> bytes:
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in _CODE:
        place = package / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix in (".py", ".so", ".pyd"):
                digest.update(file.read_bytes())
    return digest.digest()


class Store:
    """The cells of earlier runs by key. fresh: ignores them."""

    def __init__(self, path: Path | None = None, fresh: bool = False) -> None:
        self.path = path or cache_dir() / "bench" / "accuracy.jsonl"
        self.cells: dict[str, Cell] = {}
        if self.path.is_file() and not fresh:
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            self.cells[entry["key"]] = cell(entry["cell"])
        except (ValueError, KeyError, TypeError):  # a line cut short, or of another version
            return

    def keep(self, of: str, done: Cell) -> Cell:
        """Keeps the cell in memory and on disk, and returns it."""
        if of in self.cells:
            return done
        self.cells[of] = done
        append_bytes(self.path, (json.dumps({"key": of, "cell": asdict(done)}) + "\n").encode())
        return done


def cell(fields: Mapping[str, Any]) -> Cell:
    """Returns a cell from the result of `asdict`."""
    memory = fields["memory"]
    return Cell(
        **{
            **fields,
            "limits": Limits(**fields["limits"]),
            "runs": tuple(Run(**run) for run in fields["runs"]),
            "accuracies": tuple(fields["accuracies"]),
            "correct": tuple(fields["correct"]),
            "memory": None if memory is None else Memory(**memory),
        }
    )
