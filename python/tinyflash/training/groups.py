"""Completes the last group of samples that share an update of the weights (SPEC 6.8)."""

from __future__ import annotations

from tinyflash.runtime.session import Session
from tinyflash.training.samples import Samples


def complete_group(session: Session, samples: Samples, accumulate: int) -> int:
    """Applies what the last samples of a run have accumulated, if they are fewer than `accumulate`.
    Returns the number of training steps this took.

    A step at rate 0 adds nothing to the sum, and the last step of a group moves the weights by the
    sum. So a part of a group moves them as far as its samples say: the rate is per sample. The
    next run begins a new group. Both hold on any session, and for any of the samples.
    """
    missing = -session.counters().step % accumulate if accumulate > 1 else 0
    x, y = samples.x[0], samples.y[0]
    for _ in range(missing):
        if samples.y.ndim == 1:
            session.train_step(x, int(y), 0.0)
        else:
            session.train_on_target(x, y, 0.0)
    return missing
