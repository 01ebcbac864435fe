"""Learned weights as a file: back bit for bit, and refused where they do not belong."""

import numpy as np
import pytest

from tinyflash.errors import DataError
from tinyflash.learned import Learned, load_learned, save_learned


class Program:
    hash, weights, state = 0xDEADBEEF, bytes(5), bytes(8)


class Session:
    weights, state = b"\x00\x01\xff\x7f\x80", b"step+seed"[:8]


def test_what_was_learned_comes_back(tmp_path):
    save_learned(tmp_path / "l.npz", Learned.of(Session(), Program()))
    other = Session()
    other.weights = other.state = b""
    load_learned(tmp_path / "l.npz", Program()).restore(other)
    assert (other.weights, other.state) == (Session.weights, Session.state)


@pytest.mark.parametrize(
    "change", [{"hash": 1}, {"weights": bytes(4)}, {"state": bytes(9)}], ids=lambda c: next(iter(c))
)
def test_of_another_model_they_are_refused(tmp_path, change):
    save_learned(tmp_path / "l.npz", Learned.of(Session(), Program()))
    other = Program()
    for name, value in change.items():
        setattr(other, name, value)
    with pytest.raises(DataError, match="belongs to another model"):
        load_learned(tmp_path / "l.npz", other)


def test_a_damaged_or_missing_file_gets_one_line(tmp_path):
    save_learned(tmp_path / "l.npz", Learned.of(Session(), Program()))
    whole = (tmp_path / "l.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    np.savez(tmp_path / "lacking.npz", hash=1)
    for name in ("cut.npz", "lacking.npz"):
        with pytest.raises(DataError, match=f"{name} is not a whole file"):
            load_learned(tmp_path / name, Program())
    with pytest.raises(DataError, match="no such file"):
        load_learned(tmp_path / "none.npz", Program())
