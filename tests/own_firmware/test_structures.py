"""TINY_MODEL_VERSION rises whenever a structure changes that a model.c relies on."""

from __future__ import annotations

import json

from tests.support.structures import KEPT, changed, current, version


def test_a_changed_structure_has_a_new_version() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    others = changed(kept["structures"], current())
    assert kept["version"] == version(), "run python -m tests.support.structures"
    assert not others, "raise TINY_MODEL_VERSION, then run python -m tests.support.structures"
    new = sorted(set(current()) - set(kept["structures"]))
    assert not new, "run python -m tests.support.structures"


def test_it_notices_fields_and_buffers() -> None:
    now = current()
    assert len(now) > 60
    assert changed(now, now) == []
    other = {**now, "tiny_map": now["tiny_map"].replace("height, width", "width, height")}
    other["mul_backward_a"] = "dy, b, s_dy, [mask], da, s_da"
    assert changed(now, other) == ["mul_backward_a", "tiny_map"]
    del other["tiny_op"]
    assert "tiny_op" in changed(now, other)
    assert changed(now, {**now, "tiny_new": "int8_t x;"}) == []
