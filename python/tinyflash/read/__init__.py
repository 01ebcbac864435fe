"""Readers: a model file becomes a Graph, or exactly one ModelError line that says why not."""

from __future__ import annotations

from pathlib import Path

from tinyflash.graph import Graph
from tinyflash.read.tflite import read_tflite

__all__ = ["read"]


def read(path: str | Path) -> Graph:
    """The network in a model file (int8 .tflite), untrained."""
    return read_tflite(Path(path))
