"""Every rule of mutations.toml, broken in a copy of the sources, makes a test fail.

A sample runs with the other tests; `./run test tests/mutations --all-mutations` runs all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutations.mutation import ROOT, Mutation, is_noticed, load

SETS = ("dsp: ", "mve: ", "host: ")  # how the names begin of those of faster kernel sets
EVERY_OF_SETS, EVERY_OTHER = 24, 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All of them take long; without --all-mutations it is a sample, always the same."""
    if "mutation" not in metafunc.fixturenames:
        return
    found = load()
    if not metafunc.config.getoption("--all-mutations"):
        of_sets = [mutation for mutation in found if mutation.name.startswith(SETS)]
        others = [mutation for mutation in found if mutation not in of_sets]
        found = of_sets[::EVERY_OF_SETS] + others[::EVERY_OTHER]
    metafunc.parametrize("mutation", found, ids=lambda mutation: mutation.name)


def test_each_names_a_text_that_occurs_once() -> None:
    for mutation in load():
        for edit in mutation.edits:
            found = edit.occurrences(ROOT)
            assert found == 1, f"{edit.file} has changed; it has {edit.old!r} {found} times"


def test_a_test_notices(mutation: Mutation, tmp_path: Path) -> None:
    assert is_noticed(mutation, tmp_path)
