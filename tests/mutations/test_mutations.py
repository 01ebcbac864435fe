"""Every rule of mutations.toml, broken in a copy of the sources, makes a test fail.

Those of the faster kernel sets are a sample: `./run test tests/mutations --all-mutations` runs all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutations.mutation import ROOT, Mutation, is_noticed, load

SETS = ("dsp: ", "mve: ", "host: ")  # how the names begin of those of faster kernel sets
EVERY = 16


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All, or of those of kernel sets, which take minutes, every sixteenth (--all-mutations)."""
    found = load()
    if not metafunc.config.getoption("--all-mutations"):
        of_sets = [mutation for mutation in found if mutation.name.startswith(SETS)]
        found = [one for one in found if one not in of_sets or one in of_sets[::EVERY]]
    metafunc.parametrize("mutation", found, ids=lambda mutation: mutation.name)


def test_a_test_notices(mutation: Mutation, tmp_path: Path) -> None:
    for edit in mutation.edits:
        assert edit.occurrences(ROOT) == 1, f"{edit.file} has changed; it lacks {edit.old!r}"
    assert is_noticed(mutation, tmp_path)
