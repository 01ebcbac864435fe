"""Bounds of lib/SPEC.md 10 that several folders need. The compiler's preconditions refuse what
exceeds them; others choose such that nothing does."""

from __future__ import annotations

INT32_MAX = 2**31 - 1
LARGEST_SIDE = 65535  # of a map: 16 bits (10.1, 10.2)
LARGEST_TAP = 255  # of a kernel, stride, dilation or padding: 8 bits (10.3)


def products_left(terms: int) -> int:
    """Returns what int32 has left beside a sum of that many products (10.5); below 1: too many."""
    return INT32_MAX - 255 * 128 * terms


def sum_fits(a: float, b: float, y: float) -> bool:
    """Whether a sum of operands of scales a and b can have scale y (10.8)."""
    return 2 * max(a, b) / (2**20 * y) < 1


def product_fits(a: float, b: float, y: float) -> bool:
    """Whether a product of operands of scales a and b can have scale y (10.9)."""
    return a * b / y < 2**14
