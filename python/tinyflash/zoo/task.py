"""A task: an int8 network, and labelled samples of something it does not know yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflash.graph import Graph
from tinyflash.scheme import Scheme
from tinyflash.training.samples import Samples


@dataclass(frozen=True)
class Split:
    """Disjoint samples of one subject or one draw; rates are chosen on `validation` alone."""

    train: Samples
    validation: Samples
    test: Samples


@dataclass(frozen=True)
class Task:
    """`graph` as it was read, with its old classifier; `classes` of the new one.

    `splits(seed)` gives one split, or several where each is learned by itself from the same network
    (one per wearer, say) and their tests are pooled. `scheme`: the sparse update that suits it.
    """

    name: str  # "faces", of the data
    network: str  # "person detector"
    graph: Graph
    classes: int
    scheme: Scheme
    epochs: int
    splits: Callable[[int], tuple[Split, ...]]
