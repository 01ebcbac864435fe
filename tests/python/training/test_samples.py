"""Files of a user's own samples: what is taken, and one clear line for what is not."""

import io

import numpy as np
import pytest

from tinyflash.errors import DataError
from tinyflash.graph import Port, Quant
from tinyflash.training.samples import Samples, hold_out, load_inputs, load_pairs, load_samples

BYTES = Port("x", "int8", (1, 2, 3), Quant((0.5,), 0))
X = np.arange(12, dtype=np.int8).reshape(2, 2, 3)


def saved(folder, **arrays):
    np.savez(folder / "d.npz", **arrays)
    return folder / "d.npz"


def test_samples_and_labels_are_read(tmp_path):
    samples = load_samples(saved(tmp_path, x=X.astype(np.float64), y=np.array([1, 0])), BYTES, 2)
    assert samples.x.dtype == np.int8
    assert (samples.x == X).all()
    assert samples.y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": X}, "no array 'y'"),
        ({"y": np.array([0, 1])}, "no array 'x'"),
        ({"x": X, "y": np.array([0, 2])}, r"y\[1\] is 2; the network has 2 classes, 0..1"),
        ({"x": X, "y": np.array([-1, 0])}, r"y\[0\] is -1"),
        ({"x": X, "y": np.array([0.0, 1.0])}, "labels are whole numbers"),
        ({"x": X, "y": np.array([[0], [1]])}, "labels are whole numbers"),
        ({"x": X, "y": np.array([0])}, "2 samples and 1 labels"),
        ({"x": X[:0], "y": np.array([], int)}, "has no samples"),
        ({"x": X + 0.5, "y": np.array([0, 1])}, "d.npz, x"),
        ({"x": X.astype(int) * 100, "y": np.array([0, 1])}, "d.npz, x"),
        ({"x": X[:, :1], "y": np.array([0, 1])}, "shape"),
        ({"x": np.full((2, 2, 3), np.nan), "y": np.array([0, 1])}, "finite"),
        ({"x": X.astype(str), "y": np.array([0, 1])}, "numbers"),
    ],
)
def test_wrong_samples_get_one_line_with_the_file_name(tmp_path, arrays, complaint):
    with pytest.raises(DataError, match=complaint) as caught:
        load_samples(saved(tmp_path, **arrays), BYTES, 2)
    assert "\n" not in str(caught.value)
    assert "d.npz" in str(caught.value)


@pytest.mark.parametrize(
    ("y", "remedy"),
    [
        (np.array([1, 2]), "0..1; if yours begin at 1, take y - 1"),
        (np.array([1, 3]), "0..1"),
        (np.array([0, 2]), "0..1"),
        (np.eye(2), "int64; take y.argmax(1) of one-hot rows"),
        (np.eye(2, 3), "int64"),
        (np.array([[0], [1]]), "int64; take y[:, 0] of one column"),
        (np.array([[0.0], [1.0]]), "int64; take y[:, 0].astype(int) of one column"),
        (np.array([0.0, 1.0]), "int64; take y.astype(int)"),
        (np.array([0.0, 0.5]), "int64"),
        (np.array(["a", "b"]), "int64; take numpy.unique(y, return_inverse=True)[1] of names"),
    ],
)
def test_labels_of_other_forms_get_what_makes_labels_of_them(tmp_path, y, remedy):
    with pytest.raises(DataError) as caught:
        load_samples(saved(tmp_path, x=X, y=y), BYTES, 2)
    assert str(caught.value).endswith(remedy)


@pytest.mark.parametrize(
    ("y", "has"), [(np.int64(3), "2 samples and one number as y"), (np.arange(3), "and 3 of y")]
)
def test_what_samples_are_compared_with_is_one_for_each(tmp_path, y, has):
    with pytest.raises(DataError, match=f"has .*{has}; it needs one of y for each$"):
        load_pairs(saved(tmp_path, x=X, y=y), BYTES)


def test_arrays_of_other_names_are_listed(tmp_path):
    with pytest.raises(DataError, match=r"no array 'x'; .*, and has x_train, y_train$"):
        load_samples(saved(tmp_path, x_train=X, y_train=np.array([0, 1])), BYTES, 2)


def contents():
    whole = io.BytesIO()
    np.save(whole, X)
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}, None]), allow_pickle=True)
    vast = whole.getvalue().replace(b"(2, 2, 3)", b"(9" + b"9" * 6 + b",)")
    return {
        "empty": b"",
        "text": b"hello",
        "truncated": whole.getvalue()[:-5],
        "header cut": whole.getvalue()[:20],
        "pickled": pickled.getvalue(),
        "vast": vast,
        "zip cut": b"PK\x03\x04" + bytes(20),
    }


@pytest.mark.parametrize("name", contents())
def test_a_damaged_file_gets_one_line(tmp_path, name):
    path = tmp_path / "x.npy"
    path.write_bytes(contents()[name])
    with pytest.raises(DataError, match=r"x\.npy is not a whole") as caught:
        load_inputs(path, BYTES)
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_one_line(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_inputs(tmp_path / "none.npy", BYTES)


def test_an_archive_is_not_an_array_nor_an_array_an_archive(tmp_path):
    with pytest.raises(DataError, match="archive"):
        load_inputs(saved(tmp_path, x=X), BYTES)
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="one array"):
        load_samples(tmp_path / "x.npy", BYTES, 2)


def test_hold_out_takes_labels_by_turns():
    samples = Samples(np.arange(20, dtype=np.int8)[:, None], np.array([0] * 12 + [1] * 6 + [2] * 2))
    kept, held = hold_out(samples, 8, seed=1)
    assert np.bincount(held.y).tolist() == [3, 3, 2]
    assert sorted([*kept.x[:, 0], *held.x[:, 0]]) == list(range(20))
    again = hold_out(samples, 8, seed=1)[1]
    assert np.array_equal(again.x, held.x)
    for count in (20, 21):
        with pytest.raises(DataError, match=f"{count} of 20 samples cannot be held out"):
            hold_out(samples, count, seed=1)
