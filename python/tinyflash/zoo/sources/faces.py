"""The demo's task: faces against other pictures, from the Labeled Faces in the Wild subset in
scikit-image (BSD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.pictures import Floats, Labels, resize
from tinyflash.zoo.sources.wheels import scikit_image

_PICTURES = "lfw_subset.npy"
_WHEEL = scikit_image(
    Member(
        _PICTURES,
        (f"skimage/data/{_PICTURES}",),
        "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c",
    )
)
_SIDE = 96  # of the person detector's pictures


@dataclass(frozen=True)
class FacesTask:
    """Pictures float32 [n][96][96][3], integers 0..255; labels int64 [n]: 1 a face, 0 none."""

    train_x: Floats
    train_y: Labels
    test_x: Floats
    test_y: Labels


def lfw_faces() -> tuple[Floats, Labels]:
    """Returns all grey pictures, float32 [200][25][25] in [0, 255]; labels int64 [200]: 1 a face, 0
    none."""
    pictures = np.load(fetch(_WHEEL, _PICTURES), allow_pickle=False)
    labels = np.repeat(np.array([1, 0], np.int64), len(pictures) // 2)
    return (pictures * 255).astype(np.float32), labels


def faces_task(seed: int = 0) -> FacesTask:
    """Returns 100 training and 100 held-out pictures, half of each label in both, split by
    `seed`."""
    pictures, labels = lfw_faces()
    grey = np.rint(resize(pictures, _SIDE)).astype(np.float32)
    colour = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    train, test = stratified_halves(labels, seed)
    return FacesTask(colour[train], labels[train], colour[test], labels[test])


def stratified_halves(labels: Labels, seed: int) -> tuple[Labels, Labels]:
    """Returns two disjoint sets of indices, ascending, each with half of every label's samples."""
    random = np.random.default_rng(seed)
    first, second = [], []
    for label in np.unique(labels):
        order = random.permutation(np.flatnonzero(labels == label))
        first.append(order[: len(order) // 2])
        second.append(order[len(order) // 2 :])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))
