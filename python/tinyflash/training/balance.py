"""Looks for labels that a network cannot learn well from: missing, alone, or rare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyflash.errors import listed
from tinyflash.runtime.session import Labels

RARE = 10  # warn if a class has this many times fewer samples than another


def label_complaints(labels: Labels, classes: int) -> Iterator[str]:
    """Yields one line for each problem of training labels [n], n > 0, all below `classes`."""
    counts = np.bincount(labels, minlength=classes)
    found = np.flatnonzero(counts)
    if len(found) == 1:
        yield (
            f"all {len(labels)} training samples have label {found[0]}, so the network will always "
            "answer that; add samples of other classes"
        )
        return
    missing = [str(label) for label in np.flatnonzero(counts == 0)]
    if missing:
        names = f"class {missing[0]}" if len(missing) == 1 else f"classes {listed(missing)}"
        yield (
            f"no training samples of {names}, of classes 0..{classes - 1}: the network forgets "
            "what it knew of them; add samples, or set head in the scheme"
        )
    most, fewest = int(found[counts[found].argmax()]), int(found[counts[found].argmin()])
    if counts[most] >= RARE * counts[fewest]:
        yield (
            f"{counts[most]} training samples have label {most}, only {counts[fewest]} have label "
            f"{fewest}: rare classes may be ignored; tinyflash evaluate shows each class"
        )
