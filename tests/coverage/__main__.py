"""Measures how much of lib/ and firmware/ the tests on this computer run, with gcov.

    ./run coverage

Every line must run, and at least 95 % of the branches; reasons.toml explains each of the others. A
line that never runs, a branch without a reason and a reason for what does run are faults, and the
exit status is 1. It takes about a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.coverage.judgement import judge, load_reasons
from tests.coverage.measure import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep what gcov needs here; it must not exist")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        coverage = measure(asked.folder or Path(temporary) / "coverage")
    judgement = judge(coverage, load_reasons())
    print("\nBranches that are never taken, with reasons:")
    print("\n".join(judgement.listed))
    if judgement.faults:
        print("\nFaults:")
        print("\n".join(judgement.faults))
    print(f"\n{judgement.summary}")
    sys.exit(bool(judgement.faults))


if __name__ == "__main__":
    main()
