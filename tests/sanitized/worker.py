"""Trains random networks with a sanitized library: `worker EXTENSION FIRST COUNT`.

A process of its own, since a finding ends it. It prints each seed before it runs it, so the last
line names the network of a finding.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.sanitized.build import use

use(Path(sys.argv[1]))

from tests.sanitized.runs import train_random  # noqa: E402

for seed in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    print(f"seed {seed}", flush=True)
    print(train_random(seed), flush=True)
