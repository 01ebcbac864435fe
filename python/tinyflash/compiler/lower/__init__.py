"""From planned graphs to a program: rows, records and memory images."""

from tinyflash.compiler.lower.program import lower

__all__ = ["lower"]
