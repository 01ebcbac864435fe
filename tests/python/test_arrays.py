"""Samples as they are given, and the shape that a network reads."""

import numpy as np
import pytest

from tinyflash.arrays import fitted
from tinyflash.errors import DataError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((5, 128, 6), (1, 128, 6)),
        ((5, 128, 6), (128, 1, 6)),
        ((5, 128), (1, 128, 1)),
        ((5, 128, 1), (1, 128, 1)),
        ((5, 28, 28), (28, 28, 1)),
        ((5, 6), (1, 1, 6)),
        ((5,), (1, 1)),
        ((5, 4, 3, 2), (4, 3, 2)),
    ],
)
def test_axes_of_length_1_may_be_left_out(given, wanted):
    x = np.arange(np.prod(given)).reshape(given)
    found = fitted(x, wanted)
    assert found.shape == (5, *wanted)
    assert (found.reshape(-1) == x.reshape(-1)).all()


@pytest.mark.parametrize(
    ("given", "wanted", "remedy"),
    [
        ((5, 6, 128), (1, 128, 6), "; put the channels last: numpy.moveaxis(x, 1, -1)"),
        ((5, 3, 8, 8), (8, 8, 3), "; put the channels last: numpy.moveaxis(x, 1, -1)"),
        ((5, 8, 9, 3), (3, 8, 9), "; put the channels first: numpy.moveaxis(x, -1, 1)"),
        ((5, 40, 3), (3, 40), "; swap the last two axes: numpy.moveaxis(x, 1, -1)"),
        ((128, 6), (1, 128, 6), "; give one sample a first axis, too: x[None]"),
        ((5, 127, 6), (1, 128, 6), ""),
        ((5, 1, 1, 128, 6), (1, 128, 6), ""),
        ((5, 8, 9, 3), (3, 8, 9), "; put the channels first: numpy.moveaxis(x, -1, 1)"),
        (
            (5, 768),
            (1, 128, 6),
            "; if they were flattened in this order: x.reshape(-1, 1, 128, 6)",
        ),
        ((5, 767), (1, 128, 6), ""),
        ((5, 2, 64, 6), (1, 128, 6), ""),
        ((), (4,), ""),
        ((4,), (4,), "; give one sample a first axis, too: x[None]"),
    ],
)
def test_other_shapes_get_one_line_with_both(given, wanted, remedy):
    with pytest.raises(DataError) as caught:
        fitted(np.zeros(given), wanted)
    reads = ", ".join(map(str, ("samples", *wanted)))
    assert str(caught.value) == f"samples have shape {given}; the model reads ({reads}){remedy}"
