"""Each field of a record with 32 bits or fewer has a rule that keeps its numbers within."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tinyflash.compiler.preconditions import OF_PROGRAMS, PRECONDITIONS
from tinyflash.paths import source_root

INCLUDE = source_root() / "include" / "tinyflash"
HEADERS = [INCLUDE / "model.h", *sorted((INCLUDE / "kernels").glob("*.h"))]
STORED = "an int8 number"  # zero points: the verifier refuses others
COMPUTED = "of the arithmetic: SPEC clamps it, or counts up to its maximum"

# What bounds a field: a paragraph of SPEC 10, or one of the above; by its name in all records.
BOUNDS = {
    **dict.fromkeys(("height", "ring", "x_ring", "y_ring", "a_ring", "b_ring"), "10.1"),
    **dict.fromkeys(("width", "channels", "top", "left", "front"), "10.2"),
    **dict.fromkeys(("kernel_h", "kernel_w", "stride_h", "stride_w"), "10.3"),
    **dict.fromkeys(("dilation_h", "dilation_w", "pad_top", "pad_left"), "10.3"),
    "shape": "10.4",
    **dict.fromkeys(("x_zero", "y_zero", "a_zero", "b_zero", "alpha_zero"), STORED),
    **dict.fromkeys(("y_min", "y_max", "value"), "10.28"),
    **dict.fromkeys(("momentum", "every", "clipped_limit"), "10.19"),
    "nearest": "0 or 1",
    "larger": "0 or 1",
    "b_sign": "1 or -1",
    "source": "10.30",
    "ratio": COMPUTED,
    "ratio_shift": COMPUTED,
    "reciprocal_shift": "10.13",
    "headroom": "10.23",
    **dict.fromkeys(("mantissa", "exponent"), "10.18"),
    **dict.fromkeys(("gain", "clipped", "probability"), COMPUTED),
    **dict.fromkeys(("label", "predicted"), "10.20"),
    "scale_count": "10.32",
    **dict.fromkeys(("first", "count"), "10.1"),
    "op": "10.36",
}
MULTIPLIER = "a multiplier below 2^31 and its shift (SPEC 7), bounded where it is used"
# The same of the fields of 32 bits.
WIDE_BOUNDS = {
    **dict.fromkeys(("count", "b_count", "rows", "in", "out", "depth", "kept", "size"), "10.33"),
    **dict.fromkeys(("x_stride", "y_stride", "stride", "outer", "inner", "slopes"), "10.33"),
    "classes": "10.20",
    "channels": "10.33",
    "y_zero": STORED,
    **dict.fromkeys(("row_bytes", "input_bytes", "output_bytes", "target_bytes"), "10.33"),
    **dict.fromkeys(("flash_bytes", "weights_bytes", "state_bytes", "arena_bytes"), "10.35"),
    **dict.fromkeys(("multiplier", "a_multiplier", "b_multiplier", "y_multiplier"), MULTIPLIER),
    **dict.fromkeys(("above_multiplier", "below_multiplier"), MULTIPLIER),
    **dict.fromkeys(("shift", "a_shift", "b_shift", "y_shift"), MULTIPLIER),
    **dict.fromkeys(("above_shift", "below_shift"), MULTIPLIER),
    "limit": "10.6",
    **dict.fromkeys(("first", "step", "unit"), "10.24"),
    **dict.fromkeys(("on", "off"), "10.31"),
    "reach": COMPUTED,
    "id": "the number of a tensor",
    "hash": "any number",
    **dict.fromkeys(("peak", "saturated", "seed", "error"), COMPUTED),
    **dict.fromkeys(("weights_saturated", "updates_skipped"), COMPUTED),
}
_STRUCT = re.compile(r"typedef struct (\w+) \{(.*?)\} \1;", re.DOTALL)
_NARROW, _WIDE = (
    re.compile(rf"^\s*(?:const )?u?int(?:{bits})_t ([^;(]*);", re.MULTILINE)
    for bits in ("8|16", "32")
)


def fields(of: re.Pattern[str]) -> Iterator[str]:
    """The names of the fields, and of arrays of such numbers that are not a map's bytes."""
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
        for _, body in _STRUCT.findall(text):
            for line in of.finditer(body):
                if "int8_t *" not in line[0] and "int16_t *velocity" not in line[0]:
                    yield from re.findall(r"(\w+)(?:\[\w+\])?(?:,|$)", line[1])


def test_every_narrow_field_is_bounded() -> None:
    assert set(fields(_NARROW)) == set(BOUNDS)


def test_every_field_of_32_bits_is_bounded() -> None:
    assert set(fields(_WIDE)) == set(WIDE_BOUNDS)


NUMBERS = {b for b in (*BOUNDS.values(), *WIDE_BOUNDS.values()) if b.startswith("10.")}


@pytest.mark.parametrize("bound", sorted(NUMBERS))
def test_a_bound_is_a_precondition(bound: str) -> None:
    assert bound in {*(p.number for p in PRECONDITIONS), *OF_PROGRAMS}
