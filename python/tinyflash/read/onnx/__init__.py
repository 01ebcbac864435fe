"""Reads .onnx files, float or quantised, as float graphs."""
