"""What pages say of the demo is what the demo wrote: docs/demo.json, docs/demo.svg."""

from __future__ import annotations

import dataclasses
import re

import pytest
from tests.support.figures import QUOTES, SPLITS, Quote, corrected, load_report
from tests.support.pages import page

from tinyflash.demo import Report


@pytest.mark.parametrize("quote", QUOTES, ids=lambda q: f"{q.page}: {q.pattern[:40]}")
def test_a_page_quotes_the_demo(quote: Quote) -> None:
    """`python -m tests.support.figures` writes the right ones."""
    text = page(quote.page).read_text(encoding="utf-8")
    found = re.findall(quote.pattern, text)
    assert len(found) == 1
    said = found[0] if isinstance(found[0], tuple) else (found[0],)
    assert said == quote.figures(load_report())
    assert corrected(quote, text, load_report()) == text


def test_another_run_changes_every_quote() -> None:
    other = {k: v + 12345 if isinstance(v, int | float) else v for k, v in load_report().items()}
    other["instructions_step"] *= 2
    other["splits"] = [1.0, 2.0, 3.0, 4.0, 5.0]
    for quote in QUOTES:
        text = page(quote.page).read_text(encoding="utf-8")
        changed = corrected(quote, text, other)
        assert changed != text
        assert corrected(quote, changed, load_report()) == text


def test_the_file_is_one_that_the_demo_writes() -> None:
    report = load_report()
    splits = report.pop("splits")
    assert report.keys() == {field.name for field in dataclasses.fields(Report)}
    assert report["bit_exact"] is True
    assert len(splits) == SPLITS
    assert splits[0] == report["accuracy_after"]


def test_the_terminal_in_the_readme_is_of_the_same_run() -> None:
    shown = page("docs/demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    report = load_report()
    sizes = ("sram_total", "sram_arena", "sram_trainable", "sram_static", "sram_stack", "flash")
    figures = [f"{report[f'{name}_bytes']:,}" for name in sizes]
    figures += [f"{report[name]:,}" for name in ("instructions_infer", "instructions_step")]
    figures += [f"{report[f'accuracy_{name}']:.1f} %" for name in ("before", "after", "head_only")]
    assert [figure for figure in figures if figure not in shown] == []
