"""Strict compilers, as the users of the library may have them."""

from __future__ import annotations

from tinyflash.paths import source_root

INCLUDE = source_root() / "include"
HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))
_C = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
_CXX = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
C99 = ("cc", "-std=c99", *_C)
CXX = (("c++", "-std=c++11", *_CXX), ("c++", "-std=c++17", *_CXX))
# The name of a file in the language of each.
SOURCE_OF = {C99: "main.c", **dict.fromkeys(CXX, "main.cpp")}
