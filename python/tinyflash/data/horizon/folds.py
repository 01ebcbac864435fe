"""Nested folds by subject: each is tested by predictors that have not learned from it, and whose
settings were chosen without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinyflash.data.horizon.series import Series, Stretch

_INNER = 3  # parts of the only subject that is left to learn from


@dataclass(frozen=True)
class Unit:
    """Stretches that stay together. fold: the outer fold that tests them."""

    fold: int
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Fold:
    """One outer fold. train, test: numbers of units. inner: of the training units, those to choose
    settings by; each is left out once."""

    test: tuple[int, ...]
    train: tuple[int, ...]
    inner: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Folds:
    """Outer folds, which name units by their numbers."""

    units: tuple[Unit, ...]
    folds: tuple[Fold, ...]


def folds(series: Series, count: int) -> Folds:
    """Returns at most `count` folds of subjects, of about the same length. Within two folds,
    settings are chosen by recordings of the other one; if it has only one, by pieces of that."""
    places = _places(series, min(count, len(series.subjects)))
    number = max(places.values()) + 1
    units: list[Unit] = []
    for fold in range(number):
        mine = [one for one in series.stretches if places[one.subject] == fold]
        parts = [mine] if number > 2 else list(_parts(series, mine))
        units.extend(Unit(fold, tuple(part)) for part in parts)
    return Folds(tuple(units), tuple(_fold(units, fold, number) for fold in range(number)))


def _places(series: Series, count: int) -> dict[int, int]:
    """Returns the fold of each subject: the longest goes first, each to the shortest fold."""
    lengths = np.zeros(len(series.subjects), np.int64)
    for one in series.stretches:
        lengths[one.subject] += len(one)
    filled = np.zeros(count, np.int64)
    places = {}
    for subject in np.argsort(-lengths, kind="stable"):
        fold = int(filled.argmin())
        places[int(subject)] = fold
        filled[fold] += lengths[subject]
    return places


def _parts(series: Series, mine: list[Stretch]) -> Iterator[list[Stretch]]:
    """Divides the stretches of a fold by recording; of one recording only, in pieces of time, which
    share no frame."""
    recordings = sorted({one.recording for one in mine})
    if len(recordings) == 1:
        mine = [piece for one in mine for piece in _cut(series, one)]
        for part in range(min(_INNER, len(mine))):
            yield mine[part::_INNER]
        return
    for part in range(min(_INNER, len(recordings))):
        chosen = set(recordings[part::_INNER])
        yield [one for one in mine if one.recording in chosen]


def _cut(series: Series, one: Stretch) -> list[Stretch]:
    pieces = min(_INNER, len(one) // series.question.span)
    edges = np.linspace(0, len(one), max(pieces, 1) + 1).astype(int)
    return [
        Stretch(one.subject, one.recording, one.x[a:b], one.own[a:b], one.labels[a:b])
        for a, b in pairwise(edges)
    ]


def _fold(units: list[Unit], fold: int, number: int) -> Fold:
    test = tuple(u for u, unit in enumerate(units) if unit.fold == fold)
    train = tuple(u for u, unit in enumerate(units) if unit.fold != fold)
    if number > 2:
        others = sorted({units[u].fold for u in train})
        inner = tuple(tuple(u for u in train if units[u].fold == other) for other in others)
    else:
        inner = tuple((u,) for u in train)
    return Fold(test, train, inner if len(inner) > 1 else ())
