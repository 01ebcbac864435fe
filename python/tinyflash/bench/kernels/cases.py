"""The layers whose kernels are counted: those that other libraries were measured with."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.graph import Pair, Window

POINT = Window((1, 1))


@dataclass(frozen=True)
class Case:
    """A kernel with the layer that it computes, differentiates or updates.

    op: of the layer. x: shape of its input. out: channels of its output. work: multiply-adds, or
    elements of layers without weights.
    """

    kernel: str
    shape: str
    op: str
    x: tuple[int, int, int]
    out: int
    window: Window
    work: int

    @property
    def forward(self) -> bool:
        """Whether the kernel belongs to inference."""
        return self.kernel.endswith("_forward")


def _centred(side: int) -> Window:
    return Window((side, side), (1, 1), (1, 1), (side // 2,) * 4)


def _halving(side: int, size: int) -> Window:
    """TensorFlow's SAME padding at stride 2: the larger half at the bottom and right."""
    total = max((-(-size // 2) - 1) * 2 + side - size, 0)
    low, high = total // 2, total - total // 2
    return Window((side, side), (2, 2), (1, 1), (low, low, high, high))


def _conv2d(shape: str, x: tuple[int, int, int], out: int, window: Window, work: int) -> Case:
    return Case("conv2d_forward", shape, "conv2d", x, out, window, work)


def _pointwise(side: int, channels: Pair, kernel: str = "forward") -> Case:
    """A convolution of 1x1, which is lowered to fully_connected. The shape of an input gradient is
    named in its direction: from the channels of y to those of x."""
    inside, out = channels
    named = (out, inside) if kernel == "backward_input" else channels
    joint = "x" if kernel == "forward" else " "
    shape = f"1x1 {side}x{side}{joint}{named[0]}->{named[1]}"
    work = side * side * inside * out
    name = f"fully_connected_{kernel}"
    return Case(name, shape, "conv2d", (side, side, inside), out, POINT, work)


def _depthwise(taps: int, side: int, channels: int, kernel: str = "forward") -> Case:
    shape, work = f"{taps}x{taps} {side}x{side}x{channels}", taps * taps * side * side * channels
    x = (side, side, channels)
    return Case(f"depthwise_{kernel}", shape, "depthwise", x, channels, _centred(taps), work)


CASES = (
    _conv2d("3x3 s2 80x80x3->16", (80, 80, 3), 16, _halving(3, 80), 691_200),
    _conv2d("3x3 10x10x32->32", (10, 10, 32), 32, _centred(3), 921_600),
    _pointwise(20, (16, 96)),
    _pointwise(10, (96, 24)),
    _pointwise(5, (192, 48)),
    _depthwise(3, 20, 48),
    _depthwise(3, 10, 96),
    _depthwise(5, 10, 96),
    _depthwise(7, 10, 96),
    Case("fully_connected_forward", "256->10", "conv2d", (1, 1, 256), 10, POINT, 2_560),
    Case(
        "average_pool_forward", "5x5x160", "average_pool", (5, 5, 160), 160, Window((5, 5)), 4_000,
    ),
    Case("add_forward", "10x10x96", "add", (10, 10, 96), 96, POINT, 9_600),
    _pointwise(4, (576, 160), "backward_input"),
    _pointwise(8, (192, 48), "backward_input"),
    _depthwise(3, 8, 192, "backward_input"),
    _depthwise(5, 4, 384, "backward_input"),
    Case(
        "depthwise_backward_input", "7x7 s2 4x4->8x8x240", "depthwise", (8, 8, 240), 240,
        _halving(7, 8), 188_160,
    ),
    _pointwise(8, (24, 240), "update"),
)  # fmt: skip
