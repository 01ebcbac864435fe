"""bench quantize on a small network that need not be trained first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.onnxmodels import NETWORKS

from tinyflash.bench.quantize import run as quantize
from tinyflash.bench.quantize.run import Effort, Subject, compare, learn, subject
from tinyflash.errors import DataError


@pytest.fixture
def one(tmp_path: Path) -> Subject:
    """Four kinds of pictures that differ in brightness."""
    path = tmp_path / "net.onnx"
    path.write_bytes(NETWORKS["residual"]())
    x = np.random.default_rng(0).normal(size=(48, 4, 9, 9)).astype(np.float32)
    kinds = np.arange(48) % 4
    x += 2 * kinds[:, np.newaxis, np.newaxis, np.newaxis].astype(np.float32)
    return Subject("net", path, x[:20], x, kinds, known=True)


def test_every_quantizer_is_judged_against_float(
    one: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {k: q for k, q in quantize.quantizers().items() if k.startswith("tinyflash")}
    broken = {"broken": lambda path, calibration: lambda x: np.eye(4, dtype=np.float32)[[0] * 48]}
    monkeypatch.setattr(quantize, "quantizers", lambda: {**ours, **broken})
    told: list[str] = []
    rows = {row.quantizer: row for row in compare(one, told.append)}
    assert told == list(rows) == ["float", *ours, "broken"]
    assert rows["float"].disagreement == 0
    assert rows["float"].snr_db is None
    for name in ours:
        row = rows[name]
        assert row.samples == 48
        assert row.disagreement <= 10
        assert row.accuracy is not None
        assert row.snr_db is not None
        assert row.snr_db > 25
    wanted = rows["broken"]
    assert wanted.disagreement > 10
    assert wanted.accuracy == 25


def test_a_quantized_network_learns(one: Subject) -> None:
    learned = learn(one)
    assert learned.steps == 64
    assert learned.loss_after < 0.9 * learned.loss_before


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no network 'other'; choose one of mobilenetv2, plain"):
        subject("other", Effort(1, 1, 1, 1), tmp_path)
