"""lib/SPEC.md in numpy: the definition that every kernel set is held against, bit for bit.

Written from the text alone; plain rather than fast. Integers are int64 inside, and wrap or saturate
to 32 bits exactly where the text says so.
"""

from tinyflash.reference.run import Machine

__all__ = ["Machine"]
