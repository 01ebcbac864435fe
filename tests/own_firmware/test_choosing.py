"""examples/choosing: a board chooses and learns as the host does, to the byte."""

from __future__ import annotations

import re
import runpy
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.lib.build import ROOT, build_for_board, run
from tests.support.strict import C99, INCLUDE

from tinyflash.boards import load_board
from tinyflash.compiler import compile_model
from tinyflash.program import Program
from tinyflash.read import read
from tinyflash.reference import choose as reference
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.choose import HostChooser
from tinyflash.scheme import load_scheme
from tinyflash.search.candidates import CompiledChoices, compile_choices
from tinyflash.sources import REFERENCE, library_sources
from tinyflash.write import c
from tinyflash.write.choices import write_choices
from tinyflash.zoo.networks import path_of

EXAMPLE = ROOT / "examples" / "choosing"
BOARD = load_board("qemu_stm32f405")
# Of the library, what no table names and the program does not call: the linker would drop it.
UNUSED = {"guard", "minimum", "mul", "normal", "prelu", "replay", "schedule"}
UNUSED |= {"spectrogram", "store", "take"}
RATE, CANDIDATES = 0.03, ("first", "second")
# The program on a board of boards/: its text goes to the serial line.
SIZES = "#define SAMPLES {samples}u\n#define TESTS {tests}u\n"
AROUND = (
    SIZES
    + """
#define EPOCHS {epochs}u
#define main example
#include "{example}/main.c"
#undef main
#include "board.h"

void port_print(const char *text) {{
    board_uart_write((const uint8_t *)text, (uint32_t)strlen(text));
}}

void port_print_number(const char *text, uint32_t number) {{
    char digits[12] = {{0}};
    uint32_t at = 10;
    digits[at] = '\\n';
    do {{
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    }} while (number);
    port_print(text);
    port_print(digits + at);
}}

int main(void) {{
    board_init();
    board_exit(example());
}}
"""
)
Wearer = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def compiled() -> CompiledChoices:
    schemes = {name: load_scheme(EXAMPLE / f"{name}.toml") for name in CANDIDATES}
    return compile_choices(read(path_of("activity")), schemes)


def wearers(folder: Path, samples: int, tests: int) -> list[Wearer]:
    """What the example's script writes, read back."""
    runpy.run_path(str(EXAMPLE / "wearers.py"))["main"](folder, samples, tests)
    text = (folder / "wearers.c").read_text()
    rows = [np.array(r.split(","), np.int64) for r in re.findall(r"\{([-\d,]+)\}", text)]
    count = samples + tests + 1
    people = [rows[:count], rows[count:]]
    return [(np.array(one[:-1]).astype(np.int8), one[-1]) for one in people]


def checksum(session: HostSession) -> int:
    return zlib.crc32(session.weights + session.state)


def on_the_host(
    compiled: CompiledChoices, people: Sequence[Wearer], samples: int, epochs: int
) -> Iterator[str]:
    """What the program prints, by the library in this process, and the choice by the reference."""
    choices = compiled.choices
    for number, (x, y) in enumerate(people):
        chooser = HostChooser(choices)
        chooser.begin()
        for i in range(samples):
            chooser.session.train_step(x[i], int(y[i]), 0.0)
        chosen = chooser.choose()
        assert chosen == reference.choose(choices, chooser.session.weights)
        assert chooser.scores() == reference.scores(choices, chooser.session.weights)
        yield f"wearer: {number}"
        yield f"checksum of the judge: {checksum(chooser.session)}"
        yield f"chosen: {chosen}"
        for i in range(len(choices.candidates)):
            candidate = (chosen + i) % len(choices.candidates)
            yield f"candidate: {candidate}"
            yield from adapted(choices.candidates[candidate].program, x, y, samples, epochs)
    yield "done"


