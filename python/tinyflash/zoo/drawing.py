"""Draws disjoint samples of every label, by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyflash.zoo.sources.pictures import Labels


def draw(labels: Labels, counts: Sequence[int], seed: int) -> list[Labels]:
    """Disjoint sets of indices, ascending; set i has about counts[i] / classes of every label.

    If the classes do not divide a count, the first labels get one sample more.
    """
    random = np.random.default_rng(seed)
    names = np.unique(labels)
    chosen: list[list[Labels]] = [[] for _ in counts]
    for place, label in enumerate(names):
        order = random.permutation(np.flatnonzero(labels == label))
        first = 0
        for i, count in enumerate(counts):
            wanted = count // len(names) + (place < count % len(names))
            chosen[i].append(order[first : first + wanted])
            first += wanted
    return [np.sort(np.concatenate(parts)) for parts in chosen]
