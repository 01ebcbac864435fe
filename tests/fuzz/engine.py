"""One fuzz target under atheris, guided by the coverage of our own code.

Run by `python -m tests.fuzz`, in a process of its own: a crash of the C library ends it, and so
does a case that takes too long or too much memory; libFuzzer then leaves that case behind.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from hashlib import sha256
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["tinyflash"]):
    from tests.fuzz.target import attempt
    from tests.fuzz.targets import TARGETS

    from tinyflash.errors import TinyflashWarning

LONGEST_CASE = 1 << 16  # bytes
SLOWEST_CASE = 20  # seconds
MOST_MEMORY = 700  # MB, the instrumented interpreter included
MOST_RUNS = 100_000  # of one process: atheris keeps about 2 KB of each, which is no finding


def keep(finding: Exception, content: bytes, folder: Path) -> None:
    """Leaves one case for each place that a finding comes out of."""
    frames = traceback.extract_tb(finding.__traceback__)
    places = "".join(f"{frame.filename}:{frame.lineno} " for frame in frames)
    name = sha256(f"{type(finding).__name__} {places}".encode()).hexdigest()[:12]
    case, story = folder / f"finding-{name}", folder / f"finding-{name}.txt"
    if not case.exists():
        case.write_bytes(content)
        story.write_text("".join(traceback.format_exception(finding)), encoding="utf-8")


def main(name: str, seconds: str, folder: Path) -> None:
    target, work = TARGETS[name], folder / "work"
    corpus = folder / "corpus"
    for place in (work, corpus):
        place.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(target.seeds(work)):
        (corpus / f"seed-{index}").write_bytes(seed)

    def one(content: bytes) -> None:
        try:
            attempt(target, content, work / "case")
        except Exception as finding:
            keep(finding, content, folder)

    def mutated(content: bytes, most: int, seed: int) -> bytes:
        return target.mutate(content, Random(seed), work / "mutant")[:most]

    warnings.simplefilter("error")
    warnings.simplefilter("ignore", TinyflashWarning)
    options = [
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST_CASE}", f"-timeout={SLOWEST_CASE}"),
        f"-runs={MOST_RUNS}",
        *(f"-rss_limit_mb={MOST_MEMORY}", f"-artifact_prefix={folder}/", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
