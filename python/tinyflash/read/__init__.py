"""Readers: a model file becomes a Graph, or exactly one ModelError line that says why not."""

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
    *,
    compare: bool = True,
) -> Graph:
    """The network in a model file, untrained: int8 .tflite, or .onnx.

    calibration: samples of the input of a float .onnx, [n][...] as that model reads them, to choose
    scales by. settings: how. compare: whether an .onnx is held against ONNX's own evaluation.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        if calibration is not None:
            raise ModelError(f"{path}: is quantized already; give no samples to calibrate with")
        return read_tflite(path)
    from tinyflash.quantize import quantize
    from tinyflash.read.onnx.reader import read_onnx

    return quantize(read_onnx(path, calibration, compare=compare), calibration, settings)
