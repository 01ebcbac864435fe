"""Microcontrollers that learn: int8 networks, compiled on the host, trained on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyflash.compiler import compile_model
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme import load_scheme
from tinyflash.write.model import write_model

if TYPE_CHECKING:
    from tinyflash.graph import Graph
    from tinyflash.quantize import Settings

__all__ = [
    "HostSession",
    "compile_model",
    "decode",
    "encode",
    "from_torch",
    "load_scheme",
    "read",
    "write_model",
]


def from_torch(
    module: Any,
    example: Any,
    calibration: Any,
    settings: Settings | None = None,
    *,
    output: int | str | None = None,
    compare: bool = True,
) -> Graph:
    """Converts a PyTorch module to an int8 network: see `read.torch`, which this imports when
    called."""
    from tinyflash.read.torch import from_torch as convert

    return convert(module, example, calibration, settings, output=output, compare=compare)
