"""Readers: turn a model file into a Graph, or raise a one-line ModelError that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash.errors import ModelError
from tinyflash.graph import Array, Graph
from tinyflash.read.tflite import read_tflite

if TYPE_CHECKING:
    from tinyflash.quantize import Settings

__all__ = ["read"]


def read(
    path: str | Path,
    calibration: Array | None = None,
    settings: Settings | None = None,
) -> Graph:
    """Reads the untrained network in a model file: int8 .tflite, or .onnx.

    calibration: input samples of a float .onnx, [n][...] as that model reads them, to choose
    scales. settings: how to choose them.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        if calibration is not None:
            raise ModelError(f"{path}: is already quantized; omit the calibration samples")
        return read_tflite(path)
    from tinyflash.quantize import quantize
    from tinyflash.read.onnx.reader import read_onnx

    return quantize(read_onnx(path), calibration, settings)
