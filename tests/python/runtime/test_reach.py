"""Samples in units that the model does not read: told, with both ranges; others are not."""

import numpy as np
import pytest

from tinyflash.graph import Port, Quant
from tinyflash.runtime.reach import range_complaint, range_of, signal_complaint

UNIT = Port("x", "float32", (1, 4), Quant((1 / 255,), -128))  # reads 0 to 1


def samples(count, low, high, seed=0):
    x = np.random.default_rng(seed).uniform(low, high, (count, 4))
    x[0, :2] = low, high
    return x


def test_the_range_is_that_of_the_stored_bytes_in_the_ports_units():
    assert range_of(UNIT) == pytest.approx((0, 1))
    assert range_of(Port("x", "float32", (1, 4), Quant((0.5,), 8))) == (-68, 59.5)
    assert range_of(Port("x", "uint8", (1, 4), None)) == (0, 255)
    assert range_of(Port("x", "int8", (1, 4), Quant((0.5,), 8))) == (-128, 127)


def test_pixels_are_not_what_a_model_of_0_to_1_reads():
    complaint = range_complaint(samples(50, 0, 255), range_of(UNIT))
    assert complaint.startswith("100 % of the samples are outside the model's range: ")
    assert "the samples range from 0 to 255, the model reads 0 to 1; scale them" in complaint


def test_the_share_of_the_samples_outside_is_told():
    x = samples(100, 0, 1)
    x[20:32, 3] = -2.5
    complaint = range_complaint(x, range_of(UNIT))
    assert complaint.startswith("12 % of the samples are outside the model's range")
    assert "from -2.5 to 1" in complaint


def test_a_fraction_of_the_range_is_told():
    complaint = range_complaint(samples(50, 0, 1), (0.0, 255.0))
    assert complaint.startswith("the samples use 0.4 % of the model's range: ")
    assert "the samples range from 0 to 1, the model reads 0 to 255" in complaint
    away = range_complaint(np.full((3, 4), 1.02) + np.eye(3, 4) / 100, range_of(UNIT))
    assert away.startswith("the samples use 0 % of")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.11), (-0.04, 1.04), (0.3, 0.9)])
def test_usual_samples_are_not_complained_of(low, high):
    assert range_complaint(samples(50, low, high), range_of(UNIT)) is None


def test_one_outlier_of_many_is_no_reason():
    x = samples(200, 0, 1)
    x[7, 1] = 30
    assert range_complaint(x, range_of(UNIT)) is None


def test_shares_are_never_rounded_to_all_or_nothing():
    x = samples(1000, 2, 3)
    x[0] = 0.5
    assert range_complaint(x, range_of(UNIT)).startswith("99 % of the samples")


def test_samples_without_signal_are_told():
    assert "every number of the samples is 0: " in signal_complaint(np.zeros((4, 3)))
    assert "every number of the samples is 0: " in signal_complaint(np.full((4, 3), -0.0))
    assert "every number of the samples is 7: " in signal_complaint(np.full((1, 3), 7, np.uint8))
    assert signal_complaint(np.tile([1.0, 2.0], (5, 1))) == "all 5 samples are equal"
    assert signal_complaint(np.array([[1.0, 2.0]])) is None
    assert signal_complaint(np.array([[1.0, 2.0], [1.0, 3.0]])) is None
