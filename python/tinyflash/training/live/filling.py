"""Fills a replay buffer with what was learned before, and holds samples out for a guard."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.compiler import Compiled
from tinyflash.errors import DataError
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.replay import packed
from tinyflash.training.loop import infer_all
from tinyflash.training.questions import probabilities
from tinyflash.training.samples import Samples, hold_out
from tinyflash.training.scores import Reals

Places = npt.NDArray[np.int64]


def filled(
    compiled: Compiled, slots: int, seed: int, earlier: Samples | None, start: Learned | None = None
) -> bytes:
    """Returns the memory of a buffer that has seen all `earlier` samples, and keeps those of each
    class that `spread_out` chooses; without any, an empty one. start: the network that judges them;
    None: the compiled one."""
    program = compiled.program
    if earlier is None or not len(earlier):
        return packed(program, slots, seed, {})
    session = HostSession(program)
    (start or Learned.compiled(program)).restore(session)
    p = probabilities(compiled.graph, infer_all(session, earlier.x))
    chosen = {}
    for label in np.unique(earlier.labels).tolist():
        mine = np.flatnonzero(earlier.labels == label)
        kept = mine[spread_out(p[mine, label], slots)]
        chosen[label] = (len(mine), [x.tobytes() for x in earlier.x[kept]])
    return packed(program, slots, seed, chosen)


def spread_out(confidence: Reals, count: int) -> Places:
    """Returns the places of `count` samples, at even steps from the least to the most confident one
    in the order of confidence; of all, if there are no more.

    Few samples drawn at random are often all easy ones, or one of them has a wrong label. "Rainbow
    memory", Bang et al., CVPR 2021, keeps samples at even steps of uncertainty for this reason. The
    ends of the order are not among them: wrong labels are at the lower one.
    """
    order = np.argsort(confidence, kind="stable")
    found = len(order)
    if found <= count:
        return order
    return order[(np.arange(1, count + 1) * (found + 1)) // (count + 1) - 1]


def divided(
    earlier: Samples | None, guard: int, seed: int
) -> tuple[Samples | None, Samples | None]:
    """Returns the earlier samples that a buffer may keep, and `guard` others for a guard. Raises
    DataError if there is nothing to hold out from."""
    if not guard:
        return earlier, None
    if earlier is None:
        raise DataError(
            "a guard of live learning holds out earlier samples, which the stream does not have; "
            "name them with --earlier"
        )
    return hold_out(earlier, guard, seed)
