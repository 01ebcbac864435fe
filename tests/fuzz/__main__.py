"""Fuzzes all that reads a user's files, and both ends of the link, for as long as asked.

    .venv/bin/pip install -e '.[fuzz]'
    .venv/bin/python -m tests.fuzz --minutes 15

Corpus, logs and findings (the case, and how it came about) are in the output folder; a corpus that
is there already is gone on with.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.firmware.build import Kind, build, counts
from tests.fuzz.firmware.build import fuzz as run

FIRMWARE: dict[str, Kind] = {
    "firmware": "whole", "firmware_rows": "rows", "firmware_targets": "targets"
}  # fmt: skip
# Shares of the time. The readers of models have by far the most to go wrong.
SHARES = {
    "tflite": 7,
    "float_tflite": 3,
    "onnx": 5,
    "scheme": 1,
    "data": 1,
    "learned": 1,
    "link": 1,
}
SHARES |= dict.fromkeys(FIRMWARE, 1)
FINDINGS = ("finding-*[0-9a-f]", "crash-*", "timeout-*", "oom-*", "leak-*")


def fuzz(name: str, seconds: float, folder: Path) -> int:
    """Runs one target until its time is up, again after each crash; the executions."""
    end, executions = time.monotonic() + seconds, 0
    folder.mkdir(parents=True, exist_ok=True)
    if name in FIRMWARE:
        return fuzz_firmware(name, seconds, folder)
    while (left := end - time.monotonic()) >= 1:
        command = [sys.executable, "-m", "tests.fuzz.engine", name, str(int(left)), str(folder)]
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            subprocess.run(command, stdout=log, stderr=log, check=False)
        text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        executions = sum(map(int, re.findall(r"stat::number_of_executed_units: *(\d+)", text)))
        if "number_of_executed_units" not in text:
            raise SystemExit(f"{name} did not start; see {folder}/log.txt")
    return executions


def fuzz_firmware(name: str, seconds: float, folder: Path) -> int:
    """The same for firmware, which is C: by a fuzzer of its own. A finding ends it."""
    (folder / "build").mkdir(exist_ok=True)
    program = build(folder / "build", FIRMWARE[name])
    try:
        found = run(program, int(seconds), folder / "corpus", FIRMWARE[name])
    except AssertionError as finding:
        (folder / "log.txt").write_text(str(finding), encoding="utf-8")
        return 0
    return counts(found)[0]


def findings(folder: Path) -> list[Path]:
    return sorted(path for pattern in FINDINGS for path in folder.rglob(pattern))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[*SHARES, []], help="without any: all")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"))
    asked = parser.parse_args()
    names = asked.targets or list(SHARES)
    unit = asked.minutes * 60 / sum(SHARES[name] for name in names)
    found = []
    for name in names:
        folder = asked.output / name
        executions = fuzz(name, unit * SHARES[name], folder)
        found += findings(folder)
        corpus = len(list((folder / "corpus").iterdir()))
        print(f"{name:8} {executions:9,} executions, {corpus:5,} cases in the corpus", flush=True)
    for path in found:
        print(f"found {path}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
