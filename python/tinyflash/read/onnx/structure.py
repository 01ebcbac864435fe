"""Measures how much of an ONNX file is structure, before parsing it.

protobuf turns two bytes into objects of a hundred, so even a small file could fill the memory. Most
bytes of a model are the numbers of its tensors; everything else is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# Fields that lead to tensors, by message, and the fields with a tensor's numbers. Varint numbers
# count as structure: each of their bytes may become eight.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor"},
}
_NUMBERS = {4, 9, 10}  # float_data, raw_data, double_data
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def structure_bytes(content: bytes, limit: int) -> int:
    """Returns the bytes that are not numbers of tensors; stops counting above `limit`. Raises
    ValueError if the file is damaged."""
    numbers = 0
    for fields, found in enumerate(_numbers(content, "model", 0, len(content)), 1):
        numbers += found
        if 2 * fields > limit:  # a field has at least two bytes
            return 2 * fields
    return len(content) - numbers


def _numbers(content: bytes, kind: str, start: int, end: int) -> Iterator[int]:
    """Yields the bytes of numbers for each field of a message and of its inner messages."""
    inside = _INSIDE.get(kind, {})
    for number, first, last in _fields(content, start, end):
        yield last - first if kind == "tensor" and number in _NUMBERS else 0
        if number in inside:
            yield from _numbers(content, inside[number], first, last)


def _fields(content: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and end of the fields with a length in a message."""
    while at < end:
        key, at = _varint(content, at, end)
        number, wire = key >> 3, key & 7
        if wire == _LENGTH:
            size, at = _varint(content, at, end)
            if size > end - at:
                raise ValueError("a field is longer than its message")
            yield number, at, at + size
            at += size
        elif wire == _VARINT:
            _, at = _varint(content, at, end)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Returns a number, and the offset after it."""
    value = shift = 0
    while at < end and shift < 64:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number without end")
