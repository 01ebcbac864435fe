"""Post-training quantisation: a float network and samples of its input become an int8 Graph."""

from __future__ import annotations

from tinyflash.quantize.network import FloatNetwork, Layer, Weights
from tinyflash.quantize.quantizer import quantize

__all__ = ["FloatNetwork", "Layer", "Weights", "quantize"]
