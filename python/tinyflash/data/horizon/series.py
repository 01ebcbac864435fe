"""A set as signals without gaps, with what is to be foreseen at each moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import Dataset, Recording
from tinyflash.data.horizon.question import Question, channel_names, steps_per_second
from tinyflash.data.shards import NONE, Track, read, runs
from tinyflash.errors import DataError

Reals = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Consecutive steps of a recording. x [steps][channels]: inputs. own [steps][]: what the
    baseline reads, the target itself. labels [steps]: of kind class and event."""

    subject: int
    recording: int
    x: Reals
    own: Reals
    labels: Whole

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Series:
    """All stretches that are long enough. subjects: names, by number. outputs: numbers that are
    foreseen for each lead: 1 value, or one for each class. rate: steps per second, if `timed`;
    else times are numbers of frames."""

    question: Question
    stretches: tuple[Stretch, ...]
    subjects: tuple[str, ...]
    outputs: int
    rate: float
    timed: bool

    @property
    def scored(self) -> str:
        """The name of the score."""
        return "R2" if self.question.kind == "value" else "accuracy"

    @property
    def chance(self) -> float:
        """The score of who knows nothing: a mean, or one class of all."""
        return 0.0 if self.question.kind == "value" else 1 / self.outputs

    def moments(self, stretch: Stretch) -> slice:
        """The steps of a stretch that are the last of a history; the same for each cell of the map,
        so that cells can be compared."""
        question = self.question
        return slice(question.histories[-1] - 1, len(stretch) - question.leads[-1])

    def targets(self, stretch: Stretch, leads: Sequence[int]) -> Reals:
        """What is to be foreseen at these moments, [moments][leads][outputs]."""
        there = self.moments(stretch)
        if self.question.kind == "value":
            parts = [stretch.own[there.start + lead : there.stop + lead] for lead in leads]
        else:
            places = [self._classes(stretch, lead) for lead in leads]
            parts = [np.eye(self.outputs)[place] for place in places]
        found: Reals = np.stack(parts, 1)
        return found

    def _classes(self, stretch: Stretch, lead: int) -> Whole:
        there, labels = self.moments(stretch), stretch.labels
        if self.question.kind == "class":
            return labels[there.start + lead : there.stop + lead]
        begins = np.diff(labels, prepend=labels[:1]) > 0
        count = np.cumsum(begins)
        later = count[there.start + lead : there.stop + lead]
        return (later > count[there]).astype(np.int64)


def series(dataset: Dataset, recordings: Sequence[Recording], question: Question) -> Series:
    """Reads recordings as a question needs them. Raises DataError if there is no subject to test
    another one, no stretch is long enough, or the target never changes."""
    rate = steps_per_second(dataset, question.every)
    names = {one.subject: one.name for one in recordings}
    if "" in names:
        raise DataError(
            f"recording {names['']} has no subject; import it with --subject: a person that is "
            "tested must not be one that was learned from"
        )
    found, longest = _stretches(dataset, recordings, question)
    if not found:
        raise DataError(
            f"{dataset.folder}: no recording has history + lead = {question.span / rate:g} in one "
            f"piece{_labelled(question)}; the longest piece is {longest / rate:g}; shorten "
            "--history or --lead, or record longer"
        )
    subjects = sorted({recordings[one.recording].subject for one in found})
    if len(subjects) < 2:
        raise DataError(
            f"{dataset.folder} has recordings that are long enough of one subject only "
            f"({subjects[0]}); two are needed: one to learn from, another one to test"
        )
    place = {name: number for number, name in enumerate(subjects)}
    x = np.concatenate([one.x for one in found])
    shifts, scales = x.mean(0), x.std(0)
    scales[scales < 1e-12 * np.maximum(1.0, abs(shifts))] = 1.0
    own = np.concatenate([one.own for one in found])
    shift = own.mean(0) if question.kind == "value" else np.zeros(own.shape[1])
    scale = own.std() if question.kind == "value" else 1.0
    if not scale > 0:
        raise DataError(f"--target {question.name}: the channel never changes; choose another one")
    stretches = tuple(
        Stretch(
            place[recordings[one.recording].subject],
            one.recording,
            (one.x - shifts) / scales,
            (one.own - shift) / scale,
            one.labels,
        )
        for one in found
    )
    outputs = {"value": 1, "event": 2, "class": len(dataset.classes)}[question.kind]
    timed = dataset.frames.rate is not None
    result = Series(question, stretches, tuple(subjects), outputs, rate, timed)
    _check_varied(result)
    return result


def _labelled(question: Question) -> str:
    return " with labels" if question.kind != "value" else ""


def _check_varied(found: Series) -> None:
    """Refuses a target that is the same for all moments of a lead."""
    leads = found.question.leads
    if found.question.kind == "value":
        return
    seen = np.zeros((len(leads), found.outputs))
    for one in found.stretches:
        seen += found.targets(one, leads).sum(0)
    for lead, counts in zip(leads, seen, strict=True):
        if (counts > 0).sum() < 2:
            raise DataError(
                f"--target: {lead / found.rate:g} ahead there is one answer only in all recordings "
                "that are long enough; choose another target or lead"
            )


def _stretches(
    dataset: Dataset, recordings: Sequence[Recording], question: Question
) -> tuple[list[Stretch], int]:
    """Returns the stretches that are long enough, and the steps of the longest of all."""
    found, longest = [], 0
    for number, recording in enumerate(recordings):
        for one in _of(dataset, number, read(dataset, recording), question):
            longest = max(longest, len(one))
            if len(one) > question.span - 1:
                found.append(one)
    return found, longest


def _of(dataset: Dataset, number: int, track: Track, question: Question) -> Iterator[Stretch]:
    needed = list(question.channels)
    values = dataset.frames.real(track.frames[:, needed])
    target = _own(dataset, track, question)
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        raise DataError(
            f"{dataset.folder}: a frame of recording {dataset.recordings[number].name} is not a "
            "finite number"
        )
    labels = track.labels.astype(np.int64)
    numbers = track.numbers
    if question.kind != "value":
        known = labels != NONE
        values, target, labels, numbers = (v[known] for v in (values, target, labels, numbers))
    if question.kind == "event":
        labels = (labels == dataset.classes.index(question.name)).astype(np.int64)
    for begin, end in runs(numbers):
        steps = (end - begin) // question.every
        part = slice(begin, begin + steps * question.every)
        yield Stretch(
            0,
            number,
            _means(values[part], question.every),
            _means(target[part], question.every),
            labels[part][question.every - 1 :: question.every],
        )


def _own(dataset: Dataset, track: Track, question: Question) -> Reals:
    if question.kind == "value":
        channel = channel_names(dataset).index(question.name)
        value: Reals = dataset.frames.real(track.frames[:, [channel]])
        return value
    if question.kind == "event":
        is_it = track.labels == dataset.classes.index(question.name)
        one: Reals = is_it[:, np.newaxis].astype(np.float64)
        return one
    known = np.where(track.labels == NONE, 0, track.labels)
    of_classes: Reals = np.eye(len(dataset.classes))[known]
    return of_classes


def _means(values: Reals, every: int) -> Reals:
    means: Reals = values.reshape(-1, every, values.shape[1]).mean(1)
    return means
