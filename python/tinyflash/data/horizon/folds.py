"""Nested folds by subject: each is tested by predictors that have not learned from it, and whose
settings were chosen without it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tinyflash.data.horizon.series import Series, Stretch

_INNER = 3  # parts of all that there is to learn from, if it is of one group


@dataclass(frozen=True)
class Fold:
    """One outer fold. test: its stretches. train: numbers of units. inner: of the training units,
    those to choose settings by; each is left out once."""

    test: tuple[Stretch, ...]
    train: tuple[int, ...]
    inner: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Folds:
    """units: stretches to learn from that stay together; folds name them by their numbers."""

    units: tuple[tuple[Stretch, ...], ...]
    folds: tuple[Fold, ...]


def folds(series: Series, count: int) -> Folds:
    """Returns at most `count` folds of the subjects that are tested, of about the same length.
    Those that are only learned from are in the training units of each fold, in at most as many
    groups.

    Settings are chosen by leaving out one group of subjects at a time. If there is only one group
    to learn from, it is divided: by subject, else by recording, else in pieces of time.
    """
    tested = {one.subject for one in series.stretches if one.tested}
    learned = {one.subject for one in series.stretches if one.learned}
    places = _places(series, learned & tested, count, 0)
    number = max(places.values(), default=-1) + 1
    outer = max(number, 1)
    places |= _places(series, tested - learned, outer, 0)
    places |= _places(series, learned - tested, count, outer)
    units: list[tuple[Stretch, ...]] = []
    groups: list[int] = []  # of each unit
    several = len({places[subject] for subject in learned}) > 2
    for group in sorted({places[subject] for subject in learned}):
        mine = [one for one in series.stretches if one.learned and places[one.subject] == group]
        for part in [mine] if several else _parts(series, mine):
            units.append(tuple(part))
            groups.append(group)
    chosen = (
        _fold(
            groups, group, [s for s in series.stretches if s.tested and places[s.subject] == group]
        )
        for group in range(outer)
    )
    return Folds(tuple(units), tuple(chosen))


def _places(series: Series, subjects: set[int], count: int, first: int) -> dict[int, int]:
    """Returns the group of each subject, from `first` on: the longest goes first, each to the
    shortest group."""
    lengths = dict.fromkeys(sorted(subjects), 0)
    for one in series.stretches:
        if one.subject in lengths:
            lengths[one.subject] += len(one)
    filled = np.zeros(max(1, min(count, len(subjects))), np.int64)
    places = {}
    for subject in sorted(lengths, key=lambda one: -lengths[one]):
        group = int(filled.argmin())
        places[subject] = first + group
        filled[group] += lengths[subject]
    return places


def _fold(groups: Sequence[int], group: int, test: Sequence[Stretch]) -> Fold:
    train = tuple(unit for unit, other in enumerate(groups) if other != group)
    others = sorted({groups[unit] for unit in train})
    if len(others) > 1:
        inner = tuple(tuple(u for u in train if groups[u] == other) for other in others)
    else:
        inner = tuple((unit,) for unit in train) if len(train) > 1 else ()
    return Fold(tuple(test), train, inner)


def _parts(series: Series, mine: list[Stretch]) -> Iterator[list[Stretch]]:
    """Divides the stretches of a group."""
    by: tuple[Callable[[Stretch], Hashable], ...] = (lambda s: s.subject, lambda s: s.recording)
    for key in by:
        keys = list(dict.fromkeys(key(one) for one in mine))
        if len(keys) > 1:
            for part in range(min(_INNER, len(keys))):
                chosen = set(keys[part::_INNER])
                yield [one for one in mine if key(one) in chosen]
            return
    pieces = [piece for one in mine for piece in _cut(series, one)]
    for part in range(min(_INNER, len(pieces))):
        yield pieces[part::_INNER]


def _cut(series: Series, one: Stretch) -> list[Stretch]:
    pieces = min(_INNER, len(one) // series.question.span)
    edges = np.linspace(0, len(one), max(pieces, 1) + 1).astype(int)
    return [
        replace(one, x=one.x[a:b], own=one.own[a:b], labels=one.labels[a:b])
        for a, b in pairwise(edges)
    ]
