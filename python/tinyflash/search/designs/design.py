"""A network as a short description, and the two families that descriptions are drawn from.

There are four kinds of blocks: separable (a depthwise layer and a pointwise one; Howard et al.
2017), bottleneck (a pointwise layer that expands, a depthwise one, a linear pointwise one that
reduces; Sandler et al. 2018), fused (a full convolution that expands in place of the first two; Tan
and Le 2021), and plain (one full convolution). All except plain ones end in a residual sum where
the shape allows it. A picture or a spectrogram is a map; a signal over time is a map of height 1,
whose kernels and strides go along time only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tinyflash.search.designs.layers import Activation, Family, Layer, Map, multiply_adds

FAMILIES: tuple[Family, ...] = ("picture", "signal")
Kind = Literal["separable", "bottleneck", "fused", "plain"]

KINDS: tuple[Kind, ...] = ("separable", "bottleneck", "fused", "plain")
KERNELS: Mapping[Kind, tuple[int, ...]] = {
    "separable": (3, 5, 7),
    "bottleneck": (3, 5, 7),
    "fused": (3, 5),
    "plain": (3, 5),
}
EXPANSIONS: Mapping[Kind, tuple[int, ...]] = {
    "separable": (1,),
    "bottleneck": (3, 4, 6),
    "fused": (1, 2, 3),
    "plain": (1,),
}
STEMS = (3, 5, 7)  # sides of the first kernel
DEPTHS = (1, 2, 3)
WIDTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
POOLS = (1, 2, 3, 4)

_STEM = 24  # channels at a width of 1
_NARROW, _WIDE = (16, 32, 48, 80, 128), (32, 64, 96, 128, 192)  # of blocks that expand, or do not
_STAGES: Mapping[Kind, tuple[int, ...]] = {
    "separable": _WIDE,
    "bottleneck": _NARROW,
    "fused": _NARROW,
    "plain": _WIDE,
}
_MULTIPLE = 4  # of channels: what faster kernels compute together
_HALVED = 24  # the side from which on the stem already halves
_LEAST = 4  # the side that a stage still halves
_FEWER = 3  # numbers of stages: all that a map can be halved in, one less, two less
_SMALLEST = 6  # the side that an input may be averaged to


@dataclass(frozen=True)
class Block:
    """expansion: of its channels; 1 where a kind has none."""

    kernel: int
    expansion: int


@dataclass(frozen=True)
class Space:
    """Networks of one width, one resolution and one kind of blocks. pool: the side of the squares
    (of a signal: the moments) whose mean the network reads as one; it is the network's first layer,
    so samples stay as they are."""

    width: float
    pool: int
    kind: Kind = "bottleneck"

    def __str__(self) -> str:
        return f"{self.kind}, width {self.width:g}, 1/{self.pool} resolution"


@dataclass(frozen=True)
class Design:
    """One network. shape: of its input, (height, width, channels). stages: blocks of one map
    size; the last ones may be left out, so that the mean is that of a larger map."""

    family: Family
    shape: Map
    classes: int
    space: Space
    stem: int  # side of its kernel
    stages: tuple[tuple[Block, ...], ...]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return _Builder(self).layers()

    @cached_property
    def macs(self) -> int:
        """The multiply-adds of one inference."""
        return multiply_adds(self.shape, self.layers)

    @cached_property
    def key(self) -> str:
        """A short name that tells it from every other network."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Design:
        stages = tuple(tuple(Block(**block) for block in stage) for stage in fields["stages"])
        space = Space(**fields["space"])
        return Design(
            **{**fields, "shape": tuple(fields["shape"]), "space": space, "stages": stages}
        )


def channels_of(base: int, width: float) -> int:
    """Returns channels at a width, in whole groups of lanes."""
    return max(_MULTIPLE, round(base * width / _MULTIPLE) * _MULTIPLE)


