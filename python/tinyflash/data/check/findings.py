"""What is suspicious in a set: three lists, because labels go wrong in three ways.

Single windows: by the score of the window. Segments: a person labelled too early or too late, so a
few neighbours are wrong: the worst mean of some in a row. Whole recordings: by the mean of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyflash.data.check.flags import CONFIDENT, flag
from tinyflash.data.check.quality import (
    SEGMENT,
    SENTENCE_SCORES,
    TOKEN_SCORES,
    Flags,
    Reals,
    Sentence,
    worst_segment,
)
from tinyflash.data.dataset import Dataset, Recording
from tinyflash.data.windows import Windows

_MOST = 0.5  # of the windows: with more flagged, a recording is suspicious as a whole


@dataclass(frozen=True)
class Span:
    """Frames `first` to `last` of a recording, both included, whose label is doubtful. likely: the
    class that the network would give it. score: 0..1, low is suspicious."""

    recording: str
    first: int
    last: int
    given: str
    likely: str
    score: float


@dataclass(frozen=True)
class Findings:
    """scores, flagged: of each window [n]. recordings: the scores of each that has windows, by
    method and name. The lists begin with the most suspicious."""

    scores: Reals
    flagged: Flags
    windows: tuple[Span, ...]
    segments: tuple[Span, ...]
    recordings: tuple[Span, ...]
    methods: dict[str, dict[str, float]]


def find(
    dataset: Dataset,
    names: tuple[Recording, ...],
    cut: Windows,
    length: int,
    p: Reals,
    score: str,
    rule: str = CONFIDENT,
) -> Findings:
    """Judges the labels of windows. names: the recordings that were cut; length: frames of a
    window; p [n][classes]: probabilities by a network that has not seen the window. score: of
    TOKEN_SCORES. rule: of RULES."""
    scores, flagged = TOKEN_SCORES[score](p, cut.y), flag(p, cut.y, rule)
    judge = _Judge(dataset, names, cut, length, p, scores)
    windows = [judge.span(np.array([t]), scores[t]) for t in np.flatnonzero(flagged)]
    segments, wholes, methods = [], [], {}
    for one in judge.sentences():
        value, at = worst_segment(scores[one])
        segment = one[at : at + SEGMENT]
        if flagged[segment].any():
            segments.append(judge.span(segment, value))
        if flagged[one].mean() > _MOST:
            wholes.append(judge.span(one, float(scores[one].mean())))
        sentence = Sentence(p[one], cut.y[one], scores[one], flagged[one])
        methods[names[cut.recording[one[0]]].name] = {
            method: float(of(sentence)) for method, of in SENTENCE_SCORES.items()
        }
    return Findings(scores, flagged, _worst(windows), _worst(segments), _worst(wholes), methods)


def _worst(spans: list[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: span.score))


@dataclass(frozen=True)
class _Judge:
    dataset: Dataset
    names: tuple[Recording, ...]
    cut: Windows
    length: int
    p: Reals
    scores: Reals

    def sentences(self) -> Iterator[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The windows of each recording that has some, in time order."""
        for place in range(len(self.names)):
            found = np.flatnonzero(self.cut.recording == place)
            if len(found):
                yield found

    def span(self, windows: np.ndarray[tuple[int], np.dtype[np.int64]], score: float) -> Span:
        first, last = int(self.cut.first[windows[0]]), int(self.cut.first[windows[-1]])
        given = np.bincount(self.cut.y[windows]).argmax()
        likely = self.p[windows].sum(0).argmax()
        return Span(
            self.names[self.cut.recording[windows[0]]].name,
            first,
            last + self.length - 1,
            self.dataset.classes[given],
            self.dataset.classes[likely],
            float(score),
        )
