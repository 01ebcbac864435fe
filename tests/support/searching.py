"""Work for the engine's workers, which import it by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tinyflash.search.engine import Trial
from tinyflash.search.engine.pool import ProcessPool
from tinyflash.search.engine.store import Results


def doubled(factor: int, item: int) -> dict[str, float]:
    return {"loss": float(factor * item), "accuracy": 0.0}


def counted(_: object, trial: Trial) -> dict[str, object]:
    """What a training would return."""
    return {"loss": float(trial.seed), "accuracy": 0.0, "error": ""}


def deadly_once(folder: str, item: int) -> dict[str, float]:
    """Kills its own process at item 7, the first time."""
    mark = Path(folder) / "died"
    if item == 7 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(2, item)


def deadly(_: object, item: int) -> dict[str, float]:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(2, item)


def slow(_: object, item: int) -> dict[str, float]:
    time.sleep(0.1)
    return doubled(2, item)


def main() -> None:
    """A driver that a test kills: keeps results in a file until then."""
    results = Results(Path(sys.argv[1]))
    items = [(str(i), i) for i in range(1000) if str(i) not in results.known]
    with ProcessPool(slow, None, 1) as pool:
        for found in pool.run(items):
            results.keep(found)
            print(len(results.known), flush=True)


if __name__ == "__main__":
    main()
