"""Writes a program as readable C.

Tables are written row by row, with layers, shapes and the role of every buffer; images tensor by
tensor. The same program gives the same bytes: the text has no time and no path.
"""

from tinyflash.write.c.header import header
from tinyflash.write.c.names import DEFAULT, check_name
from tinyflash.write.c.page import source

__all__ = ["DEFAULT", "check_name", "header", "source"]
