"""Views of tensors: any chain of transpositions and reshapes is numpy's; moves obey it."""

from __future__ import annotations

import numpy as np
import pytest

from tinyflash.read.onnx.views import MOST_AXES, View, channels_last, dense, in_steps, move


def look(view: View, storage: np.ndarray) -> np.ndarray:
    """The value that a view shows of a tensor."""
    offsets = np.zeros((), np.int64)
    for axis in range(len(view.axes)):
        offsets = offsets[..., np.newaxis] + view.places(axis)
    return storage.ravel()[offsets]


def random_chain(seed: int) -> tuple[View, np.ndarray, np.ndarray]:
    """A view, its tensor, and what it should show."""
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(1, 5, 4))
    view = channels_last("t", shape)
    storage = random.permutation(int(np.prod(shape)))
    value = storage.reshape([shape[i] for i in (0, 2, 3, 1)]).transpose(0, 3, 1, 2)
    for _ in range(4):
        order = random.permutation(value.ndim)
        view, value = view.transposed(order), value.transpose(order)
        cut = int(random.integers(1, value.ndim))
        wanted = (int(np.prod(value.shape[:cut])), *value.shape[cut:])
        found = view.reshaped(wanted if random.random() < 0.5 else (*value.shape, 1))
        if found is not None:
            view, value = found, value.reshape(found.shape)
    return view, storage, value


@pytest.mark.parametrize("seed", range(60))
def test_views_show_what_numpy_shows(seed: int) -> None:
    view, storage, value = random_chain(seed)
    assert view.shape == value.shape
    np.testing.assert_array_equal(look(view, storage), value)
    assert view.is_dense == np.array_equal(value.ravel(), storage)


@pytest.mark.parametrize("seed", range(60))
def test_moves_make_what_the_target_shows(seed: int) -> None:
    view, storage, value = random_chain(seed)
    target = dense("u", view.shape, np.random.default_rng(seed).permutation(len(view.shape)))
    moved = move(view, target)
    assert moved is not None  # a dense one splits evenly into any
    made = storage.reshape(moved.sizes).transpose(moved.order)
    np.testing.assert_array_equal(look(target, made), value)


def test_what_walks_unevenly_is_no_view() -> None:
    turned = dense("t", (3, 4)).transposed((1, 0))
    assert turned.reshaped((6, 2)) is None
    assert turned.reshaped((2, 6)) is not None
    assert turned.reshaped((2, 2, 3)) is not None


def test_moves_are_as_simple_as_can_be() -> None:
    moved = move(channels_last("t", (1, 3, 4, 5)), dense("u", (1, 3, 4, 5)))
    assert moved is not None
    assert (moved.sizes, moved.order) == ((20, 3), (1, 0))


@pytest.mark.parametrize("axes", range(2, 9))
def test_a_move_of_many_axes_in_steps(axes: int) -> None:
    """Each of few axes; together they do the whole."""
    random = np.random.default_rng(axes)
    for _ in range(20):
        shape = tuple(int(n) for n in random.integers(2, 4, axes))
        storage = np.arange(int(np.prod(shape)))
        order = random.permutation(axes)
        whole = move(dense("t", shape), dense("u", shape, order))
        assert whole is not None
        made = storage
        steps = in_steps(whole)
        for step in steps:
            assert len(step.order) <= MOST_AXES
            made = made.reshape(step.sizes).transpose(step.order).ravel()
        np.testing.assert_array_equal(made, storage.reshape(shape).transpose(order).ravel())
        assert len(steps) <= max(1, (axes - 1) // 2)
