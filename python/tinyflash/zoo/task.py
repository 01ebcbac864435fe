"""A task: an int8 network, and labelled samples of something new to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflash.graph import Graph
from tinyflash.scheme import Scheme
from tinyflash.training.samples import Samples


@dataclass(frozen=True)
class Split:
    """Disjoint samples of one subject or one draw. Rates are chosen only on `validation`."""

    train: Samples
    validation: Samples
    test: Samples


@dataclass(frozen=True)
class Task:
    """`graph`: as read, with its old classifier. `classes`: of the new classifier.

    `splits(seed)` returns one split, or several that are learned separately from the same network
    (such as one per wearer), with pooled tests. `scheme`: a suitable sparse update.
    """

    name: str  # "faces", of the data
    network: str  # "person detector"
    graph: Graph
    classes: int
    scheme: Scheme
    epochs: int
    splits: Callable[[int], tuple[Split, ...]]
