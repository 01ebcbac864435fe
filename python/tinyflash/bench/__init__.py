"""Benchmarks: accuracy of int8 training against float training, memory, endurance, instructions,
quantization."""
