"""What every kind of training tells an observer: readings of counters and weights, and samples as
a page draws them."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyflash.graph import Port
from tinyflash.runtime.learned import layer_spans
from tinyflash.runtime.session import Counters, Int8Array
from tinyflash.show.watch.observer import Gradients, Layer, Observer, Signal
from tinyflash.training.health import Anatomy, Stretch, stretches
from tinyflash.training.open import Ready

_CHANNELS = 12  # drawn as lines; a signal with more is a picture
_LIMIT = 127  # of a trained weight


class Looks:
    """Tells an observer of readings. weights, counters: those that the run begins with."""

    def __init__(
        self, observer: Observer, ready: Ready, weights: bytes, counters: Counters
    ) -> None:
        self._observer, self._counters = observer, counters
        self._anatomy = Anatomy.of(ready.compiled)
        self._spans = layer_spans(ready.compiled.program)
        self._start = np.frombuffer(weights, np.int8)

    def counters(self, counters: Counters) -> None:
        """Tells what has happened since the reading before."""
        found = stretches((self._counters, counters), self._anatomy)
        self._counters = counters
        if found:
            self._observer.gradients(_gradients(counters, found[0], self._anatomy))
        self._observer.counters(_counts(counters))

    def weights(self, done: int, weights: bytes) -> None:
        """Tells how far each layer has moved."""
        old, new = self._start, np.frombuffer(weights, np.int8)
        found = [_layer(name, old[a:b], new[a:b]) for name, a, b in self._spans]
        self._observer.layers(done, found)


def _layer(name: str, old: Int8Array, new: Int8Array) -> Layer:
    change = np.abs(new.astype(np.int16) - old).mean()
    at_limit = (np.abs(new.astype(np.int16)) >= _LIMIT).mean()
    return Layer(name, float(f"{change:.4g}"), float(f"{at_limit:.4g}"), len(new))


def _gradients(counters: Counters, part: Stretch, anatomy: Anatomy) -> Gradients:
    return Gradients(
        counters.step,
        anatomy.gradients,
        counters.exponents,
        round(part.gradients_ppm, 1),
        round(part.weights_ppm, 1),
        round(part.skipped_percent, 2),
    )


def _counts(counters: Counters) -> dict[str, int | float | str]:
    return {
        "training steps of these weights": counters.step,
        "gradient elements saturated": sum(counters.gradients_saturated),
        "weight updates saturated": counters.weights_saturated,
        "updates skipped": counters.updates_skipped,
    }


def signal_of(x: Int8Array, port: Port, text: str = "") -> Signal:
    """Returns a sample as a page draws it: frames as lines, maps as a picture. x: stored, any shape
    that has the elements of `port`."""
    scale, offset = 1.0, 0.0
    if port.dtype == "uint8":
        x, offset = (x.view(np.uint8) ^ 0x80).view(np.int8), 128.0
    elif port.quant is not None:
        scale, zero = float(port.quant.scale[0]), int(port.quant.zero)
        offset = -zero * scale
    return Signal(x.reshape(drawn_as(port.shape)), scale=scale, offset=offset, text=text)


def drawn_as(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape in which a sample of `shape`, which begins with a batch, is drawn: frames
    [n][channels], or a picture [rows][columns][planes]."""
    sides = shape[1:]
    long = [side for side in sides[:-1] if side > 1]
    planes = sides[-1] if len(sides) > 1 else 1
    count = prod(sides) // planes
    if len(long) > 1 and len(sides) > 2:
        rows = long[0]
        wide = (count // rows, planes) if planes in (1, 3) else (count // rows * planes, 1)
        return (rows, *wide)
    if count == 1:
        return (planes, 1)
    return (count, planes) if planes <= _CHANNELS else (count, planes, 1)
