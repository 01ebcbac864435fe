"""Names of models in C: none that a compiler or a header of C takes for itself."""

from __future__ import annotations

import re
import subprocess

import pytest

from tinyflash.errors import ModelError
from tinyflash.write.c.names import check_name


def macros() -> set[str]:
    """Those that the compiler of this computer has behind the headers that model.h includes."""
    text = "#include <stddef.h>\n#include <stdint.h>\n"
    command = ["cc", "-std=gnu99", "-dM", "-E", "-x", "c", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return set(re.findall(r"^#define ([A-Za-z]\w*)", done.stdout, re.MULTILINE))


def test_no_macro_is_a_name() -> None:
    found = macros()
    assert {"INT8_MAX", "UINT32_C", "SIZE_MAX", "NULL"} <= found
    accepted = {name for name in found if is_accepted(name)}
    assert not accepted


def is_accepted(name: str) -> bool:
    try:
        check_name(name)
    except ModelError:
        return False
    return True


@pytest.mark.parametrize("name", ["gesture", "Wake2", "INT8", "max_size", "null"])
def test_other_names_are(name: str) -> None:
    assert check_name(name) == name
