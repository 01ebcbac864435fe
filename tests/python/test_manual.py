"""docs/manual.md tells the truth: its schemes are schemes, its C is a firmware that learns."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.support.pages import PAGES, ROOT, Block, blocks, code, page

from tinyflash import HostSession, compile_model, read, write_model
from tinyflash.compiler.passes.head import LOGIT_SCALE
from tinyflash.scheme import parse_scheme
from tinyflash.search.candidates import compile_choices
from tinyflash.sources import library_sources
from tinyflash.training.groups import complete_group
from tinyflash.training.samples import Samples
from tinyflash.write.choices import write_choices

MANUAL = page("docs/manual.md")
SCHEMES = [
    block
    for path in PAGES
    for block in blocks(path)
    if block.language == "toml" and re.search(r"^\[\[update\]\]|^head =|^loss =", block.text, re.M)
]
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]


def block(holding: str) -> str:
    """The one C block that holds a text."""
    (found,) = (text for text in code(MANUAL, "c") if holding in text)
    return found


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.page}:{scheme.line}")
def test_a_documented_scheme_is_a_scheme(scheme: Block) -> None:
    parse_scheme(scheme.text)


def test_the_scheme_of_the_manual_says_what_its_comments_say() -> None:
    scheme = parse_scheme(code(MANUAL, "toml")[0])
    assert (scheme.head, scheme.head_range) == (3, 4.0)
    rules = [(r.last, r.weights, r.bias, r.rate) for r in scheme.rules]
    assert rules == [(5, 0.25, True, None), (None, 0.0, None, 0.5)]


CAMERA = """
#include <stdio.h>
#include <string.h>
#include "tinyflash/tinyflash.h"
#include "model.h"
typedef struct camera { int lines; } camera;
static int camera_read_line(camera *from, int row, uint8_t *line) {
    for (uint32_t i = 0; i < MODEL_ROW_BYTES; i++) {
        line[i] = (uint8_t)(7 * row + 3 * (int)i);
    }
    return from->lines-- > 0;
}
"""
MAIN = """
int main(void) {
    const uint32_t label = 1;
    camera camera = {8 + 5};
    tiny_init(&session, &model, &memory);
    for (int step = 0; step < 2; step++) {
        BODY
    }
    fwrite(weights, 1, MODEL_WEIGHTS_BYTES, stdout);
    return 0;
}
"""
AROUND = """
#include <string.h>
#include "tinyflash/tinyflash.h"
#include "model.h"
MEMORY
static uint8_t snapshot[MODEL_WEIGHTS_BYTES + 64];
void stop(void);
void learn(const uint8_t *sample, uint32_t label, tiny_held_out held_out);
void learn(const uint8_t *sample, uint32_t label, tiny_held_out held_out) {
    const uint32_t step = 0;
    BODY
}
"""


def flags_of(folder: Path) -> list[str]:
    return [*FLAGS, f"-I{ROOT / 'include'}", f"-I{folder}"]


def test_its_row_source_is_one(tmp_path: Path, model: Path) -> None:
    """A camera of 13 lines: the first step has all of its 8, and the second fails. The rate is the
    one that the page calls 0.03."""
    compiled = compile_model(read(model), parse_scheme("head = 3"), row_source=True)
    write_model(compiled, tmp_path)
    main = MAIN.replace("BODY", block("tiny_set_source("))
    text = CAMERA + block("static const tiny_memory memory") + block("camera_read_line") + main
    (tmp_path / "main.c").write_text(text)
    sources = [tmp_path / "main.c", tmp_path / "model.c", *library_sources(ROOT)]
    subprocess.run(["cc", *flags_of(tmp_path), *sources, "-o", tmp_path / "main"], check=True)
    learned = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    session = HostSession(compiled.program)
    rows, columns = np.arange(8)[:, np.newaxis], np.arange(compiled.program.row_bytes)
    session.train_step((7 * rows + 3 * columns).astype(np.int8), 1, 0.03)
    assert learned == session.weights != compiled.program.weights


HOLDING = ["from here on", "tiny_schedule_rate", "tiny_guard_begin"]


@pytest.mark.parametrize("holding", HOLDING)
def test_its_other_c_compiles(tmp_path: Path, model: Path, holding: str) -> None:
    write_model(compile_model(read(model), parse_scheme("head = 3")), tmp_path)
    text = AROUND.replace("MEMORY", block("static const tiny_memory memory"))
    unused = "(void)memory, (void)sample, (void)held_out, (void)snapshot, (void)step;\n"
    (tmp_path / "main.c").write_text(text.replace("BODY", unused + block(holding)))
    subprocess.run(["cc", *flags_of(tmp_path), "-fsyntax-only", tmp_path / "main.c"], check=True)


CHOOSING = """
#include "tinyflash/tinyflash.h"
#include "mine.h"
static tiny_session session;
void learn(tiny_factor rate);
uint32_t choose(void);
uint32_t choose(void) {
    BODY
    return chosen;
}
"""


def test_its_choice_compiles(tmp_path: Path, model: Path) -> None:
    rules = "[[update]]\nlayers = ['fully_connected_2']\nweights = {}\n"
    early = f"{rules.format(0.0)}[[update]]\nlayers = ['conv2d_1']\nweights = 1.0\n"
    schemes = {"early": parse_scheme(early), "late": parse_scheme(rules.format(0.5))}
    write_choices(compile_choices(read(model), schemes).choices, tmp_path, "mine")
    (tmp_path / "main.c").write_text(CHOOSING.replace("BODY", block("tiny_choose_begin(")))
    subprocess.run(["cc", *flags_of(tmp_path), "-fsyntax-only", tmp_path / "main.c"], check=True)
    assert all(f"MINE_CHOICE_{n}" in (tmp_path / "mine.h").read_text() for n in ("EARLY", "LATE"))


GROUPS = """
#include <stdio.h>
#include <string.h>
#include "tinyflash/tinyflash.h"
#include "model.h"
MEMORY
int main(void) {
    uint32_t label = 0;
    uint8_t sample[MODEL_INPUT_BYTES];
    tiny_init(&session, &model, &memory);
    for (int step = 0; step < 6; step++) {
        label = (uint32_t)step % 3;
        memset(sample, 7 * step, sizeof sample);
        memcpy(tiny_train_input(&session), sample, MODEL_INPUT_BYTES);
        tiny_train(&session, label, rate);
    }
    BODY
    fwrite(weights, 1, MODEL_WEIGHTS_BYTES, stdout);
    return 0;
}
"""


def test_its_firmware_completes_a_group_as_train_does(tmp_path: Path, model: Path) -> None:
    scheme = parse_scheme("head = 3\n[optimizer]\naccumulate = 4")
    compiled = compile_model(read(model), scheme)
    write_model(compiled, tmp_path)
    text = GROUPS.replace("MEMORY", block("static const tiny_memory memory"))
    (tmp_path / "main.c").write_text(text.replace("BODY", block("step % 4")))
    sources = [tmp_path / "main.c", tmp_path / "model.c", *library_sources(ROOT)]
    subprocess.run(["cc", *flags_of(tmp_path), *sources, "-o", tmp_path / "main"], check=True)
    learned = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    session, size = HostSession(compiled.program), compiled.program.input_bytes
    x = np.repeat(7 * np.arange(6, dtype=np.int8)[:, np.newaxis], size, axis=1)
    for step, sample in enumerate(x):
        session.train_step(sample, step % 3, 0.03)
    before = session.weights
    assert complete_group(session, Samples(x[-1:], np.array([1])), compiled.accumulate) == 2
    assert learned == session.weights != before


def test_the_manual_knows_the_steps_of_a_new_head() -> None:
    text = " ".join(MANUAL.read_text(encoding="utf-8").split())
    assert f"from -16 to 16 in steps of 16/127, or {LOGIT_SCALE:.3f}:" in text
