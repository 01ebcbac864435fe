"""Figures of the demo that pages quote; docs/demo.json, which the demo wrote, has their values.

    ./run demo && .venv/bin/python -m tests.support.figures build/demo

copies what the demo wrote into docs/ (report.json as demo.json, with the accuracy of the other
splits, which it trains on this computer; terminal.svg as demo.svg; overview.png), and writes the
figures into the pages.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.pages import ROOT, page

Report = dict[str, Any]
REPORT = ROOT / "docs" / "demo.json"
PICTURES = {"terminal.svg": "demo.svg", "overview.png": "overview.png"}
SPLITS = 5


@dataclass(frozen=True)
class Quote:
    """A sentence of a page. pattern: matches it once, with a group for each figure."""

    page: str
    pattern: str
    figures: Callable[[Report], tuple[str, ...]]


def _million(report: Report) -> tuple[str, ...]:
    return (str(round(report["instructions_step"] / 1e6)),)


def _mean(report: Report) -> str:
    return f"{sum(report['splits']) / SPLITS:.1f}"


QUOTES = (
    Quote(
        "README.md",
        r"Accuracy rises from (\d+) to (\d+) %, in ([\d,]+) bytes of SRAM",
        lambda r: (
            f"{r['accuracy_before']:.0f}",
            f"{r['accuracy_after']:.0f}",
            f"{r['sram_total_bytes']:,}",
        ),
    ),
    Quote("README.md", r"step of the demo takes (\d+) million", _million),
    Quote("README.md", r"over (\d+) training steps", lambda r: (str(r["samples"]),)),
    Quote("docs/manual.md", r"step\s+of\s+the\s+demo\s+takes\s+(\d+)\s+million", _million),
    Quote("docs/results.md", r"step of the demo takes (\d+) million", _million),
    Quote(
        "docs/manual.md",
        r"demo needs ([\d,]+) bytes of SRAM and ([\d,]+) bytes of flash",
        lambda r: (f"{r['sram_total_bytes']:,}", f"{r['flash_bytes']:,}"),
    ),
    Quote(
        "docs/manual.md",
        r"Splits 0 to 4 reach\s+([\d.]+) % on average",
        lambda r: (_mean(r),),
    ),
    Quote(
        "docs/results.md",
        r"input channels\*\* \| 0\.03 \| ([\d,]+) \| ([\d ]+) \| \*\*([\d.]+)\*\* \|",
        lambda r: (
            f"{r['sram_trainable_bytes']:,}",
            " ".join(f"{split:.0f}" for split in r["splits"]),
            _mean(r),
        ),
    ),
    Quote(
        "DESIGN.md",
        r"The demo \[trains ([\d,]+) bytes",
        lambda r: (f"{r['sram_trainable_bytes']:,}",),
    ),
)


def load_report() -> Report:
    """Returns the figures of the demo that the pages quote."""
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    assert isinstance(report, dict)
    return report


def corrected(quote: Quote, text: str, report: Report) -> str:
    """Returns the text of the page with the right figures."""
    found = re.search(quote.pattern, text)
    assert found is not None, f"{quote.page}: {quote.pattern} is not there"
    for index, figure in reversed(list(enumerate(quote.figures(report), 1))):
        start, end = found.span(index)
        text = text[:start] + figure + text[end:]
    return text


def _other_splits() -> list[float]:
    """Trains the other splits on this computer, which gives the board's bytes."""
    from tinyflash.compiler import prepare
    from tinyflash.demo.task import load_task
    from tinyflash.runtime.host import HostSession
    from tinyflash.scheme import scheme
    from tinyflash.training.job import make_ready
    from tinyflash.training.run import run

    scores = []
    for seed in range(1, SPLITS):
        graph, job = load_task(seed)
        ready = make_ready(prepare(graph, scheme("person_faces")), job, None, seed)
        after = run(job, HostSession(ready.compiled.program), ready, f"split {seed}: ").after
        assert after is not None
        scores.append(after.score)
    return scores


def main(folder: Path) -> None:
    """Publishes what the demo wrote to `folder`."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["seed"] == 0, "the pages quote split 0"
    report["splits"] = [report["accuracy_after"], *_other_splits()]
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for name, shown in PICTURES.items():
        shutil.copyfile(folder / name, REPORT.with_name(shown))
    for quote in QUOTES:
        path = page(quote.page)
        text = path.read_text(encoding="utf-8")
        path.write_text(corrected(quote, text, report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
