"""bench memory: its rows add up, and work done twice would show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.bench import memory
from tinyflash.compiler import compile_model
from tinyflash.compiler.costs import multiply_adds
from tinyflash.zoo import published

PARTS = ("arena", "trainable", "state", "stack", "static", "scratch")


@pytest.fixture
def one_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = published.schemes("mcunet-5fps")["49kb"]
    monkeypatch.setattr(published, "schemes", lambda name: {"49kb": scheme})


def test_rows(tmp_path: Path, one_scheme: None) -> None:
    path = tmp_path / "m.json"
    networks = ["--network", "mcunet-5fps", "--network", "ResNet8"]
    result = tinyflash("bench", "memory", *networks, "--json", path, "-v")
    assert result.exit_code == 0, result.output
    rows = json.loads(path.read_text())
    assert [(r["network"], r["scheme"]) for r in rows] == [
        ("mcunet-5fps", "49kb"),
        ("ResNet8", "resnet_fashion"),
    ]
    for row in rows:
        keys = ("network", "scheme", *PARTS, "total", "lower_bound", "recomputed_macs", "seconds")
        assert tuple(row) == keys
        assert row["total"] == sum(row[part] for part in PARTS)
        assert row["lower_bound"] <= row["arena"]
        assert row["recomputed_macs"] == 0
        assert f"{row['total']:,}" in result.stdout
    assert 31_000 < rows[0]["trainable"] <= 32_104  # channels that never learn are left out
    assert "mcunet-5fps 49kb, at " in result.stdout


def test_an_unknown_network_gets_one_line() -> None:
    assert "no network 'x'; choose one of mbv2" in refused("bench", "memory", "--network", "x")


def test_rows_computed_again_are_counted(one_scheme: None) -> None:
    (subject,) = memory.subjects(["mcunet-5fps"])
    compiled = compile_model(subject.graph, subject.update)
    assert compiled.train is not None
    plan = compiled.train.plan
    first = plan.calls[0]
    again = replace(plan, calls=(first, *plan.calls))
    train = replace(compiled.train, plan=again)
    node = train.graph.nodes[first.node]
    assert (
        memory.recomputed(replace(compiled, train=train))
        == multiply_adds(train.graph, node) * first.count / 64
    )


def test_every_network_is_measured(one_scheme: None) -> None:
    found = {subject.network for subject in memory.subjects()}
    assert found == set(memory.NETWORKS)
