"""Writes a program as readable C.

Tables are written row by row, with layers, shapes and the role of every buffer; images tensor by
tensor. The same program gives the same bytes: the text has no time and no path.
"""

from tinyflash.write.c.page import header, source

__all__ = ["header", "source"]