def adapted(
    program: Program, x: np.ndarray, y: np.ndarray, samples: int, epochs: int
) -> Iterator[str]:
    session = HostSession(program)
    for when in ("before", "after"):
        if when == "after":
            for i in [*range(samples)] * epochs:
                session.train_step(x[i], int(y[i]), RATE)
        pairs = zip(x[samples:], y[samples:], strict=True)
        yield f"correct {when}: {sum(session.infer(s).argmax() == label for s, label in pairs)}"
    yield f"checksum: {checksum(session)}"


def test_a_board_chooses_and_learns_as_the_host_does(
    compiled: CompiledChoices, tmp_path: Path
) -> None:
    samples, tests, epochs = 8, 2, 1
    people = wearers(tmp_path, samples, tests)
    page = write_choices(compiled.choices, tmp_path, "gait")
    counts = {"samples": samples, "tests": tests, "epochs": epochs}
    (tmp_path / "around.c").write_text(AROUND.format(**counts, example=EXAMPLE))
    data = (tmp_path / "wearers.c").read_text()
    (tmp_path / "wearers.c").write_text(
        f"#define SAMPLES {samples}u\n#define TESTS {tests}u\n{data}"
    )
    library = [path for path in library_sources(ROOT, [REFERENCE]) if path.stem not in UNUSED]
    sources = [*library, *sorted(tmp_path.glob("*.c"))]
    folders = [f"-I{EXAMPLE}", f"-I{EXAMPLE.parent / 'minimal'}"]
    program = build_for_board(sources, tmp_path, BOARD, folders)
    outcome = run(program, tmp_path, BOARD)
    assert outcome.status == 0, outcome.text
    expected = list(on_the_host(compiled, people, samples, epochs))
    assert outcome.text.splitlines() == expected
    assert memory_of(program) == page.memory_bytes == largest(compiled)


def memory_of(program: Path) -> int:
    """The bytes of the block that all models share."""
    command = ["arm-none-eabi-nm", "--print-size", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (size,) = re.findall(r"^\w+ (\w+) b memory$", said, re.MULTILINE)
    return int(size, 16)


def largest(compiled: CompiledChoices) -> int:
    sizes = [(p.arena_bytes, len(p.weights), len(p.state)) for p in compiled.choices.programs]
    return max(sum(-(-part // 4) * 4 for part in one) for one in sizes)


def test_the_page_shows_what_it_prints(compiled: CompiledChoices, tmp_path: Path) -> None:
    """And the two wearers get different schemes."""
    page = (EXAMPLE / "README.md").read_text()
    told = page.split("<!-- output -->\n```\n")[1].split("```")[0].splitlines()
    people = wearers(tmp_path, 64, 64)
    assert list(on_the_host(compiled, people, 64, 3)) == told
    assert [line for line in told if line.startswith("chosen")] == ["chosen: 1", "chosen: 0"]
    written = write_choices(compiled.choices, tmp_path, "gait")
    programs = compiled.choices.programs
    apart = sum(len(p.flash) + len(p.weights) + len(p.state) for p in programs)
    for number in (written.memory_bytes, written.image_bytes, apart):
        assert f"{number:,}" in page


def test_a_candidate_is_the_model_of_its_scheme(compiled: CompiledChoices) -> None:
    """So what a board has learned is for `train`, `evaluate` and `export` with that scheme."""
    for name in CANDIDATES:
        alone = compile_model(read(path_of("activity")), load_scheme(EXAMPLE / f"{name}.toml"))
        assert c.source(alone.program) == c.source(compiled.candidates[name].program)


def test_a_strict_compiler_has_nothing_to_say(compiled: CompiledChoices, tmp_path: Path) -> None:
    write_choices(compiled.choices, tmp_path, "gait")
    folders = (f"-I{INCLUDE}", f"-I{tmp_path}", f"-I{EXAMPLE}", f"-I{EXAMPLE.parent / 'minimal'}")
    command = [*C99, *folders, "-fsyntax-only", EXAMPLE / "main.c"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
