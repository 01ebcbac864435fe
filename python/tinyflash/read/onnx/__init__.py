"""Reads .onnx files, float or quantized, as float graphs."""
