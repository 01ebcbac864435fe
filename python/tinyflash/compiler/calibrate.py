"""Finds starting gains for the gradients by training a throw-away copy on the host (SPEC 5).

Gains settle by themselves within a few steps. With a good start, the first steps already train.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import Scale, pack, unpack

STEPS = 32
RATE = 0.01

Samples = tuple[npt.NDArray[np.int8], npt.NDArray[np.int8 | np.int64]]


def check_samples(samples: Samples, targets: bool) -> None:
    """Raises DataError if `samples` are not as `calibrate` reads them. targets: whether y must be
    targets."""
    if not isinstance(samples, tuple) or len(samples) != 2:
        raise DataError("calibration is not a pair (x, y) of samples and labels or targets")
    x, y = (np.asarray(part) for part in samples)
    if x.ndim == 0 or y.ndim == 0 or len(x) == 0 or len(x) != len(y):
        raise DataError(
            f"calibration: x has shape {x.shape} and y {y.shape}; it needs one of y per sample, "
            "and at least one sample"
        )
    if y.dtype.kind not in "biu" or (y.ndim == 1) == targets:
        wanted = "stored targets, int8 [n][outputs]" if targets else "labels, whole numbers [n]"
        raise DataError(f"calibration: y is {y.dtype} of shape {y.shape}; expected {wanted}")


def calibrate(program: Program, samples: Samples | None, seed: int) -> Program:
    """Returns the program with its initial gains set to those that STEPS steps of training reach.

    samples: x in stored integers, [n][...], and labels [n] or stored targets [n][...]. None: noise
    as x, and each label in turn.
    """
    if not program.train:
        return program
    x, y = samples if samples is not None else _noise(program, seed)
    session = HostSession(program)
    order = np.random.default_rng(seed).permutation(len(x))
    for step in range(STEPS):
        index = order[step % len(order)]
        if program.target_bytes:
            session.train_on_target(x[index], y[index].astype(np.int8), RATE)
        else:
            session.train_step(x[index], int(y[index]), RATE)
    return replace(program, state=_fresh(session.state, program.state))


def _noise(program: Program, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    x = random.integers(-128, 128, (STEPS, program.input_bytes)).astype(np.int8)
    if program.target_bytes:
        return x, random.integers(-128, 128, (STEPS, program.target_bytes)).astype(np.int8)
    return x, np.arange(STEPS, dtype=np.int64) % program.classes


def _fresh(reached: bytes, start: bytes) -> bytes:
    """Returns the state of a fresh program with the exponents and gains of a trained one."""
    (header, _), (_, scales) = unpack(start), unpack(reached)
    return pack(header, [Scale(exponent=s.exponent, gain=s.gain) for s in scales])