class _Builder:
    """Builds the layers of a design from its first to its last."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._flat = design.family == "signal"
        self._layers: list[Layer] = []
        self._last = "input"

    def layers(self) -> tuple[Layer, ...]:
        design = self._design
        pool = design.space.pool
        if pool > 1:
            side = self._pair(pool)
            self._add(Layer("average_pool", "pooled", (self._last,), 0, side, side))
        plan = strides(design.family, design.shape, pool)
        stem = channels_of(_STEM, design.space.width)
        kernel = self._pair(design.stem)
        self._add(Layer("conv2d", "stem", (self._last,), stem, kernel, plan[0], "relu6"))
        channels = stem
        for number, (stage, stride) in enumerate(zip(design.stages, plan[1:], strict=False)):
            out = channels_of(_STAGES[design.space.kind][number], design.space.width)
            for place, block in enumerate(stage):
                name = f"stage{number + 1}_{place + 1}"
                self._block(name, block, channels, out, (1, 1) if place else stride)
                channels = out
        self._add(Layer("mean", "mean", (self._last,)))
        self._add(Layer("fully_connected", "classifier", (self._last,), design.classes))
        return tuple(self._layers)

    def _block(
        self, name: str, block: Block, channels: int, out: int, stride: tuple[int, int]
    ) -> None:
        kind, x, wide = self._design.space.kind, self._last, channels * block.expansion
        kernel = self._pair(block.kernel)
        if kind == "bottleneck":
            self._add(Layer("conv2d", f"{name}_expand", (x,), wide, activation="relu6"))
        if kind in ("bottleneck", "separable"):
            wider = (self._last,)
            self._add(Layer("depthwise", f"{name}_dw", wider, wide, kernel, stride, "relu6"))
        elif kind == "fused":
            self._add(Layer("conv2d", f"{name}_expand", (x,), wide, kernel, stride, "relu6"))
        if kind == "plain":
            self._add(Layer("conv2d", name, (x,), out, kernel, stride, "relu6"))
            return
        activation: Activation = "relu6" if kind == "separable" else ""
        self._add(Layer("conv2d", f"{name}_reduce", (self._last,), out, activation=activation))
        if stride == (1, 1) and channels == out:
            self._add(Layer("add", f"{name}_sum", (x, self._last)))

    def _pair(self, side: int) -> tuple[int, int]:
        return (1, side) if self._flat else (side, side)

    def _add(self, layer: Layer) -> None:
        self._layers.append(layer)
        self._last = layer.name


def strides(family: Family, shape: Map, pool: int) -> tuple[tuple[int, int], ...]:
    """Returns the strides of the stem and of each stage: halving goes on while a side is long."""
    height = 1 if family == "signal" else shape[0] // pool
    width = shape[1] // pool
    found: list[tuple[int, int]] = []
    for number in range(1 + len(_NARROW)):
        least = (_HALVED, _LEAST + 1, _LEAST)[min(number, 2)]
        if number == 1 and least <= max(height, width) < _HALVED:
            least = _HALVED  # after a stem that kept the size, one stage at full resolution
        stride = tuple(2 if side >= least else 1 for side in (height, width))
        if number > 2 and stride == (1, 1):
            break
        found.append((stride[0], stride[1]))
        height, width = (-(-side // s) for side, s in zip((height, width), stride, strict=True))
    return tuple(found)


def spaces(family: Family, shape: Map) -> tuple[Space, ...]:
    """Returns every kind of blocks, width and resolution for an input."""
    sides = shape[1:2] if family == "signal" else shape[:2]
    pools = [pool for pool in POOLS if pool == 1 or min(sides) // pool >= _SMALLEST]
    return tuple(Space(width, pool, kind) for kind in KINDS for pool in pools for width in WIDTHS)


def draw(
    family: Family, shape: Map, classes: int, space: Space, random: np.random.Generator
) -> Design:
    """Draws a network of a space."""
    count = len(strides(family, shape, space.pool)) - 1
    count -= int(random.integers(min(_FEWER, count)))
    stages = tuple(
        tuple(_block(space.kind, random) for _ in range(int(random.choice(DEPTHS))))
        for _ in range(count)
    )
    return Design(family, shape, classes, space, int(random.choice(STEMS)), stages)


def _block(kind: Kind, random: np.random.Generator) -> Block:
    return Block(int(random.choice(KERNELS[kind])), int(random.choice(EXPANSIONS[kind])))


def mutated(design: Design, random: np.random.Generator) -> Design:
    """Returns a neighbour in the same space: each block is drawn anew, and each depth changed, with
    a small probability; at least one of them is."""
    while True:
        stages = tuple(_mutated(stage, design.space.kind, random) for stage in design.stages)
        stem = int(random.choice(STEMS)) if random.random() < _CHANGED else design.stem
        found = Design(design.family, design.shape, design.classes, design.space, stem, stages)
        if found != design:
            return found


_CHANGED = 0.15


def _mutated(
    stage: tuple[Block, ...], kind: Kind, random: np.random.Generator
) -> tuple[Block, ...]:
    blocks = [_block(kind, random) if random.random() < _CHANGED else block for block in stage]
    if random.random() < _CHANGED:
        depth = int(random.choice(DEPTHS))
        blocks = (blocks + [_block(kind, random) for _ in range(depth)])[:depth]
    return tuple(blocks)
