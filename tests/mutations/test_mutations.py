"""Every rule of mutations.toml, broken in a copy of the sources, makes a test fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutations.mutation import ROOT, Mutation, is_noticed, load


@pytest.mark.parametrize("mutation", load(), ids=lambda m: m.name)
def test_a_test_notices(mutation: Mutation, tmp_path: Path) -> None:
    for edit in mutation.edits:
        assert edit.occurrences(ROOT) == 1, f"{edit.file} has changed; it lacks {edit.old!r}"
    assert is_noticed(mutation, tmp_path)
