"""How large a model may be: bounds that keep a reader's memory and time in hand, whatever a file
says. Networks for microcontrollers stay far below all of them.
"""

from __future__ import annotations

LARGEST_FILE = 64 << 20  # bytes
LARGEST_CONSTANTS = 64 << 20  # bytes of all weights, biases and tables
LARGEST_MAPS = 32 << 20  # bytes of all that layers compute
MOST_OPERATORS = 1024
