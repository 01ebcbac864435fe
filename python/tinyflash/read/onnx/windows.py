"""Reads the attributes of windows: kernels, strides, dilations, padding, for two dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyflash.graph import Pair, Window
from tinyflash.quantize.windows import output_size, same_padding
from tinyflash.read.onnx.importing import Layer

Pads = tuple[int, int, int, int]  # top, left, bottom, right


def attribute_window(
    layer: Layer, kernel: Sequence[int], size: Sequence[int], sides: int
) -> Window:
    """Returns the window over a map of `size`. With one side, the height of map and kernel is 1."""
    stride = _pair(layer, "strides", sides)
    dilation = _pair(layer, "dilations", sides)
    (k0, k1), (s0, s1) = kernel, size
    layer.require(
        all(0 < n < 256 for n in (k0, k1, *stride, *dilation)),
        f"kernel {(k0, k1)}, stride {stride}, dilation {dilation}: each must be 1 to 255",
    )
    padding = _padding(layer, (k0, k1), (s0, s1), stride, dilation, sides)
    layer.require(all(0 <= p < 256 for p in padding), f"padding {padding}: each must be 0 to 255")
    window = Window((k0, k1), stride, dilation, padding)
    layer.require(min(output_size(window, (s0, s1))) > 0, "has a kernel larger than its map")
    return window


def kernel_of(layer: Layer, sides: int) -> Pair:
    return _pair(layer, "kernel_shape", sides)


def _pair(layer: Layer, name: str, sides: int) -> Pair:
    found = layer.whole(name, (1,) * sides)
    layer.require(len(found) == sides, f"{name} {list(found)} for {sides} dimensions")
    return (1, *found) if sides == 1 else found  # type: ignore[return-value]


def _padding(
    layer: Layer, kernel: Pair, size: Pair, stride: Pair, dilation: Pair, sides: int
) -> Pads:
    scheme = layer.text("auto_pad", "NOTSET")
    if scheme in ("SAME_UPPER", "SAME_LOWER"):
        along = zip(size, kernel, stride, dilation, strict=True)
        (top, bottom), (left, right) = (same_padding(*side) for side in along)
        lower = scheme == "SAME_LOWER"
        return (bottom, right, top, left) if lower else (top, left, bottom, right)
    layer.require(scheme in ("NOTSET", "VALID"), f"padding scheme {scheme} is unknown")
    pads = layer.whole("pads", (0,) * (2 * sides))
    layer.require(len(pads) == 2 * sides, f"pads {list(pads)} for {sides} dimensions")
    if scheme == "VALID":
        return 0, 0, 0, 0
    return pads if sides == 2 else (0, pads[0], 0, pads[1])  # type: ignore[return-value]


def rounded_up(layer: Layer, window: Window, size: Pair) -> Window:
    """For ceil_mode: pads at the end, so that a last, incomplete window also counts."""
    if not layer.integer("ceil_mode", 0):
        return window
    top, left, bottom, right = window.padding
    more = []
    starts = (top, left)
    for axis, ends in enumerate((bottom, right)):
        reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
        padded, stride = size[axis] + starts[axis] + ends, window.stride[axis]
        count = math.ceil((padded - reach) / stride) + 1
        if (count - 1) * stride >= size[axis] + starts[axis]:
            count -= 1  # it would start beyond the map
        more.append(max(0, (count - 1) * stride + reach - padded))
    padding = (top, left, bottom + more[0], right + more[1])
    return Window(window.kernel, window.stride, window.dilation, padding)
