"""The compared methods. Each proposes schemes within a budget; the best of several is found on
validation samples, and trained and tested like that of every other method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinyflash.scheme import Scheme
from tinyflash.search.choose import Chooser, Finalist
from tinyflash.search.probes import Gains, Judge, probe
from tinyflash.training.samples import Samples


@dataclass(frozen=True)
class Study:
    """What methods may use: the schemes of a task within a budget, and trainings of them. judge: of
    finalists. prober: of probes, on fewer splits. samples: those that a split trains with."""

    chooser: Chooser
    judge: Judge
    prober: Judge
    samples: Samples
    told: Callable[[str], object]


@dataclass(frozen=True)
class Method:
    """propose: returns finalists; if there are several, the lowest validation loss wins."""

    title: str
    propose: Callable[[Study], list[Finalist]]
    measures: bool = False  # whether it looks at the data
    here: bool = False  # whether it does so in this process, not by trainings of workers


def _probes(study: Study) -> list[Finalist]:
    """As `tinyflash choose` does: the simple rules and Fisher's proposal are finalists, too."""
    chooser = study.chooser
    gains: Gains = probe(chooser.space, study.prober.short(), study.told, chooser.proposer.fits)
    return [*chooser.by_gains("probe", gains), *chooser.others(study.samples)]


METHODS: Mapping[str, Method] = {
    "probes": Method("chosen by probes", _probes, measures=True),
    "fisher": Method(
        "Fisher information", lambda study: study.chooser.by_fisher(study.samples), True, here=True
    ),
    "ladder": Method("rule of --budget", lambda study: study.chooser.ladder()),
    "last": Method("last k layers", lambda study: study.chooser.last_layers()),
    "biases": Method("biases alone", lambda study: study.chooser.biases()),
    "weights": Method("number of weights", lambda study: study.chooser.by_weight_count()),
}


@dataclass(frozen=True)
class Fixed:
    """A method that always proposes one scheme."""

    scheme: Scheme

    def __call__(self, study: Study) -> list[Finalist]:
        return study.chooser.fitting("fixed", [self.scheme], 1)
