"""Readers: turn a model file into a Graph, or raise a one-line ModelError that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyflash.graph import Array, Graph
    from tinyflash.quantize import Settings
    from tinyflash.quantize.floatgraph import FloatGraph
    from tinyflash.read.outputs import Chosen

__all__ = ["read", "read_floats"]


def read(
    path: str | Path,
    calibration: Array | None = None,
    settings: Settings | None = None,
    *,
    output: Chosen = None,
    compare: bool = True,
) -> Graph:
    """Reads the untrained network in a model file: .tflite, or .onnx.

    calibration: input samples of a float model, [n][...] as that model reads them, to choose
    scales. settings: how to choose them. output: which output, if there are several, by number or
    name; or any tensor inside by its name, where the network then ends. compare: whether to compare
    an .onnx with ONNX's own evaluation of it.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx" and calibration is None:
        from tinyflash.read.tflite import read_tflite

        return read_tflite(path, output)
    from tinyflash.quantize import quantize

    network = read_floats(path, calibration, output=output, compare=compare)
    return quantize(network, calibration, settings)


def read_floats(
    path: Path, calibration: Array | None, *, output: Chosen = None, compare: bool = True
) -> FloatGraph:
    """Reads a model file as a float network: .onnx, or float .tflite."""
    if path.suffix.lower() == ".onnx":
        from tinyflash.read.onnx.reader import read_onnx

        return read_onnx(path, calibration, output=output, compare=compare)
    from tinyflash.read.tflite.floating import read_float_tflite

    return read_float_tflite(path, output)
