"""Measurements: int8 training against float, memory, endurance, quantization."""
