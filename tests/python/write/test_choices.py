"""Several models in one source: what they have in common is there once, and each finds its own."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.strict import C99, CXX, INCLUDE

from tinyflash.choices import Choices
from tinyflash.compiler.plan import NONE
from tinyflash.errors import ModelError
from tinyflash.program import Buffer, Program, Row, Space, canonical
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme
from tinyflash.search.candidates import compile_choices
from tinyflash.write.c.choices import ChoicesPage
from tinyflash.write.c.pool import Pool, pooled
from tinyflash.write.choices import write_choices
from tinyflash.zoo.networks import path_of


def scheme(*layers: str, weights: float = 1.0) -> Scheme:
    return Scheme((Rule(layers=layers, weights=weights, bias=True),), head=4)


@pytest.fixture(scope="module")
def choices() -> Choices:
    """Whole layers; a part of one, which is split; and one whose trained channels come first."""
    largest = Rule(layers=("conv2d_6",), weights=0.25, channels="largest")
    schemes = {
        "early": scheme("conv2d_1", "conv2d_2"),
        "late": scheme("conv2d_8", weights=0.1875),
        "largest": Scheme((largest,), head=4),
    }
    return compile_choices(read(path_of("digits")), schemes, effort=NONE).choices


@pytest.fixture(scope="module")
def pool(choices: Choices) -> Pool:
    return pooled(choices.programs)


def rows(program: Program) -> list[Row]:
    return [*program.infer, *program.train]


def tensor(program: Program, place: Buffer) -> bytes:
    """The bytes in FLASH from a buffer to the next tensor."""
    starts = [part.offset for part in program.contents[Space.FLASH]]
    after = [start for start in starts if start > place.offset]
    return program.flash[place.offset : min(after, default=len(program.flash))]


def test_every_row_finds_its_tensors(choices: Choices, pool: Pool) -> None:
    seen = 0
    for old, new in zip(choices.programs, pool.programs, strict=True):
        for before, now in zip(rows(old), rows(new), strict=True):
            for a, b in zip(before.buffers, now.buffers, strict=True):
                if a is None or a.space is not Space.FLASH:
                    assert a == b
                    continue
                data = tensor(old, a)
                assert b is not None and b.offset % 4 == 0
                assert pool.image[b.offset : b.offset + len(data)] == data
                seen += len(data)
    assert seen > 4 * 28_000  # four models, each with most of the network


def test_every_row_finds_its_record(choices: Choices, pool: Pool) -> None:
    for old, new in zip(choices.programs, pool.programs, strict=True):
        for before, now in zip(rows(old), rows(new), strict=True):
            a, b = old.records[before.record], pool.records[now.record]
            assert (a.ctype, canonical(a.fields)) == (b.ctype, canonical(b.fields))
    names = [record.name for record in pool.records]
    assert len(set(names)) == len(names) < sum(len(p.records) for p in choices.programs)


def test_weights_begin_where_they_are(choices: Choices, pool: Pool) -> None:
    for program, at in zip(choices.programs, pool.weights_at, strict=True):
        assert at % 4 == 0
        assert pool.image[at : at + len(program.weights)] == program.weights


def test_what_is_in_several_models_is_there_once(choices: Choices, pool: Pool) -> None:
    judge, early, *_ = choices.programs
    both = len(pooled([judge, early]).image)
    assert both < len(judge.flash) + len(judge.weights) + 300  # the classifier, and what is odd
    assert len(pooled([judge, judge]).image) == len(pooled([judge]).image)
    apart = sum(len(p.flash) + len(p.weights) for p in choices.programs)
    print(f"{len(pool.image):,} bytes instead of {apart:,}")
    assert len(pool.image) < 0.66 * apart


# ---- The text ------------------------------------------------------------------------------------


def said(compiler: tuple[str, ...], source: Path, *options: str | Path) -> str:
    command = [*compiler, f"-I{INCLUDE}", *options, source]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("compiler", [C99, CXX[0]], ids=" ".join)
def test_strict_compilers_have_nothing_to_say(
    compiler: tuple[str, ...], choices: Choices, tmp_path: Path
) -> None:
    """Of two in one file, either."""
    for name in ("gait", "Other"):
        write_choices(choices, tmp_path, name)
    main = tmp_path / ("main.c" if compiler == C99 else "main.cpp")
    main.write_text('#include "gait.c"\n#include "Other.c"\n')
    assert not said(compiler, main, "-c", "-o", tmp_path / "main.o")
    names = subprocess.run(
        ["nm", tmp_path / "main.o"], capture_output=True, text=True, check=True
    ).stdout
    found = {line.split()[-1] for line in names.splitlines() if line.split()[-2] in "RDVB"}
    assert found == {"gait", "Other"}


def numbers(text: str) -> list[int]:
    return [int(word, 0) for word in re.findall(r"\b0x[0-9a-f]+\b|-?\b\d+\b", text)]


def table(source: str, name: str) -> list[list[int]]:
    """The rows of a table that is written one on a line."""
    body = re.search(rf"^static const \w+ {name}\[\] = \{{\n(.*?)\n\}};", source, re.M | re.S)
    assert body is not None, name
    return [numbers(re.sub(r"/\*.*?\*/|\w+_mask_\d+", "", row)) for row in body[1].splitlines()]


def test_tables_are_those_of_the_choices(choices: Choices) -> None:
    source = ChoicesPage(choices, "gait").source()
    squares = [(m.square.mantissa, m.square.exponent) for m in choices.maps]
    maps = [[m.at, m.channels, *s] for m, s in zip(choices.maps, squares, strict=True)]
    assert table(source, "gait_maps") == maps
    masks = 0
    for candidate in choices.candidates:
        found = table(source, f"gait_{candidate.name}_layers")
        for i, (layer, row) in enumerate(zip(candidate.layers, found, strict=True)):
            null = [0] if layer.mask is None else []
            assert row == [layer.made, layer.part, *null, layer.share]
            if layer.mask is not None:
                name = rf"gait_{candidate.name}_mask_{i}\[\d+\] = "
                text = re.search(rf"{name}\{{(.*?)\}};", source, re.S)
                assert text is not None
                data = np.array(numbers(text[1]), np.uint8)
                bits = np.unpackbits(data, bitorder="little", count=len(layer.mask))
                assert tuple(bits.astype(bool)) == layer.mask
                masks += 1
    assert masks == 2


def test_the_same_choices_give_the_same_text(choices: Choices) -> None:
    one, two = ChoicesPage(choices, "gait"), ChoicesPage(choices, "gait")
    assert (one.source(), one.header()) == (two.source(), two.header())
    names = re.findall(r"^(?:static )?const \w+ (\w+)", one.source(), re.MULTILINE)
    assert len(names) > 40 and all(re.match(r"gait(_|$)", name) for name in names)
    macros = re.findall(r"^#define (\w+)", one.header(), re.MULTILINE)
    assert all(re.match(r"GAIT_|TINYFLASH_GENERATED_GAIT_H", macro) for macro in macros)


def test_a_header_of_another_compilation_is_refused(choices: Choices, tmp_path: Path) -> None:
    page = write_choices(choices, tmp_path, "gait")
    header = tmp_path / "gait.h"
    header.write_text(header.read_text().replace(page.hash, "0x00000001u"))
    assert "gait.h is of another compilation; compile again" in said(
        C99, tmp_path / "gait.c", "-fsyntax-only"
    )


def test_candidates_may_be_named_as_the_arrays_are(choices: Choices, tmp_path: Path) -> None:
    names = ("maps", "candidates", "maps_layers")
    named = [replace(c, name=n) for c, n in zip(choices.candidates, names, strict=True)]
    write_choices(replace(choices, candidates=tuple(named)), tmp_path, "gait")
    assert said(C99, tmp_path / "gait.c", "-fsyntax-only") == ""


def test_a_name_that_c_cannot_have_is_refused(choices: Choices, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="name 'a-b'"):
        write_choices(choices, tmp_path, "a-b")
    assert not list(tmp_path.iterdir())
