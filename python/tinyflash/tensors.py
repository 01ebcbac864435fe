"""Tensors: the data that a graph's nodes read and make, and its quantization."""

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

    Scales are exact float32 values. With several scales, `zero` is 0 and `axis` is their dimension.
    """

    scale: tuple[float, ...]
    zero: int = 0
    axis: int = 0


@dataclass(frozen=True)
class Taken:
    """The remaining output channels (`rows`) and input channels (`columns`) of a source tensor, in
    order; empty: all, in the source's order. `largest`: the largest scale of the source (SPEC 4.1,
    6.6)."""

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    largest: float = 0.0


@dataclass(frozen=True)
class Tensor:
    """One tensor. `data`: the stored integers of constants, and initial ones of trainables."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["int8", "uint8", "int16", "uint16", "int32"]
    kind: Kind
    quant: Quant | None = None
    data: Array | None = field(default=None, compare=False, repr=False)
    source_id: int = -1  # index in the source model; selects the random bits (SPEC 6.3)
    taken: Taken | None = None  # None: the whole source tensor

    @cached_property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @cached_property
    def nbytes(self) -> int:
        return self.size * int(np.dtype(self.dtype).itemsize)


ALIGNMENT = 4  # alignment of tensors in any memory


def aligned(nbytes: int) -> int:
    """Returns the bytes that a tensor takes, including padding that aligns the next tensor."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
