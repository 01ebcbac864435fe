"""README tells the truth: its Python example runs, its scheme is one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinyflash.passes.scheme import parse_scheme

README = Path(__file__).resolve().parents[2] / "README.md"


def block(language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


def test_its_scheme_is_a_scheme() -> None:
    scheme = parse_scheme(block("toml"))
    assert scheme.head == 3
    assert [(r.last, r.weights, r.bias) for r in scheme.rules] == [
        (5, 0.25, True),
        (None, 0.0, None),
    ]


def test_its_python_runs(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    Path("s.toml").write_text("head = 3")
    samples = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)
    names = {"samples": samples, "labels": np.arange(6) % 3, "x": samples[0]}
    exec(block("python") + 'compiled.write("model")\n', names)
    assert (tmp_path / "model" / "model.c").exists()
    assert names["logits"].shape[-1] == 3
