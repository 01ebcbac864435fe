"""Reads int8 .tflite files."""

from tinyflash.read.tflite import read_tflite

__all__ = ["read_tflite"]
