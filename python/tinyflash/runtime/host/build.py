"""Defines the extension module: the C library itself, compiled for the host, called through cffi.

The declarations are read from the public headers, so the two cannot differ.
"""

from __future__ import annotations

import os
import re
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cffi import FFI

# Relative to the root of the source tree, where a build runs.
HEADERS = ("tinyflash.h", "ops.h")
INCLUDE = Path("include/tinyflash")
FLASH = Path("boards/parts/simulated_flash/simulated_flash")  # for stores on the host
CELLS = Path("boards/parts/memory_cells/cells.c")
_INCLUDED = re.compile(r'^#include "tinyflash/([^"]+)"', re.MULTILINE)
_FOR_CXX = re.compile(r"^#ifdef __cplusplus\n.*?^#endif$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"^static inline [^{]*\{.*?\}$", re.DOTALL | re.MULTILINE)
# For Microsoft's compiler, which has C11 and not C99 by name.
_MICROSOFT = ("/std:c11", "/O2")
# Python's own flags may make signed overflow wrap, which no compiler for a board does.
PLAIN_ARITHMETIC = ("-fno-wrapv", "-fstrict-overflow")
_GNU = ("-std=c99", "-O3", *PLAIN_ARITHMETIC)
# Addresses of kernels, by name, for tables in memory.
_OP = re.compile(r"^TINY_OP\((\w+)\);", re.MULTILINE)


def with_included(names: Iterable[str]) -> list[str]:
    """Returns the text of headers in INCLUDE, each once and after the headers that it includes."""
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in texts:
            text = (INCLUDE / name).read_text(encoding="utf-8")
            for other in _INCLUDED.findall(text):
                add(other)
            texts[name] = text

    for name in names:
        add(name)
    return list(texts.values())


def declarations(headers: list[str]) -> str:
    """Returns the declarations for cffi: the headers without comments, preprocessor lines and
    inline functions."""
    text = "\n".join(headers)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = _FOR_CXX.sub("", text)
    text = _INLINE.sub("", text)
    text = _OP.sub(
        r"void tiny_op_\1(const void *record, void *const *buffers, tiny_band band);", text
    )
    text = text.replace("TINY_OP_BUFFERS]", "8]")
    return re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.MULTILINE)


def sources() -> list[str]:
    """The library's files, with the kernel sets that run on every computer."""
    shared = _shared()
    sets = [shared["REFERENCE"], shared["FOR_PCS"]]
    return [str(path) for path in shared["library_sources"](Path(), sets)]


def fast_kernels() -> str:
    """Returns the declarations of the kernels of the set `host`, which ops.h does not have."""
    shared = _shared()
    name = shared["FOR_PCS"]
    return "\n".join(
        f"void tiny_op_{kernel}_{name}(const void *record, void *const *buffers, tiny_band band);"
        for kernel in sorted(shared["kernels_of"](Path(), name))
    )


def _shared() -> dict[str, Any]:
    """tinyflash.sources, which cannot be imported: tinyflash is only being built."""
    return runpy.run_path(str(Path(__file__).parents[2] / "sources.py"))


def builder() -> FFI:
    """Returns the cffi builder of the extension. TINYFLASH_CFLAGS adds options, such as for a
    sanitizer."""
    ffi, added = FFI(), os.environ.get("TINYFLASH_CFLAGS", "").split()
    fast = fast_kernels()
    flash = FLASH.with_suffix(".h").read_text(encoding="utf-8")
    ffi.cdef(declarations([*with_included(HEADERS), flash]) + fast)
    included = ("tinyflash/tinyflash.h", "tinyflash/ops.h", f"{FLASH}.h")
    ffi.set_source(
        "tinyflash.runtime.host._tinyflash",
        "".join(f'#include "{name}"\n' for name in included) + fast,
        sources=[*sources(), f"{FLASH}.c", str(CELLS)],
        include_dirs=["include", "boards", "."],
        extra_compile_args=[*(_MICROSOFT if os.name == "nt" else _GNU), *added],
    )
    return ffi


def ffi() -> FFI:
    """The entry point for setup.py. setup.py calls it, so importing this file does no work."""
    return builder()
