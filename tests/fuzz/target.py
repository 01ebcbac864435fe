"""What all fuzz targets share.

Only a TinyflashError may come out of a file, in one line, and no InternalError: that is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from tinyflash.compiler import Compiled
from tinyflash.compiler.costs import layer_costs, totals
from tinyflash.errors import InternalError, TinyflashError
from tinyflash.runtime.host import HostSession
from tinyflash.write import c

MOST_MACS = 1_000_000  # that are run
LONGEST = 2000  # characters of an error line


class FindingError(Exception):
    """Something that came out and should not have."""


@dataclass(frozen=True)
class Target:
    """`seeds`: contents to start from, given a folder to work in. `run` takes a file all the way
    that a user's goes. `mutate` makes another content, given a path to work at. `suffix`: of the
    file's name."""

    seeds: Callable[[Path], list[bytes]]
    run: Callable[[Path], None]
    mutate: Callable[[bytes, Random, Path], bytes]
    suffix: str


def attempt(target: Target, content: bytes, path: Path) -> bool:
    """Whether the file is taken; raises what is a finding."""
    path = path.with_suffix(target.suffix)
    path.write_bytes(content)
    try:
        target.run(path)
    except InternalError:
        raise
    except TinyflashError as error:
        text = str(error)
        if "\n" in text or not 0 < len(text) <= LONGEST:
            raise FindingError(f"not one line for a person: {text!r}") from error
        return False
    return True


@contextmanager
def refusals_allowed() -> Iterator[None]:
    """For what follows a file that is taken: it may be refused without refusing the file."""
    try:
        yield
    except InternalError:
        raise
    except TinyflashError:
        pass


def run_compiled(compiled: Compiled, seed: int) -> None:
    """A program as C; and inferred and trained for a step on this computer, if that is quick."""
    program = compiled.program
    c.source(program)
    if totals(layer_costs(compiled.graph))["macs"] > MOST_MACS:
        return
    session, random = HostSession(program), np.random.default_rng(seed)
    x = random.integers(-128, 128, program.input_bytes, dtype=np.int8)
    session.infer(x)
    if program.target_bytes:
        target = random.integers(-128, 128, program.target_bytes, dtype=np.int8)
        session.train_on_target(x, target, 0.1)
    elif program.train:
        session.train_step(x, 0, 0.1)
