"""What is to be foreseen, from what, from how much past, how far ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tinyflash.data.dataset import Dataset
from tinyflash.errors import DataError, listed

Kind = Literal["value", "class", "event"]
CLASS = "class"
EVENT = "event:"
ALL = "all"  # the name of all modalities together
OWN = "baseline"  # the name of what foresees the target from its own past
MOST_FEATURES = 2400  # channels times frames of history: a square of them is kept for each fold
MOST_LEADS = 128


@dataclass(frozen=True)
class Question:
    """kind: the value of a channel `lead` ahead; the class there; or whether class `name` begins
    until then. modalities: numbers of channels by name. histories, leads: in steps of `every`
    frames, of which one is read, ascending."""

    kind: Kind
    name: str
    modalities: Mapping[str, tuple[int, ...]]
    histories: tuple[int, ...]
    leads: tuple[int, ...]
    every: int = 1

    @property
    def target(self) -> str:
        """The target as a user names it."""
        return f"{EVENT}{self.name}" if self.kind == "event" else self.name

    @property
    def channels(self) -> tuple[int, ...]:
        """All channels that a modality has, ascending."""
        return tuple(sorted({c for channels in self.modalities.values() for c in channels}))

    @property
    def span(self) -> int:
        """The steps that a sample reaches over: the longest history and the longest lead."""
        return self.histories[-1] + self.leads[-1]


def steps_per_second(dataset: Dataset, every: int) -> float:
    """Returns the steps of a second; of frames that follow no clock, times are numbers of
    frames."""
    return (dataset.frames.rate or 1.0) / every


def asked(
    dataset: Dataset,
    target: str,
    modalities: Sequence[str],
    histories: Sequence[float],
    leads: Sequence[float],
    every: int,
) -> Question:
    """Returns the question that these texts and times ask of a set. modalities: NAME=CHANNEL,...;
    none: one of all channels, without the target. Raises DataError for what the set has not."""
    frames = dataset.frames
    if len(frames.shape) != 1:
        raise DataError(f"{dataset.folder} holds pictures; a horizon is one of signals")
    names = channel_names(dataset)
    kind, name = _target(dataset, target, names)
    groups = _modalities(modalities, names, kind, name)
    rate = steps_per_second(dataset, every)
    question = Question(
        kind, name, groups, _steps(histories, rate, "history", 1), _steps(leads, rate, "lead", 0),
        every,
    )  # fmt: skip
    features = len(question.channels) * question.histories[-1]
    own = len(dataset.classes) if kind == "class" else 1
    most = max(features, own * question.histories[-1])
    if most > MOST_FEATURES:
        raise DataError(
            f"a history of {question.histories[-1]:,} steps of {len(question.channels)} channels "
            f"has {most:,} numbers, more than {MOST_FEATURES:,}; shorten --history, choose "
            f"channels with --modality, or read fewer frames with --every "
            f"{every * -(-most // MOST_FEATURES)}"
        )
    if len(question.leads) > MOST_LEADS:
        raise DataError(f"{len(question.leads)} leads are more than {MOST_LEADS}; ask for fewer")
    return question


def channel_names(dataset: Dataset) -> tuple[str, ...]:
    """Returns the names of channels; without any, their numbers."""
    return dataset.frames.channels or tuple(str(n) for n in range(dataset.frames.shape[0]))


def _target(dataset: Dataset, target: str, names: Sequence[str]) -> tuple[Kind, str]:
    if target in names:
        return "value", target
    if target == CLASS:
        if len(dataset.classes) < 2:
            raise DataError(f"{dataset.folder} has {len(dataset.classes)} classes; two are needed")
        return "class", target
    if target.startswith(EVENT) and (name := target.removeprefix(EVENT)) in dataset.classes:
        return "event", name
    raise DataError(
        f"--target {target!r} is no channel of {dataset.folder} ({listed(list(names))}), nor "
        f"{CLASS!r}, nor {EVENT}CLASS with one of its classes ({listed(list(dataset.classes))})"
    )


def _modalities(
    given: Sequence[str], names: Sequence[str], kind: Kind, target: str
) -> dict[str, tuple[int, ...]]:
    if not given:
        others = [n for n, one in enumerate(names) if kind != "value" or one != target]
        return {"channels": tuple(others or range(len(names)))}
    groups: dict[str, tuple[int, ...]] = {}
    for text in given:
        name, equals, rest = text.partition("=")
        chosen = [one for one in rest.split(",") if one]
        if not (name and equals and chosen) or name in (ALL, OWN) or name in groups:
            raise DataError(
                f"--modality {text!r} is not NAME=CHANNEL,... with a name of its own (not "
                f"{ALL!r} or {OWN!r})"
            )
        if unknown := [one for one in chosen if one not in names]:
            raise DataError(
                f"--modality {name}: there is no channel {unknown[0]!r}; "
                f"there are {listed(list(names))}"
            )
        groups[name] = tuple(dict.fromkeys(names.index(one) for one in chosen))
    if len(groups) > 1:
        groups[ALL] = tuple(sorted({c for channels in groups.values() for c in channels}))
    return groups


def _steps(times: Sequence[float], rate: float, what: str, least: int) -> tuple[int, ...]:
    steps = sorted({round(time * rate) for time in times})
    if not steps or steps[0] < least:
        raise DataError(
            f"--{what}: the shortest, {min(times, default=0):g}, is less than {least / rate:g}, "
            f"which is {least} of the steps that are read"
        )
    return tuple(steps)
