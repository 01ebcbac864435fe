"""Post-training quantization: a float network and samples of its input become an int8 Graph."""

from __future__ import annotations

from tinyflash.quantize.quantizer import Settings, quantize

__all__ = ["Settings", "quantize"]
