"""Trains over a line that loses, changes, repeats and cuts off one frame in a hundred each.

    .venv/bin/python -m tests.soak --frames 1000000

The firmware runs on this computer, under sanitizers. Half of the frames carry whole samples, half
rows of samples. Ends with status 1 if the device learned anything but the samples, each once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.line import FAULTS
from tests.soak.run import SUBJECTS, soaked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    wrong = 0
    for name in SUBJECTS:
        with tempfile.TemporaryDirectory() as folder:
            found = soaked(name, asked.frames // len(SUBJECTS), Path(folder), asked.seed)
        one = found.faulty
        wrong += one.wrong
        faults = ", ".join(f"{one.counts[fault]:,} {fault}" for fault in FAULTS)
        print(
            f"{name}: {one.counts['frames']:,} frames ({faults}), {one.steps:,} steps in "
            f"{one.seconds:.0f} s, {one.repeated:,} commands repeated, {one.wrong} wrong; "
            f"throughput {found.throughput:.2f} of the clean line's",
            flush=True,
        )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
