"""SPEC 16 in plain Python: which candidate the statistic of a judge chooses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyflash.choices import Candidate, Choices, JudgedLayer, JudgedMap

_UNIT_START, _UNIT_LAST = 96, 1024
_ONE, _TOP = 1 << 16, 1 << 32
Pair = tuple[int, int]


def scores(choices: Choices, weights: bytes) -> list[int]:
    """SPEC 16.3. weights: the judge's WEIGHTS."""
    statistics = [_statistic(found, weights) for found in choices.maps]
    pairs = [_of_map(*pair) for pair in zip(choices.maps, statistics, strict=True)]
    exponents = [
        pairs[layer.made][1]
        for candidate in choices.candidates
        for layer in candidate.layers
        if pairs[layer.made][0]
    ]
    top = max(exponents, default=0)
    return [_score(candidate, pairs, statistics, top) for candidate in choices.candidates]


def choose(choices: Choices, weights: bytes) -> int:
    """SPEC 16.4."""
    found = scores(choices, weights)
    return found.index(max(found))


def _statistic(found: JudgedMap, weights: bytes) -> list[int]:
    numbers: list[int] = np.frombuffer(weights, "<u4", 1 + found.channels, found.at).tolist()
    return numbers


def _norm(v: int, b: int) -> Pair:
    n = v.bit_length() - 32 if v else 0
    return (v >> n if n >= 0 else v << -n), b + n


def _of_map(found: JudgedMap, d: Sequence[int]) -> Pair:
    """SPEC 16.1."""
    m, e = found.square.mantissa, found.square.exponent
    s, t = _norm(sum(d[1:]), min(d[0], _UNIT_LAST) - _UNIT_START + e)
    return _norm(s * m, t)


def _share(layer: JudgedLayer, statistics: Sequence[Sequence[int]]) -> int:
    """SPEC 16.2."""
    if layer.mask is None:
        return layer.share
    d = statistics[layer.part][1:]
    b = sum(d)
    a = sum(number for number, trained in zip(d, layer.mask, strict=True) if trained)
    if b == 0:
        return layer.share
    n = max(0, b.bit_length() - 16)
    return (_ONE * (a >> n)) // (b >> n)


def _score(
    candidate: Candidate, pairs: Sequence[Pair], statistics: Sequence[Sequence[int]], top: int
) -> int:
    total = 0
    for layer in candidate.layers:
        mantissa, exponent = pairs[layer.made]
        if mantissa:
            total += (mantissa * _share(layer, statistics) // _ONE) >> (top - exponent)
    assert total < _TOP * _TOP
    return total
