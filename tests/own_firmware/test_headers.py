"""Every public header compiles by itself, for strict compilers of C and of C++."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.support.strict import C99, CXX, HEADERS, INCLUDE, SOURCE_OF

_DECLARES = re.compile(r"^[\w *]+\btiny_\w+\([^;{]*\);|^TINY_OP\(\w+\);", re.MULTILINE)


@pytest.mark.parametrize("compiler", [C99, *CXX], ids=" ".join)
@pytest.mark.parametrize("header", HEADERS)
def test_it_compiles_by_itself_and_twice(
    header: str, compiler: tuple[str, ...], tmp_path: Path
) -> None:
    source = tmp_path / SOURCE_OF[compiler]
    source.write_text(f'#include "{header}"\n#include "{header}"\n')
    command = [*compiler, f"-I{INCLUDE}", "-fsyntax-only", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("header", HEADERS)
def test_its_functions_are_those_of_c(header: str) -> None:
    """A function declared outside of extern "C" compiles as C++, and then does not link."""
    text = re.sub(r"/\*.*?\*/", "", (INCLUDE / header).read_text(), flags=re.DOTALL)
    opened, _, inside = text.partition('#ifdef __cplusplus\nextern "C" {\n#endif\n')
    inside, _, closed = inside.partition("#ifdef __cplusplus\n}\n#endif\n")
    assert not _DECLARES.search(opened + closed)
    assert not inside or _DECLARES.search(inside)
