"""The library as one header and one C file.

The C file is the internal headers, then the C files, each with its comment. Names that several of
them define for themselves get the name of their file: `move` of lib/kernels/dsp/bias.c becomes
`move_dsp_bias` there, and nothing else changes. Macros of a C file end with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tinyflash.errors import InternalError
from tinyflash.sources import REFERENCE, library_sources

_INCLUDE = re.compile(r'^#include "([^"]+)".*\n', re.MULTILINE)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_MAKER = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(([^)]*)\)((?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.MULTILINE)
# Texts in which a name is not a name: comments, strings, characters; operands of assembly, which
# strings name, and members.
_OPAQUE = r"""/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\w+\](?=\s*")|(?:\.|->)\s*\w+"""
_TOKEN = re.compile(rf"(?P<opaque>{_OPAQUE})|(?P<name>[A-Za-z_]\w*)|.", re.DOTALL)
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)", re.DOTALL)
# What a declaration outside of all functions names: braces are `{}`, and directives are gone.
_FUNCTION = re.compile(r"\b(\w+)\s*\((?:[^;{}()]|\([^;{}()]*\))*\)\s*\{\}")
_STATIC = re.compile(r"\bstatic\b[^;{}=(\[]*?(\w+)\s*(?:\(|\[|=|;|$)")
_TYPE = re.compile(r"\btypedef\b[^;]*?(\w+)\s*;")
_TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{\}")
_ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^}]*)\}")

# Clang, and Arm's compiler that is made of it, warn of unused inline functions, except of headers.
_BEGIN = """\
#include "tinyflash.h"

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#endif
"""
_END = """
#ifdef __clang__
#pragma clang diagnostic pop
#endif
"""


def amalgamation(root: Path, kernel_set: str) -> tuple[str, str]:
    """Returns the texts of tinyflash.h and tinyflash.c: the reference, which has all kernels, and
    `kernel_set`. root: of the source tree."""
    include, lib = root / "include", root / "lib"
    public = _ordered(sorted((include / "tinyflash").rglob("*.h")), [include])
    sets = dict.fromkeys([REFERENCE, kernel_set])
    folders = [lib, *(lib / "kernels" / name for name in sets)]
    internal = _ordered(sorted(h for f in folders for h in f.glob("*.h")), [include])
    sources = library_sources(root, sets)
    texts = _without_clashes(root, internal, sources)
    title = f"tinyflash, {' and '.join(sets)}: kernel sets of this file. Generated from the sources"
    header = "".join(_part(root, path, path.read_text(encoding="utf-8")) for path in public)
    source = "".join(_part(root, p, t) for p, t in texts.items())
    return _top(title) + header, _top(title) + _BEGIN + source + _END


def _top(title: str) -> str:
    """Returns what begins a file: title and licence."""
    return f"/* {title}; do not edit.\n *\n * SPDX-License-Identifier: Apache-2.0\n */\n"


def _part(root: Path, path: Path, text: str) -> str:
    """Returns the text of a file without its includes of the library's headers."""
    name = path.relative_to(root).as_posix()
    return f"\n/* ---- {name} ---- */\n\n{_INCLUDE.sub('', text).strip()}\n"


def _ordered(headers: list[Path], folders: list[Path]) -> list[Path]:
    """Returns headers such that each follows those that it includes."""
    order: dict[Path, None] = {}

    def add(header: Path) -> None:
        if header in order:
            return
        for name in _INCLUDE.findall(header.read_text(encoding="utf-8")):
            found = [(folder / name).resolve() for folder in (header.parent, *folders)]
            for other in (path for path in found if path in headers):
                add(other)
        order[header] = None

    headers = [header.resolve() for header in headers]
    for header in headers:
        add(header)
    return list(order)


def _without_clashes(root: Path, headers: list[Path], sources: list[Path]) -> dict[Path, str]:
    """Returns the texts of headers and C files, in which no two define a name for themselves."""
    texts = {path: path.read_text(encoding="utf-8") for path in (*headers, *sources)}
    names = {path: own_names(text) for path, text in texts.items()}
    owners = Counter(name for own in names.values() for name in own)
    for path in sources:
        ending = "_".join(path.relative_to(root / "lib").with_suffix("").parts).replace(
            "kernels_", "", 1
        )
        clashing = {n: f"{n}_{ending}" for n in names[path] if owners[n] > 1}
        if taken := [name for name in clashing.values() if owners[name]]:
            raise InternalError(
                f"{path} cannot be a part of one file: {taken[0]} is a name already"
            )
        texts[path] = _renamed(texts[path], clashing) + _ends_of_macros(texts[path])
    return texts


def own_names(text: str) -> frozenset[str]:
    """Returns the names that a file defines outside of functions for itself: static functions and
    variables, types, tags and constants of enumerations."""
    text = _ATTRIBUTE.sub("", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    constants = [re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body) for body in _ENUM.findall(text)]
    outside = "".join(_outside(_DIRECTIVE.sub("", text)))
    made = [_made(outside, *macro) for macro in _MAKER.findall(text)]
    names = {name for found in (*constants, *made, _defined(outside)) for name in found}
    return frozenset(names - {"TINY_OP"})


def _defined(outside: str) -> list[str]:
    """Returns the names that a text without the content of braces defines."""
    return [n for kind in (_FUNCTION, _STATIC, _TYPE, _TAG) for n in kind.findall(outside)]


def _made(outside: str, macro: str, parameters: str, body: str) -> list[str]:
    """Returns the names that calls of a macro outside of functions define: its arguments."""
    made = _defined("".join(_outside(body.replace("\\\n", " "))))
    places = [i for i, name in enumerate(re.findall(r"\w+", parameters)) if name in made]
    calls = [call.split(",") for call in re.findall(rf"\b{macro}\(([^)]*)", outside)]
    return [call[i].strip() for call in calls for i in places]


def _outside(text: str) -> Iterator[str]:
    """Yields the text outside of all braces, and `{}` for what is in them."""
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if character in "{}":
            if depth == (character == "{"):
                yield character
        elif depth == 0:
            yield character


def _renamed(text: str, names: dict[str, str]) -> str:
    """Returns the text with other names."""
    return _TOKEN.sub(lambda t: names.get(t["name"], t[0]) if t["name"] else t[0], text)


def _ends_of_macros(text: str) -> str:
    """Returns the lines that undefine the macros of a C file."""
    return "".join(f"#undef {name}\n" for name in sorted(set(_MACRO.findall(text))))
