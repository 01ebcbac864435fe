"""Breaks the arithmetic on purpose, one rule at a time, and sees that a test notices."""
