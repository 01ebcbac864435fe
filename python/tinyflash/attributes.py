"""Attributes of operators: one class for each kind, all frozen."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.tensors import Quant

Pair = tuple[int, int]


@dataclass(frozen=True)
class Clip:
    """Bounds of the stored output (a fused activation, or the int8 range)."""

    low: int = -128
    high: int = 127


@dataclass(frozen=True)
class Window:
    """How a kernel slides over a map; padding is (top, left, bottom, right)."""

    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class WindowAttrs:
    """conv2d, depthwise, average_pool, max_pool and the nodes derived from them.

    `kept`: number of trained input channels (depthwise: channels of y); they come first. `groups`
    of a conv2d: x and y are split into as many parts; each part of y depends on one part of x.
    """

    window: Window
    clip: Clip = Clip()
    kept: int = 0
    groups: int = 1


@dataclass(frozen=True)
class DenseAttrs:
    """fully_connected: x is read as [rows][in], in = the last dimension of the weights."""

    clip: Clip = Clip()
    kept: int = 0


@dataclass(frozen=True)
class ClipAttrs:
    """add, sub, mul, and mask (the bounds between which a gradient passes)."""

    clip: Clip = Clip()


@dataclass(frozen=True)
class PadAttrs:
    """pad: amounts before and after (height, width, channels), filled with the stored `value`."""

    before: tuple[int, int, int]
    after: tuple[int, int, int]
    value: int


@dataclass(frozen=True)
class Steps:
    """Which place of x, along one axis, place i of y is: floor((first + i * step) / unit).

    A slice has unit 1. An enlarged map has step < unit, so several places of y are one of x.
    """

    first: int = 0
    step: int = 1
    unit: int = 1


@dataclass(frozen=True)
class TakeAttrs:
    """take: the places of x that y is made of, along each axis of the map."""

    rows: Steps = Steps()
    columns: Steps = Steps()
    channels: Steps = Steps()


@dataclass(frozen=True)
class AxisAttrs:
    """concatenate: one axis, counted from 0. keep: the last axis, and how many channels of it."""

    axis: int = 0
    kept: int = 0


@dataclass(frozen=True)
class SoftmaxAttrs:
    """softmax of beta * x, over the last axis."""

    beta: float = 1.0


@dataclass(frozen=True)
class MeanAttrs:
    """mean over adjacent axes, counted from 0."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class TransposeAttrs:
    """y's dimension i is x's dimension order[i]."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class Number:
    """A constant of one element as the `first` or the second operand."""

    stored: int
    quant: Quant
    first: bool = False


@dataclass(frozen=True)
class LookupAttrs:
    """A function of one element, by its name in the source model, and its fused clip.

    alpha: of leaky_relu, elu; for add, sub, mul and prelu with a `number`, the slope.
    """

    function: str
    alpha: float = 0.0
    clip: Clip = Clip()
    number: Number | None = None


@dataclass(frozen=True)
class PartAttrs:
    """The input that the gradient belongs to: x0, x1, ... of concatenate; a, b of others."""

    index: int


@dataclass(frozen=True)
class LossAttrs:
    """softmax_loss: the share of the label that is spread equally over all classes (SPEC 4.7)."""

    smoothing: float = 0.0


@dataclass(frozen=True)
class AdvanceAttrs:
    """End of a training step: bits of headroom above the largest gradient (SPEC 5.3)."""

    headroom: int = 1


@dataclass(frozen=True)
class NoAttrs:
    """Operators without attributes."""


NO_ATTRS = NoAttrs()


Attrs = (
    WindowAttrs
    | DenseAttrs
    | ClipAttrs
    | PadAttrs
    | TakeAttrs
    | AxisAttrs
    | SoftmaxAttrs
    | MeanAttrs
    | TransposeAttrs
    | LookupAttrs
    | PartAttrs
    | LossAttrs
    | AdvanceAttrs
    | NoAttrs
)


@dataclass(frozen=True)
class Descent:
    """How an update changes its weights or biases (SPEC 6). Default: plain gradient descent."""

    rate: float = 1.0  # multiplies the learning rate
    decay: float = 0.0  # weight decay per unit of learning rate, `rate` included
    momentum: float = 0.0
    every: int = 1  # training steps per update of the weights
    clipped_limit: int = 65535  # skip the step if more elements of dy are clipped
    nearest: bool = False


PLAIN = Descent()
