"""TINY_RATE: what the host's `factor` gives, as a constant of C and of C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.support.strict import C99, CXX, INCLUDE, SOURCE_OF

from tinyflash.boards.toolchain import ARM
from tinyflash.factor import factor

PROGRAM = """\
#include <stdio.h>
#include "tinyflash/rate.h"
static const tiny_factor constants[] = {%s};
int main(void) {
    const tiny_factor local = TINY_RATE(0.03);
    printf("%%u %%d\\n", local.mantissa, local.exponent);
    for (unsigned i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        printf("%%u %%d\\n", constants[i].mantissa, constants[i].exponent);
    }
    return 0;
}
"""
SAID = ["0", "1", "2", "0.03", "3e-2", "0.1", "1.0 / 3", "1e-9", "65535.9", "0.99999999", "0.5"]
# Halfway between two mantissas, of every parity, and on either side of each power of two.
TIES = [(2 * n + 1) * 2.0**k for n in (32768, 32769, 65534, 65535) for k in (-40, -17, -1)]
ENDS = [f(2.0**k, np.inf * s) for k in range(-31, 16) for f, s in ((np.nextafter, 1), (min, 1))]
DRAWN = 2.0 ** np.random.default_rng(0).uniform(-32, 16, 30)
RATES = [*SAID, *(repr(float(v)) for v in (*TIES, *ENDS, *DRAWN))]
BEYOND = ["-1", "-1e-30", "65536", "1e30", "1e-10", "1e-300"]


def run(compiler: tuple[str, ...], rates: list[str], folder: Path) -> list[tuple[int, ...]]:
    """The factor of 0.03, then those of the rates."""
    source = folder / SOURCE_OF[compiler]
    source.write_text(PROGRAM % ", ".join(f"TINY_RATE({rate})" for rate in rates))
    command = [*compiler, f"-I{INCLUDE}", source, "-o", folder / "program"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([folder / "program"], capture_output=True, text=True, check=True).stdout
    return [tuple(map(int, line.split())) for line in said.splitlines()]


@pytest.mark.parametrize("compiler", [C99, *CXX], ids=" ".join)
def test_it_is_the_factor_of_the_host(compiler: tuple[str, ...], tmp_path: Path) -> None:
    rates = RATES if compiler == C99 else RATES[::4]  # a compiler of C++ takes longer
    found = run(compiler, rates, tmp_path)
    wanted = [factor(float(eval(rate))) for rate in ["0.03", *rates]]
    assert found == [(f.mantissa, f.exponent) for f in wanted]


@pytest.mark.parametrize("compiler", [C99, *CXX], ids=" ".join)
def test_it_is_an_argument_as_the_header_says(compiler: tuple[str, ...], tmp_path: Path) -> None:
    rate = "(tiny_factor)TINY_RATE(0.03)" if compiler == C99 else "TINY_RATE(0.03)"
    source = tmp_path / SOURCE_OF[compiler]
    source.write_text(
        '#include "tinyflash/tinyflash.h"\n'
        "tiny_error learn(tiny_session *session);\n"
        f"tiny_error learn(tiny_session *session) {{ return tiny_train(session, 0, {rate}); }}\n"
    )
    command = [*compiler, f"-I{INCLUDE}", "-fsyntax-only", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_beyond_its_range_it_is_no_factor(tmp_path: Path) -> None:
    """tiny_train refuses it: a mantissa that is neither 0 nor normalised."""
    assert {m for m, _ in run(C99, BEYOND, tmp_path)[1:]} == {1}


@pytest.mark.skipif(not shutil.which(ARM), reason="no Arm compiler")
@pytest.mark.parametrize("name", ["main.c", "main.cpp"])
def test_no_floating_point_is_left(name: str, tmp_path: Path) -> None:
    """Even without optimisation."""
    (tmp_path / name).write_text(
        '#include "tinyflash/tinyflash.h"\n'
        "tiny_error learn(tiny_session *session);\n"
        "tiny_error learn(tiny_session *session) {\n"
        "    const tiny_factor rate = TINY_RATE(0.03);\n"
        "    return tiny_train(session, 0, rate);\n}\n"
    )
    compiler = ARM if name.endswith(".c") else ARM.replace("gcc", "g++")
    if not shutil.which(compiler):
        pytest.skip("no C++ for Arm")
    flags = ["-O0", "-mcpu=cortex-m0", "-mthumb", f"-I{INCLUDE}", "-S", "-o", "-"]
    command = [compiler, *flags, tmp_path / name]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    called = set(re.findall(r"\bbl\s+(\w+)", text))
    assert called == {"tiny_train"}
