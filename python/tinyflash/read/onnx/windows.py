"""Reads the attributes of windows: kernels, strides, dilations, padding, for two dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

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


def transposed_sizes(
    layer: Layer, kernel: Sequence[int], size: Sequence[int], sides: int
) -> tuple[Pair, Pair, Pair]:
    """Returns a transposed convolution's stride, the padding of its output at the top and at the
    left, and the size of its output."""
    stride, dilation = _pair(layer, "strides", sides), _pair(layer, "dilations", sides)
    layer.require(dilation == (1, 1), f"has dilations {dilation}, which are not supported")
    layer.require(
        all(0 < n < 256 for n in (*kernel, *stride)),
        f"kernel {tuple(kernel)}, stride {stride}: each must be 1 to 255",
    )
    scheme, pads = _scheme_and_pads(layer, sides)
    layer.require(
        scheme in ("NOTSET", "VALID") and "output_shape" not in layer.node.attributes,
        "has an auto_pad or an output_shape; export with pads and output_padding",
    )
    more = layer.whole("output_padding", (0,) * sides)
    layer.require(
        len(more) == sides and min(*pads, *more) >= 0,
        f"pads {list(pads)} and output_padding {list(more)} for {sides} dimensions",
    )
    first, last = ((0, *p) if sides == 1 else p for p in (pads[:sides], pads[sides:]))
    added = (0, *more) if sides == 1 else more
    height, width = (
        s * (n - 1) + k + a - f - e
        for s, n, k, a, f, e in zip(stride, size, kernel, added, first, last, strict=True)
    )
    layer.require(0 < height < 2**16 and 0 < width < 2**16, f"makes a map {height} x {width}")
    return stride, (first[0], first[1]), (height, width)


def kernel_of(layer: Layer, sides: int) -> Pair:
    return _pair(layer, "kernel_shape", sides)


def _pair(layer: Layer, name: str, sides: int) -> Pair:
    found = layer.whole(name, (1,) * sides)
    layer.require(len(found) == sides, f"{name} {list(found)} for {sides} dimensions")
    return (1, *found) if sides == 1 else found  # type: ignore[return-value]


def _padding(
    layer: Layer, kernel: Pair, size: Pair, stride: Pair, dilation: Pair, sides: int
) -> Pads:
    scheme, pads = _scheme_and_pads(layer, sides)
    if scheme in ("SAME_UPPER", "SAME_LOWER"):
        along = tuple(zip(size, kernel, stride, dilation, strict=True))
        layer.require(
            all(_reached(*side) for side in along),
            f"{scheme} with stride {stride} leaves out whole places between windows, which ONNX's "
            "evaluators understand differently; export with pads",
        )
        (top, bottom), (left, right) = (same_padding(*side) for side in along)
        lower = scheme == "SAME_LOWER"
        return (bottom, right, top, left) if lower else (top, left, bottom, right)
    return pads if sides == 2 else (0, pads[0], 0, pads[1])  # type: ignore[return-value]


def _scheme_and_pads(layer: Layer, sides: int) -> tuple[str, Pair | Pads]:
    """Returns auto_pad, and pads, which are 0 unless auto_pad is NOTSET: ONNX forbids both at once,
    and its evaluators understand that differently."""
    scheme = layer.text("auto_pad", "NOTSET")
    layer.require(
        scheme in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
        f"padding scheme {scheme} is unknown",
    )
    pads = layer.whole("pads", (0,) * (2 * sides))
    layer.require(len(pads) == 2 * sides, f"pads {list(pads)} for {sides} dimensions")
    layer.require(
        scheme == "NOTSET" or not any(pads),
        f"has auto_pad {scheme} and pads {list(pads)}, of which ONNX allows one; export with pads",
    )
    return scheme, pads  # type: ignore[return-value]


def _reached(size: int, kernel: int, stride: int, dilation: int) -> bool:
    """Whether windows miss no more than one place of the map: more would be negative padding."""
    return (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 >= size - 1


def rounded_up(layer: Layer, window: Window, size: Pair) -> Window:
    """For ceil_mode: pads at the end, so that a last, incomplete window also counts.

    size: of the map itself. No window starts in the padding at its end.
    """
    if not layer.integer("ceil_mode", 0):
        return window
    ends = []
    for axis, start in enumerate(window.padding[:2]):
        reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
        stride, begun = window.stride[axis], size[axis] + start
        count = math.ceil((begun + window.padding[axis + 2] - reach) / stride) + 1
        if (count - 1) * stride >= begun:
            count -= 1
        ends.append(max(0, (count - 1) * stride + reach - begun))
    return replace(window, padding=(*window.padding[:2], ends[0], ends[1]))


def undilated(layer: Layer, window: Window) -> Window:
    """The window of a pool, which cannot be dilated; along a side of one place nothing is."""
    along = zip(window.kernel, window.dilation, strict=True)
    layer.require(
        all(kernel == 1 or dilation == 1 for kernel, dilation in along),
        f"has dilations {list(window.dilation)}; pools without dilation are supported",
    )
    return replace(window, dilation=(1, 1))


def require_cover(layer: Layer, window: Window, size: Pair) -> None:
    """Each window of a pool has an element in it."""
    for before, kernel, stride, side, count in zip(
        window.padding[:2], window.kernel, window.stride, size, output_size(window, size),
        strict=True,
    ):  # fmt: skip
        layer.require(
            before < kernel and (count - 1) * stride - before < side,
            f"pads {list(window.padding)}, so that a window is wholly in the padding",
        )
