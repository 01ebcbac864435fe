"""From planned graphs to a program: rows, records and memory images."""

from tinyflash.lower.program import lower

__all__ = ["lower"]
