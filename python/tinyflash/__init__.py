"""Microcontrollers that learn: int8 networks, compiled on the host, trained on the device."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinyflash.read import read  # at once: later, the folder of this name would take its place

if TYPE_CHECKING:
    from tinyflash.compiler import compile_model
    from tinyflash.graph import Graph
    from tinyflash.quantize import Settings
    from tinyflash.runtime.host import HostSession
    from tinyflash.runtime.units import decode, encode
    from tinyflash.scheme import load_scheme
    from tinyflash.write.model import write_model

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

# Imported on first use: a command, and SCons for each image, imports no more than it needs.
_MODULES = {
    "HostSession": "runtime.host",
    "compile_model": "compiler",
    "decode": "runtime.units",
    "encode": "runtime.units",
    "load_scheme": "scheme",
    "write_model": "write.model",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


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
