"""Microcontrollers that learn: int8 networks, compiled on the host, trained on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyflash.graph import Graph
    from tinyflash.quantize import Settings

__all__ = ["from_torch"]


def from_torch(
    module: Any, example: Any, calibration: Any, settings: Settings | None = None
) -> Graph:
    """An int8 network of a PyTorch module: see `read.torch`, which is imported when called."""
    from tinyflash.read.torch import from_torch as convert

    return convert(module, example, calibration, settings)
