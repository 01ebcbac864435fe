"""Reads float .tflite files as float networks, to be quantized."""

from tinyflash.read.tflite.floating.reader import is_float, read_float_tflite

__all__ = ["is_float", "read_float_tflite"]
