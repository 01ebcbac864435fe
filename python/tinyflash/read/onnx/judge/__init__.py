"""What an ONNX model computes, by code that shares nothing with the reader.

ONNX Runtime where it is installed, else the reference evaluator that comes with onnx.
"""

from __future__ import annotations

from tinyflash.read.onnx.judge.evaluator import Evaluator, evaluator

__all__ = ["Evaluator", "evaluator"]
