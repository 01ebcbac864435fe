"""lib/SPEC.md in numpy: the definition that every kernel set must match bit for bit.

Written only from the text; simple rather than fast. Integers are int64 inside, and wrap or saturate
to 32 bits exactly where the text says so.
"""

from tinyflash.reference.run import Machine

__all__ = ["Machine"]
