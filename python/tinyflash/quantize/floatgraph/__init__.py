"""Float networks, channels last: the output of front ends and the input of the quantizer."""

from __future__ import annotations

from tinyflash.quantize.floatgraph.graph import FloatGraph, FloatNode, Source, Weights

__all__ = ["FloatGraph", "FloatNode", "Source", "Weights"]
