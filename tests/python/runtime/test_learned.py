"""Learned weights as a file: back bit for bit, and refused where they do not belong."""

import numpy as np
import pytest

from tinyflash.errors import DataError, LinkError
from tinyflash.program import Buffer, ConstArray, Record, Row, Space
from tinyflash.runtime.learned import Learned, load_learned, save_learned
from tinyflash.runtime.state import VERSION, Header, Scale, pack


def state(rate=(0x8000, -3), label=2, predicted=1, count=1, scale=(-14, 3, 0, 99, 7)):
    image = bytearray(pack(Header(1, 2, *rate, label, predicted, 9), [Scale(*scale)]))
    image[18:20] = count.to_bytes(2, "little")
    return bytes(image)


def update(kernel, offset):
    return Row(kernel, 0, (Buffer(Space.ARENA, 0), None, Buffer(Space.WEIGHTS, offset)), "", "")


def biases(count, limit=2**31 - 1):
    rate = ConstArray("tiny_factor", np.full((count, 2), 0x8000))
    return Record("tiny_bias", "b", {"limit": limit, "rate": rate})


class Program:
    """Two int8 weights, padded to 4 bytes, between two biases; the second weight is -128."""

    hash, classes, state, records = 0xDEADBEEF, 3, state(), (biases(1, limit=2**31 - 1),)
    weights = bytes(4) + b"\x00\x80\x00\x00" + bytes(4)
    train = (update("bias_update", 0), update("conv2d_update", 4), update("bias_update", 8))


class Session:
    weights, state = b"\x80\x01\xff\x7f" + b"\x81\x80\x00\x00" + b"\x80" * 4, state()


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


@pytest.mark.parametrize("version", [0, VERSION - 1, VERSION + 1, 2**32 - 1, -1])
def test_of_another_version_they_are_refused_with_both_versions(tmp_path, version):
    path = tmp_path / "l.npz"
    save_learned(path, Learned.of(Session(), Program()))
    arrays = dict(np.load(path))
    assert int(arrays["version"]) == VERSION
    np.savez(path, **{**arrays, "version": np.int64(version)})
    with pytest.raises(DataError, match=f"of version {version}, .* reads version {VERSION};") as e:
        load_learned(path, Program())
    assert "\n" not in str(e.value)
    for nonsense in (np.array([2, 2]), np.float32(2), "two"):
        np.savez(path, **{**arrays, "version": nonsense})
        with pytest.raises(DataError, match="is not a whole file"):
            load_learned(path, Program())
    del arrays["version"]
    np.savez(path, **arrays)
    load_learned(path, Program())


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


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"count": 2}, "2 scales of gradients, the model has 1"),
        ({"rate": (0x7FFF, 0)}, r"learning rate of 32767 \* 2\^0"),
        ({"rate": (0x8000, 512)}, r"learning rate of 32768 \* 2\^512"),
        ({"label": 3}, "labels 3 and 1, the model has 3 classes"),
        ({"predicted": 3}, "labels 2 and 3"),
        ({"scale": (16, 0, 0, 0, 0)}, "scale 0 has exponent 16"),
        ({"scale": (-41, 0, 0, 0, 0)}, "scale 0 has exponent -41"),
        ({"scale": (0, 0, 0, -1, 0)}, "peak -1"),
    ],
)
def test_a_state_out_of_range_is_refused(tmp_path, change, complaint):
    learned = Learned(Program.hash, Session.weights, state(**change))
    save_learned(tmp_path / "l.npz", learned)
    with pytest.raises(DataError, match=f"l.npz is damaged: .*{complaint}"):
        load_learned(tmp_path / "l.npz", Program())


def test_what_a_device_cannot_have_learned_is_not_taken_from_it():
    session = Session()
    session.state = state(scale=(16, 0, 0, 0, 0))
    with pytest.raises(LinkError, match="the device sent what it cannot have learned: "):
        Learned.of(session, Program())


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31)])
def test_a_bias_beyond_its_limit_is_refused(tmp_path, value):
    class Limited(Program):
        records = (biases(1, limit=2**31 - 2),)

    weights = Session.weights[:8] + value.to_bytes(4, "little", signed=True)
    save_learned(tmp_path / "l.npz", Learned(Program.hash, weights, Session.state))
    with pytest.raises(DataError, match=f"damaged: bias 0 of  is {value}, its limit 2147483646"):
        load_learned(tmp_path / "l.npz", Limited())


def test_what_an_optimizer_remembers_may_be_any_byte(tmp_path):
    """Weights at 0, their velocity at 4 and low byte at 8, then a bias with its velocity."""

    class Remembering(Program):
        weights = bytes(20)
        train = (
            Row("conv2d_update", 0, (*(Buffer(Space.WEIGHTS, at) for at in (0, 4, 8)),), "", ""),
            Row("bias_update", 0, (*(Buffer(Space.WEIGHTS, at) for at in (12, 16)),), "", ""),
        )

    whole = bytes(4) + b"\x80" * 16
    save_learned(tmp_path / "l.npz", Learned(Program.hash, whole, Session.state))
    assert load_learned(tmp_path / "l.npz", Remembering()).weights == whole
