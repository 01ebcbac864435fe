"""What windows and fused activations of the file mean: explicit padding, explicit bounds."""

from __future__ import annotations

from tinyflash.graph import Clip, Pair, Window
from tinyflash.read.fixedpoint import float32, round_half_away
from tinyflash.read.importing import Layer

_SAME, _VALID = 0, 1
_BOUNDS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}


def window(layer: Layer, kernel: Pair, size: Pair) -> Window:
    """The window over a map of `size`, with the padding that SAME or VALID comes to."""
    stride = int(layer.option("StrideH")), int(layer.option("StrideW"))
    dilation = int(layer.option("DilationHFactor", 1)), int(layer.option("DilationWFactor", 1))
    layer.require(
        all(0 < side < 256 for side in (*kernel, *stride, *dilation)),
        f"kernel {kernel}, stride {stride}, dilation {dilation}: each must be 1 to 255",
    )
    padding = layer.option("Padding")
    layer.require(padding in (_SAME, _VALID), f"padding scheme {padding} is not known")
    if padding == _VALID:
        return Window(kernel, stride, dilation)
    top, bottom = _same(size[0], kernel[0], stride[0], dilation[0])
    left, right = _same(size[1], kernel[1], stride[1], dilation[1])
    layer.require(max(top, left) < 256, "more than 255 rows or columns of padding")
    return Window(kernel, stride, dilation, (top, left, bottom, right))


def _same(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Padding before and after; an odd one goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def output_size(sliding: Window, size: Pair) -> Pair:
    """(height, width) of the output for a map of `size`."""
    top, left, bottom, right = sliding.padding
    padded = size[0] + top + bottom, size[1] + left + right
    reach = [(k - 1) * d + 1 for k, d in zip(sliding.kernel, sliding.dilation, strict=True)]
    height, width = (
        (p - r) // s + 1 for p, r, s in zip(padded, reach, sliding.stride, strict=True)
    )
    return height, width


def fused_clip(layer: Layer) -> Clip:
    """Bounds of the stored output by the fused activation."""
    activation = int(layer.option("FusedActivationFunction", 0))
    if activation not in _BOUNDS:
        layer.fail(f"fused activation number {activation} is not supported")
    quant = layer.quant(layer.flat_output)

    def stored(real: float) -> int:
        steps = float32(real / quant.scale[0])
        layer.require(abs(steps) < 2**31, "fused activation beyond the range of its scale")
        return round_half_away(steps) + quant.zero

    low, high = _BOUNDS[activation]
    lowest = -128 if low is None else max(-128, stored(low))
    highest = 127 if high is None else min(127, stored(high))
    layer.require(lowest <= highest, "fused activation leaves no output")
    return Clip(lowest, highest)
