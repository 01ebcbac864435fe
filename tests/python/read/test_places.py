"""Steps of places, and takes of any number of dimensions, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.models import File

from tinyflash.graph import Steps
from tinyflash.read import read
from tinyflash.read.places import nearest, steps_of, takes
from tinyflash.reference import Machine
from tinyflash.reference.forward import take


@pytest.mark.parametrize("seed", range(60))
def test_takes_are_those_of_numpy(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(1, 6, random.integers(1, 7)))
    taken = [range(n) if random.integers(2) else places(random, n) for n in shape]
    x = random.integers(-128, 128, shape)
    y = x
    for one in takes(shape, taken):
        y = take(y.reshape(one.x), one.y, one.attrs)
    np.testing.assert_array_equal(y.reshape([len(t) for t in taken]), x[np.ix_(*taken)])


def places(random: np.random.Generator, size: int) -> list[int]:
    """Of a slice, or of a larger or smaller axis."""
    if random.integers(2):
        return list(range(size)[int(random.integers(size)) :: int(random.integers(1, 4))])
    return nearest(size, int(random.integers(1, 9)), align_corners=False, half_pixels=True)


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ([0, 1, 2], Steps()),
        ([4], Steps(4)),
        ([3, 5, 7], Steps(3, 2)),
        ([2, 2, 2], Steps(6, 1, 3)),
        ([0, 0, 1, 1], Steps(0, 1, 2)),
        ([1, 1, 2, 2], Steps(2, 1, 2)),
        ([0, 2, 3, 5], Steps(1, 3, 2)),
    ],
)
def test_the_simplest_steps_are_found(found: list[int], steps: Steps) -> None:
    assert steps_of(found) == steps


def test_whole_factors_are_even_in_every_way() -> None:
    """Also from map sizes at which the format's float32 rounds the ratio."""
    for size in range(1, 130):
        for factor in range(1, 9):
            for half in (False, True):
                found = nearest(size, size * factor, align_corners=False, half_pixels=half)
                assert found == [i // factor for i in range(size * factor)]
                assert steps_of(found) == (
                    Steps(0, 1, factor) if size > 1 and factor > 1 else steps_of(found)
                )


@pytest.mark.parametrize(
    ("masks", "numbers", "expected"),
    [
        ({"EllipsisMask": 1}, [[0, 5], [9, 7], [1, 1]], np.s_[..., 5:7]),
        ({"EllipsisMask": 2}, [[0, 0, 1], [1, 0, 4], [1, 1, 2]], np.s_[:1, ..., 1:4:2]),
        ({"NewAxisMask": 2}, [[0, 0, 2], [1, 0, 5], [1, 1, 1]], np.s_[:1, None, 2:5]),
        (
            {"NewAxisMask": 4, "ShrinkAxisMask": 2},
            [[0, 3, 0], [1, 4, 0], [1] * 3],
            np.s_[:1, 3, None],
        ),
        (
            {"ShrinkAxisMask": 8, "EllipsisMask": 2},
            [[0, 0, 0, -1], [1, 0, 2, 0], [1] * 4],
            np.s_[:1, ..., :2, -1],
        ),
        ({"Offset": True}, [[0, 2, 1], [1, 3, 2], [1] * 3], np.s_[:1, 2:5, 1:3]),
    ],
)
def test_masks_that_tflm_does_not_know(
    masks: dict[str, int], numbers: list[list[int]], expected: object, tmp_path: Path
) -> None:
    """As numpy's own slices; TFLM's interpreter refuses these files."""
    file = File(1)
    x = file.input((1, 9, 8, 6), 0.1, 4)
    stored = np.random.default_rng(2).integers(-128, 128, (1, 9, 8, 6)).astype(np.int8)
    wanted = stored[expected]  # type: ignore[call-overload]
    file.finish(file.slice(x, numbers[0], numbers[1], numbers[2], wanted.shape, **masks))
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish())
    np.testing.assert_array_equal(Machine(read(path)).infer(stored), wanted.ravel())
