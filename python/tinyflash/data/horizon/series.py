"""A set as signals without gaps, with what is to be foreseen at each moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import Dataset, Recording
from tinyflash.data.horizon.question import Question, channel_names, steps_per_second
from tinyflash.data.shards import NONE, Track, read, runs
from tinyflash.errors import DataError

Reals = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
_STILL = 1e-12  # of a mean: a channel with a smaller standard deviation never changes


@dataclass(frozen=True)
class Stretch:
    """Consecutive steps of a recording. learned, tested: whether predictors learn from it, or are
    tested on it. x [steps][channels]: inputs. own [steps][]: what the baseline reads, the target
    itself. labels [steps]: of kind class and event."""

    subject: int
    recording: str
    learned: bool
    tested: bool
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


def series(
    dataset: Dataset, learned: Sequence[Recording], tested: Sequence[Recording], question: Question
) -> Series:
    """Reads recordings to learn from, and those to test, as a question needs them. Raises DataError
    if no subject tests what another one taught, no piece is long enough, or the target never
    changes."""
    names = {one.name for one in learned}, {one.name for one in tested}
    found: list[tuple[str, Stretch]] = []
    longest = 0
    for recording in dataset.recordings:
        roles = recording.name in names[0], recording.name in names[1]
        if not any(roles):
            continue
        if not recording.subject:
            raise DataError(
                f"recording {recording.name} has no subject; import it with --subject: who is "
                "tested must not be who was learned from"
            )
        for one in _of(dataset, recording, question, *roles):
            longest = max(longest, len(one))
            if len(one) >= question.span:
                found.append((recording.subject, one))
    subjects = _subjects(dataset, question, found, longest)
    stretches = _standardized(question, [replace(s, subject=subjects.index(n)) for n, s in found])
    rate = steps_per_second(dataset, question.every)
    outputs = {"value": 1, "event": 2, "class": len(dataset.classes)}[question.kind]
    timed = dataset.frames.rate is not None
    result = Series(question, stretches, subjects, outputs, rate, timed)
    _check_varied(result)
    return result


def _subjects(
    dataset: Dataset, question: Question, found: Sequence[tuple[str, Stretch]], longest: int
) -> tuple[str, ...]:
    """Returns the names of subjects, if they can test one another."""
    learned = sorted({name for name, one in found if one.learned})
    tested = sorted({name for name, one in found if one.tested})
    if not learned or not tested:
        rate = steps_per_second(dataset, question.every)
        raise DataError(
            f"{dataset.folder}: no recording to {'test' if learned else 'learn from'} has history "
            f"+ lead = {question.span / rate:g} in one piece"
            f"{'' if question.kind == 'value' else ' with labels'}; the longest piece is "
            f"{longest / rate:g}; shorten --history or --lead, or record longer"
        )
    if len(learned) < 2 and learned[0] in tested:
        raise DataError(
            f"{dataset.folder} has recordings that are long enough to learn from of one subject "
            f"only ({learned[0]}); two are needed, so that another one is tested"
        )
    return tuple(sorted({*learned, *tested}))


def _standardized(question: Question, found: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Shifts and scales all channels alike, which changes no score and keeps sums exact."""
    x, own = np.concatenate([s.x for s in found]), np.concatenate([s.own for s in found])
    shift, scale = x.mean(0), x.std(0)
    scale[scale < _STILL * np.maximum(1.0, abs(shift))] = 1.0
    if question.kind != "value":
        return tuple(replace(s, x=(s.x - shift) / scale) for s in found)
    middle, spread = own.mean(), own.std()
    if not spread > _STILL * max(1.0, abs(middle)):
        raise DataError(f"--target {question.name}: the channel never changes; choose another one")
    return tuple(replace(s, x=(s.x - shift) / scale, own=(s.own - middle) / spread) for s in found)


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


def _of(
    dataset: Dataset, recording: Recording, question: Question, learned: bool, tested: bool
) -> Iterator[Stretch]:
    track = read(dataset, recording)
    values = dataset.frames.real(track.frames[:, list(question.channels)])
    target = _own(dataset, track, question)
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        raise DataError(
            f"{dataset.folder}: recording {recording.name} has a value that is no finite number; "
            "leave it out, with --part"
        )
    labels, numbers = track.labels.astype(np.int64), track.numbers
    if question.kind != "value":
        known = labels != NONE
        values, target, labels, numbers = (v[known] for v in (values, target, labels, numbers))
    if question.kind == "event":
        labels = (labels == dataset.classes.index(question.name)).astype(np.int64)
    for begin, end in runs(numbers):
        part = slice(begin, end, question.every)
        yield Stretch(0, recording.name, learned, tested, values[part], target[part], labels[part])


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
