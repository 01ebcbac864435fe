"""Maps of how well each modality foresees a target, over history and lead; and timescales.

"Human locomotor control timescales depend on the environmental context and sensory input modality",
Wang, De Comite, Voloshina, Daley, Seethapathi, 2025: an input modality is compared with an
autoregressive baseline, the target's own past. Its timescale is the longest lead at which its past
foresees the target better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.data.horizon.folds import Folds
from tinyflash.data.horizon.networks import Networks
from tinyflash.data.horizon.question import MOST_LEADS, OWN
from tinyflash.data.horizon.ridge import Ridge
from tinyflash.data.horizon.scores import Foreseer, judged
from tinyflash.data.horizon.series import Reals, Series
from tinyflash.errors import DataError

RIDGE = "ridge"
PREDICTORS = (RIDGE, "mlp", "gru")
MARGIN = 0.01  # of a score: less is no gain

Tick = Callable[[], None]


@dataclass(frozen=True)
class Map:
    """scores [subjects][histories][leads] of one modality; NaN where a subject's target never
    changes."""

    modality: str
    scores: Reals

    @property
    def mean(self) -> Reals:
        """Over subjects, [histories][leads]."""
        mean: Reals = np.nanmean(self.scores, 0)
        return mean

    @property
    def best(self) -> Reals:
        """Of each subject, with the history that is best for all of them, [subjects][leads]."""
        chosen = self.mean.argmax(0)
        return self.scores[:, chosen, np.arange(len(chosen))]


@dataclass(frozen=True)
class Timescale:
    """steps: the longest lead at which a modality beats the baseline; None: at no lead. open: it
    also is the longest that was asked for."""

    steps: int | None
    open: bool


@dataclass(frozen=True)
class Study:
    """What was found: maps by predictor and modality, the baseline first; timescales by predictor
    and modality."""

    series: Series
    maps: Mapping[str, Mapping[str, Map]]
    timescales: Mapping[str, Mapping[str, Timescale]]

    @property
    def timed(self) -> bool:
        """Whether frames follow a clock: times are seconds, not numbers of frames."""
        return self.series.timed


def parts_of(series: Series, predictors: Sequence[str]) -> int:
    """Returns how often `study` ticks."""
    question = series.question
    return len(predictors) * (len(question.modalities) + 1) * len(question.histories)


def study(series: Series, folds: Folds, predictors: Sequence[str], seed: int, tick: Tick) -> Study:
    """Draws the maps. tick: is called as often as `parts_of` says."""
    question = series.question
    maps, timescales = {}, {}
    for name in predictors:
        if name == RIDGE:
            fit = _ridge(series, folds, question.leads)
        else:
            fit = Networks(series, folds, name, seed).fitted
        found = {
            m: _map(series, folds, question.leads, m, fit, tick)
            for m in (OWN, *question.modalities)
        }
        scales = {m: _timescale(series, question.leads, found, m) for m in question.modalities}
        if name == RIDGE:
            scales = _refined(series, folds, scales)
        maps[name], timescales[name] = found, scales
    return Study(series, maps, timescales)


Fit = Callable[[str, int], Sequence[Foreseer]]


def _ridge(series: Series, folds: Folds, leads: Sequence[int]) -> Fit:
    return Ridge(series, folds, leads).fitted


def _map(
    series: Series, folds: Folds, leads: Sequence[int], modality: str, fit: Fit, tick: Tick
) -> Map:
    rows = []
    for history in series.question.histories:
        scores = judged(series, folds, leads, modality, history, fit(modality, history))
        if (still := np.isnan(scores).all(0)).any():
            lead = leads[int(still.argmax())] / series.rate
            raise DataError(
                f"--target {series.question.target}: {lead:g} ahead "
                "it never changes within any subject that is tested; choose another target or lead"
            )
        rows.append(scores)
        tick()
    return Map(modality, np.stack(rows, 1))


def _beaten(series: Series, maps: Mapping[str, Map], modality: str) -> npt.NDArray[np.bool_]:
    """Returns at which leads a modality beats the baseline: the gain over it, or over chance where
    the baseline is worse, is more than MARGIN and than its standard error over subjects."""
    floor = np.maximum(maps[OWN].best, series.chance)
    gain = maps[modality].best - floor
    there = np.maximum((~np.isnan(gain)).sum(0), 1)
    error = np.nanstd(gain, 0, ddof=0) / np.sqrt(np.maximum(there - 1, 1))
    beaten: npt.NDArray[np.bool_] = np.nanmean(gain, 0) > np.maximum(MARGIN, error)
    return beaten


def _timescale(
    series: Series, leads: Sequence[int], maps: Mapping[str, Map], modality: str
) -> Timescale:
    beaten = np.flatnonzero(_beaten(series, maps, modality))
    if not len(beaten):
        return Timescale(None, False)
    return Timescale(leads[beaten[-1]], bool(beaten[-1] == len(leads) - 1))


def _refined(series: Series, folds: Folds, scales: Mapping[str, Timescale]) -> dict[str, Timescale]:
    """Looks for the timescales between the leads of the map, to one step where they are close."""
    leads = series.question.leads
    between: dict[str, list[int]] = {}
    for modality, one in scales.items():
        if one.steps is not None and not one.open:
            above = leads[leads.index(one.steps) + 1]
            count = min(above - one.steps, MOST_LEADS // len(scales))
            evenly = np.linspace(one.steps, above, count + 1).round().astype(int)
            between[modality] = evenly[:-1].tolist()
    if not between:
        return dict(scales)
    wanted = sorted({step for steps in between.values() for step in steps})
    fit = _ridge(series, folds, wanted)
    modalities = (OWN, *between)
    maps = {m: _map(series, folds, wanted, m, fit, lambda: None) for m in modalities}
    result = dict(scales)
    for modality, steps in between.items():
        beaten = _beaten(series, maps, modality)
        last = [step for step, beats in zip(wanted, beaten, strict=True) if beats and step in steps]
        result[modality] = Timescale(max([scales[modality].steps or 0, *last]), False)
    return result
