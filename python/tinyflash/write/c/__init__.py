"""Writes a program as C that a person can read.

Tables row by row, with layers, shapes and the role of every buffer; images tensor by tensor. The
same program gives the same bytes: no time, no path.
"""

from tinyflash.write.c.page import header, source

__all__ = ["header", "source"]
