"""The structures and buffers that a model.c relies on, as they were for TINY_MODEL_VERSION.

python -m tests.support.structures

writes tests/structures.json from the headers, unless one has changed and the version has not.
"""

from __future__ import annotations

import json
import re

from tests.support.pages import ROOT

KEPT = ROOT / "tests" / "structures.json"
INCLUDE = ROOT / "include" / "tinyflash"
# What a session or a caller has; no model.c contains them.
NOT_IN_A_MODEL = {"tiny_session", "tiny_memory", "tiny_picture", "tiny_schedule", "tiny_guard"}
NOT_IN_A_MODEL |= {"tiny_score", "tiny_held_out", "tiny_gradient", "tiny_gradient_out"}
NOT_IN_A_MODEL |= {
    "tiny_replay",
    "tiny_spectrogram",
    "tiny_weights",
    "tiny_trained",
    "tiny_error",
    "tiny_schedule_kind",
}


def version() -> int:
    """Returns TINY_MODEL_VERSION."""
    text = (INCLUDE / "model.h").read_text(encoding="utf-8")
    (found,) = re.findall(r"^#define TINY_MODEL_VERSION (\d+)$", text, re.MULTILINE)
    return int(found)


def current() -> dict[str, str]:
    """Returns structures by name, and the buffers of kernels by the name of the kernel."""
    found = {}
    for path in sorted(INCLUDE.rglob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for body, name in re.findall(r"typedef (?:struct|enum) \w+ \{(.*?)\} (\w+);", text, re.S):
            if name not in NOT_IN_A_MODEL:
                found[name] = " ".join(body.split())
    ops = (INCLUDE / "ops.h").read_text(encoding="utf-8")
    for roles, names in re.findall(r"^/\* (.*?) \*/\n((?:TINY_OP\(\w+\);\n)+)", ops, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"TINY_OP\((\w+)\)", names), roles)
    return found


def changed(kept: dict[str, str], now: dict[str, str]) -> list[str]:
    """Returns the names of those that are not as they were. New ones harm no old model."""
    return sorted(name for name, text in kept.items() if now.get(name) != text)


def main() -> None:
    """Writes the file."""
    now = current()
    if KEPT.exists():
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
        others = changed(kept["structures"], now)
        if others and kept["version"] == version():
            raise SystemExit(f"{', '.join(others)} changed: raise TINY_MODEL_VERSION in model.h")
    content = {"version": version(), "structures": now}
    KEPT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
