"""TensorFlow Lite's windows and fused activations: explicit padding, explicit bounds."""

from __future__ import annotations

from collections.abc import Mapping

from tinyflash.graph import Clip, Pair, Quant, Window
from tinyflash.quantize.fixedpoint import float32, round_half_away

SAME, VALID = 0, 1
EXPLICIT = -1  # no scheme of the format: the padding is told
# Real bounds by the file's number: none, relu, relu_n1_to_1, relu6.
ACTIVATIONS: Mapping[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Returns the padding before and after for ceil(size / stride) outputs; an odd element goes
    after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def output_size(sliding: Window, size: Pair) -> Pair:
    """Returns (height, width) of the output for a map of `size`."""
    top, left, bottom, right = sliding.padding
    padded = size[0] + top + bottom, size[1] + left + right
    reach = [(k - 1) * d + 1 for k, d in zip(sliding.kernel, sliding.dilation, strict=True)]
    height, width = (
        (p - r) // s + 1 for p, r, s in zip(padded, reach, sliding.stride, strict=True)
    )
    return height, width


def bounds(activation: int, quant: Quant) -> Clip:
    """Returns the bounds of the stored output for one of ACTIVATIONS."""
    return clip_between(*ACTIVATIONS[activation], quant)


def clip_between(low: float | None, high: float | None, quant: Quant) -> Clip:
    """Returns the bounds of the stored output for real bounds; None: no bound."""

    def stored(real: float) -> int:
        steps = float32(real / quant.scale[0])
        if abs(steps) >= 2**31:
            raise ValueError("fused activation beyond the range of its scale")
        return round_half_away(steps) + quant.zero

    lowest = -128 if low is None else max(-128, stored(low))
    highest = 127 if high is None else min(127, stored(high))
    if lowest > highest:
        raise ValueError("fused activation leaves no output")
    return Clip(lowest, highest)
