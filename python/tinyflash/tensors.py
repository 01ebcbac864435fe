"""Tensors: what a graph's nodes read and make, and how their numbers are coded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Kind = Literal["activation", "constant", "trainable", "gradient", "mask"]


@dataclass(frozen=True)
class Quant:
    """Affine quantization: real = scale * (stored - zero). One scale, or one per channel.

    Scales are float32 values held exactly; with several, `zero` is 0 and `axis` names the
    dimension they belong to.
    """

    scale: tuple[float, ...]
    zero: int = 0
    axis: int = 0


@dataclass(frozen=True)
class Taken:
    """Which output channels (`rows`) and input channels (`columns`) of a source tensor are left, in
    which order; empty: all, as they were. `largest`: the largest scale there (SPEC 4.1, 6.6)."""

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    largest: float = 0.0


@dataclass(frozen=True)
class Tensor:
    """One tensor. `data`: constants and the initial value of trainables, in stored integers."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["int8", "uint8", "int16", "uint16", "int32"]
    kind: Kind
    quant: Quant | None = None
    data: Array | None = field(default=None, compare=False, repr=False)
    source_id: int = -1  # index of the tensor in the source model; keys the random bits (SPEC 6.3)
    taken: Taken | None = None  # None: the whole source tensor

    @cached_property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @cached_property
    def nbytes(self) -> int:
        return self.size * int(np.dtype(self.dtype).itemsize)


ALIGNMENT = 4  # of tensors in any memory


def aligned(nbytes: int) -> int:
    """Bytes that a tensor takes, with those that align what follows."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
