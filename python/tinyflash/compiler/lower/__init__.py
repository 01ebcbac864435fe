"""Turns planned graphs into a program: rows, records and memory images."""

from tinyflash.compiler.lower.program import lower

__all__ = ["lower"]
