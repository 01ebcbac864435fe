"""Trains random networks with the C library under the address and undefined behaviour sanitizers.

    .venv/bin/python -m tests.sanitized                 # 2,000 networks
    .venv/bin/python -m tests.sanitized --count 20000 --first 100000

Every other network has all values at their ends: weights, biases, zero points, samples, targets,
learning rates, gains, counters. Every byte is compared with the numpy reference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.sanitized.build import build_sanitized
from tests.sanitized.workers import train_networks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="the seed of the first network")
    parser.add_argument("--count", type=int, default=2000, help="of networks")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        extension = build_sanitized(Path(folder))
        outcome = train_networks(extension, asked.first, asked.count)
    print(outcome.text)
    sys.exit(bool(outcome.finding))


if __name__ == "__main__":
    main()
