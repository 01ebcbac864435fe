"""Reads int8 .tflite files."""

from tinyflash.read.tflite.reader import read_tflite

__all__ = ["read_tflite"]
