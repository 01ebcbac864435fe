"""Mutates .tflite files where it matters: at the very numbers that the reader looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import flatbuffers.encode
import numpy as np
from tests.fuzz.mutator import flip, interesting
from tests.support.flatfile import FileOperator, FileTensor
from tests.support.random_files import RandomFile

from tinyflash.errors import TinyflashError
from tinyflash.read.tflite.flat import load

Place = tuple[int, int]  # where a number is, and its size in bytes
NUMBERS = (0, 1, -1, 2, 3, 127, 128, -128, -129, 255, 256, 65535, 2**31 - 1, -(2**31), 10**6)
SCALES = (0.0, -1.0, 1e-45, 1e-38, 1e-7, 0.5, 1.0, 1e9, 3e38, float("inf"), float("nan"))
TYPES = ("INT8", "UINT8", "INT16", "INT32", "INT64", "FLOAT32")


@contextmanager
def _noting(places: set[Place]) -> Iterator[None]:
    """Notes every number that is read out of a FlatBuffer: fields, offsets, vtables, vectors."""
    get, vector = flatbuffers.encode.Get, flatbuffers.encode.GetVectorAsNumpy

    def noted(packer: Any, buffer: bytes, head: int) -> Any:
        places.add((head, packer.size))
        return get(packer, buffer, head)

    def noted_vector(kind: Any, buffer: bytes, count: int, offset: int) -> Any:
        size = np.dtype(kind).itemsize
        places.update((offset + i * size, size) for i in range(min(count, 8)))
        return vector(kind, buffer, count, offset)

    with (
        mock.patch.object(flatbuffers.encode, "Get", noted),
        mock.patch.object(flatbuffers.encode, "GetVectorAsNumpy", noted_vector),
    ):
        yield


def places_of(content: bytes, path: Path) -> list[Place]:
    """The numbers of a file that its reader looks at before it is content, or is not."""
    places: set[Place] = set()
    path.write_bytes(content)
    with _noting(places), suppress(TinyflashError):
        load(path)
    return sorted(p for p in places if 0 <= p[0] <= len(content) - p[1])


def mutate_flat(content: bytes, random: Random, path: Path) -> bytes:
    """Another file: numbers changed or exchanged, bytes flipped; now and then a new network."""
    if random.random() < 0.25 or not content:
        return broken_file(random)
    changed, places = bytearray(content), places_of(content, path)
    for _ in range(random.choice((1, 1, 2, 4))):
        if not places or random.random() < 0.15:
            changed = bytearray(flip(bytes(changed), random))
            continue
        at, size = random.choice(places)
        if at + size > len(changed):
            continue
        alike = [p for p in places if p[1] == size and p[0] + size <= len(changed)]
        other, _ = random.choice(alike)
        kept = bytes(changed[other : other + size])
        value = interesting(bytes(changed[at : at + size]), random)
        changed[at : at + size] = kept if random.random() < 0.3 else value
    return bytes(changed)


def broken_file(random: Random) -> bytes:
    """A random network, some of whose records say something else than they should."""
    builder = RandomFile(random.randrange(1 << 30))
    for _ in range(random.randrange(1, 6)):
        builder.grow()
    content = builder.finish()
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        tensor = random.choice(builder.file.tensors)
        _break_tensor(tensor, random)
        _break_operator(random.choice(builder.file.operators), len(builder.file.tensors), random)
    with suppress(Exception):  # what no file can say is not tried
        content = builder.file.finish()
    return content


def _break_tensor(tensor: FileTensor, random: Random) -> None:
    what = random.randrange(9)
    if what == 0:
        tensor.scale = [random.choice(SCALES) for _ in tensor.scale or [0]]
    elif what == 1:
        tensor.zero = [random.choice(NUMBERS)] * random.choice((1, 1, 2, 5))
    elif what == 2:
        sides = list(tensor.shape) or [1]
        sides[random.randrange(len(sides))] = random.choice(NUMBERS)
        tensor.shape = tuple(sides)
    elif what == 3:
        tensor.shape = tuple(random.sample(tensor.shape, len(tensor.shape)))
    elif what == 4:
        tensor.type = random.choice(TYPES)
    elif what == 5 and tensor.data is not None:
        tensor.data = random.choice((None, b"", random.randbytes(40)))
    elif what == 6:
        tensor.axis = random.choice(NUMBERS)
    elif what == 7:
        tensor.scale = random.choice((None, [0.1] * random.randrange(5)))


def _break_operator(operator: FileOperator, tensors: int, random: Random) -> None:
    what = random.randrange(9)
    if what == 0 and operator.inputs:
        place = random.randrange(len(operator.inputs))
        operator.inputs[place] = random.randrange(-2, tensors + 1)
    elif what == 1:
        operator.outputs = [random.randrange(tensors)]
    elif what == 2 and operator.fields:
        name = random.choice(sorted(operator.fields))
        if not isinstance(operator.fields[name], list):
            operator.fields[name] = random.choice(NUMBERS)
    elif what == 3:
        operator.code = random.choice(("ADD", "MUL", "RESHAPE", "MEAN", "PACK", "CUSTOM", "RELU"))
    elif what == 4:
        operator.inputs = operator.inputs * random.randrange(3)
