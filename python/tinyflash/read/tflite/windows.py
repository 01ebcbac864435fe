"""Reads windows and fused activations of the operators of a .tflite file."""

from __future__ import annotations

from tinyflash.graph import Clip, Pair, Window
from tinyflash.quantize.windows import ACTIVATIONS, EXPLICIT, SAME, VALID, bounds, same_padding
from tinyflash.read.tflite.importing import Layer


def window(layer: Layer, kernel: Pair, size: Pair) -> Window:
    """Returns the window over a map of `size`, with the padding of SAME or VALID."""
    stride = int(layer.option("StrideH")), int(layer.option("StrideW"))
    dilation = int(layer.option("DilationHFactor", 1)), int(layer.option("DilationWFactor", 1))
    layer.require(
        all(0 < side < 256 for side in (*kernel, *stride, *dilation)),
        f"kernel {kernel}, stride {stride}, dilation {dilation}: each must be 1 to 255",
    )
    padding = layer.option("Padding")
    if padding == EXPLICIT:
        top, left, bottom, right = (
            int(layer.option(f"Pad{side}")) for side in ("Top", "Left", "Bottom", "Right")
        )
        return Window(kernel, stride, dilation, (top, left, bottom, right))
    layer.require(padding in (SAME, VALID), f"padding scheme {padding} is unknown")
    if padding == VALID:
        return Window(kernel, stride, dilation)
    top, bottom = same_padding(size[0], kernel[0], stride[0], dilation[0])
    left, right = same_padding(size[1], kernel[1], stride[1], dilation[1])
    layer.require(max(top, left) < 256, "more than 255 rows or columns of padding")
    return Window(kernel, stride, dilation, (top, left, bottom, right))


def fused_clip(layer: Layer) -> Clip:
    """Returns the bounds of the stored output from the fused activation."""
    activation = int(layer.option("FusedActivationFunction", 0))
    if activation not in ACTIVATIONS:
        layer.fail(f"fused activation number {activation} is not supported")
    try:
        return bounds(activation, layer.quant(layer.flat_output))
    except ValueError as error:
        layer.fail(str(error))
