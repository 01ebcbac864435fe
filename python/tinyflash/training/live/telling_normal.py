"""Tells an observer what a watchman sees: each window, its score, the threshold."""

from __future__ import annotations

from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.session import Int8Array
from tinyflash.show.watch.observer import Observer
from tinyflash.training.live.normal import Verdict, Watchman
from tinyflash.training.live.telling import LiveStep
from tinyflash.training.looks import Looks, signal_of
from tinyflash.training.open import Ready

_LOOK_EVERY = 20  # windows, between two readings of the weights


class NormalTeller:
    """Hears of each window. of: how many there will be; 0: unknown."""

    def __init__(self, observer: Observer, ready: Ready, man: Watchman, of: int) -> None:
        self._observer, self._man, self._of = observer, man, of
        near, self._abnormal = man.near, sum(bool(one.abnormal) for one in man.seen)
        self._looks = Looks(observer, ready, near.weights, near.counters())

    def __call__(self, x: Int8Array, verdict: Verdict) -> None:
        man, observer = self._man, self._observer
        number = len(man.seen) - 1
        self._abnormal += bool(verdict.abnormal)
        observer.signal(signal_of(x, man.port, "The newest window."))
        observer.step(LiveStep(number, self._of, float(verdict.score), None))
        observer.counters({
            "phase": verdict.phase,
            "score of the newest window": verdict.score,
            "threshold": man.threshold or "none yet",
            "the newest window": _WORDS[verdict.abnormal],
            "abnormal windows": self._abnormal,
        })  # fmt: skip
        if (number + 1) % _LOOK_EVERY == 0:
            self._looks.counters(man.near.counters())
            self._looks.weights(number + 1, man.near.weights)
            if isinstance(man.session, DeviceSession):
                observer.counters({"commands sent again": man.session.commands_repeated})


_WORDS = {None: "not judged", False: "normal", True: "abnormal"}
