"""tinyflash's own networks, trained by the scripts in zoo/training."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def path_of(name: str) -> Path:
    """Returns the .tflite file of a network."""
    return Path(str(files(__name__) / f"{name}.tflite"))
