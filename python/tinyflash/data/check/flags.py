"""Confident learning: how many labels of each class are wrong, and which.

"Confident Learning: Estimating Uncertainty in Dataset Labels", Northcutt, Jiang, Chuang, 2021:
the joint of given and true labels is counted where a probability exceeds the mean that windows of
that class have. Two of the paper's ways to choose are here. CONFIDENT flags the windows that were
counted outside of the joint's diagonal. NOISE_RATE scales the joint to all windows, also those that
are confidently of no class; then, for each pair of classes, it flags as many as the joint says,
those with the largest margin first: more of the wrong labels, and more of the right ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.data.check.quality import Flags, Labels, Reals

Counts = npt.NDArray[np.int64]
_SLACK = 1e-6  # below a threshold, which still counts


CONFIDENT, NOISE_RATE = RULES = "confident", "noise-rate"


def flag(p: Reals, labels: Labels, rule: str = CONFIDENT) -> Flags:
    """Returns which labels are probably wrong: p [n][classes], labels [n] -> bool [n]. rule: of
    RULES."""
    counted = _Counted.of(p, labels)
    flagged = counted.differs if rule == CONFIDENT else _by_noise_rate(p, labels, counted.joint)
    flagged[p.argmax(1) == labels] = False
    return flagged


def _by_noise_rate(p: Reals, labels: Labels, counts: Counts) -> Flags:
    classes = p.shape[1]
    joint = _rounded(_calibrated(counts, labels))
    flagged = np.zeros(len(labels), np.bool_)
    for given in range(classes):
        mine = np.flatnonzero(labels == given)
        left = len(mine) - 1  # one of each class stays
        for other in range(classes):
            count = min(int(joint[given, other]), left) if other != given else 0
            if count > 0:
                margin = p[mine, other] - p[mine, given]
                flagged[mine[margin >= np.sort(margin)[-count]]] = True
    return flagged


@dataclass(frozen=True)
class _Counted:
    """joint: windows by given label and by the class that they confidently are, [given][true].
    differs [n]: those that are counted outside of its diagonal."""

    joint: Counts
    differs: Flags

    @staticmethod
    def of(p: Reals, labels: Labels) -> _Counted:
        classes = p.shape[1]
        own = [p[labels == k, k] for k in range(classes)]
        thresholds = np.array([part.mean() if len(part) else np.inf for part in own])
        confident = p >= thresholds - _SLACK
        sure = confident.any(1)
        true = np.where(confident.sum(1) > 1, p.argmax(1), confident.argmax(1))
        joint = np.zeros((classes, classes), np.int64, order="F")  # whose sums round as cleanlab's
        np.add.at(joint, (labels[sure], true[sure]), 1)
        np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
        return _Counted(joint, sure & (true != labels))


def _calibrated(joint: Counts, labels: Labels) -> Reals:
    """Scales each row to the number of windows with that label."""
    given = np.bincount(labels, minlength=len(joint))
    rows = (joint.T / joint.sum(1) * given).T
    whole: Reals = rows / rows.sum() * given.sum()
    return whole


def _rounded(joint: Reals) -> Counts:
    """Rounds to whole numbers; then moves in each row, to keep its sum, what was rounded most."""
    whole = joint.round().astype(np.int64)
    for row, exact in zip(whole, joint, strict=True):
        excess = int(row.sum()) - round(float(exact.sum()))
        order = np.argsort(exact - row)  # among equals, as cleanlab has them
        row[order[:excess] if excess > 0 else order[::-1][:-excess]] -= np.sign(excess)
    return whole
