"""Post-training quantization: turns a float network and input samples into an int8 Graph."""

from __future__ import annotations

from tinyflash.quantize.quantizer import Settings, quantize

__all__ = ["Settings", "quantize"]
