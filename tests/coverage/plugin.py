"""A plugin of pytest: the C library of this process is the one that TINYFLASH_MEASURED names."""

from __future__ import annotations

import os
from pathlib import Path

from tests.sanitized.build import use

use(Path(os.environ["TINYFLASH_MEASURED"]))
