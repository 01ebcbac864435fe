"""Each field of a record with fewer than 32 bits has a rule that keeps its numbers within."""

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
    "op": "10.34",
}
_STRUCT = re.compile(r"typedef struct (\w+) \{(.*?)\} \1;", re.DOTALL)
_FIELD = re.compile(r"^\s*(?:const )?u?int(?:8|16)_t ([^;(]*);", re.MULTILINE)


def narrow_fields() -> Iterator[str]:
    """The names of the fields, and of arrays of such numbers that are not a map's bytes."""
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
        for _, body in _STRUCT.findall(text):
            for line in _FIELD.finditer(body):
                if "int8_t *" not in line[0] and "int16_t *velocity" not in line[0]:
                    yield from re.findall(r"(\w+)(?:\[\w+\])?(?:,|$)", line[1])


def test_every_narrow_field_is_bounded() -> None:
    assert set(narrow_fields()) == set(BOUNDS)


@pytest.mark.parametrize("bound", sorted({b for b in BOUNDS.values() if b.startswith("10.")}))
def test_a_bound_is_a_precondition(bound: str) -> None:
    assert bound in {*(p.number for p in PRECONDITIONS), *OF_PROGRAMS}
