"""Limits on models that bound a reader's memory and time for any file. Networks for
microcontrollers are far below all of them.
"""

from __future__ import annotations

LARGEST_FILE = 64 << 20  # bytes
LARGEST_CONSTANTS = 64 << 20  # bytes of all weights, biases and tables
LARGEST_MAPS = 32 << 20  # bytes of all layers' outputs
MOST_OPERATORS = 1024
