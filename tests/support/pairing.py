"""A pairing key, and how firmware for this computer is built with it."""

from __future__ import annotations

from pathlib import Path

KEY = bytes(range(16))


def settings(folder: Path, key: bytes = KEY) -> tuple[str, ...]:
    """Options of the compiler, with the key in a header in the folder."""
    low, high = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    text = f"#define PAIRING_KEY_LOW {low:#x}ull\n#define PAIRING_KEY_HIGH {high:#x}ull\n"
    (folder / "pairing_key.h").write_text(text)
    return "-DPAIRING=1", f"-I{folder}"
