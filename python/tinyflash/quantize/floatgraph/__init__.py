"""Float networks, channels last: what front ends make and the quantizer takes."""

from __future__ import annotations

from tinyflash.quantize.floatgraph.graph import FloatGraph, FloatNode, Source, Weights

__all__ = ["FloatGraph", "FloatNode", "Source", "Weights"]
