"""The health of a training run: exponents and saturation over its steps, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinyflash.compiler import Compiled
from tinyflash.compiler.lower.layout import lay_out, scale_owners
from tinyflash.layers import last_layer
from tinyflash.program import Program
from tinyflash.runtime.learned import int8_spans
from tinyflash.runtime.session import Counters

# Warn above these. Runs that learn well stay far below (docs/results.md).
GRADIENTS_PPM = 5_000.0
WEIGHTS_PPM = 1_000.0
SKIPPED_PERCENT = 10.0
HEAD_SHARE = 0.02  # of a new classifier's weights at +-127
MOST = 0.5  # of them: so many ends are a matter of the rate, too
_LIMIT = 127  # of a trained weight
_HIGHEST_EXPONENT = 15  # SPEC 5.3


@dataclass(frozen=True)
class Head:
    """A new classifier: its weights are bytes first <= i < end of WEIGHTS, and reach +-`reach`, as
    reals.

    others: the bytes of all other trained weights. compiled: how many of them start at +-127.
    """

    first: int
    end: int
    reach: float
    others: tuple[tuple[int, int], ...] = ()
    compiled: int = 0

    def share(self, weights: bytes) -> float:
        """Returns the share of its weights at +-127."""
        return _at_limit(weights, [(self.first, self.end)]) / (self.end - self.first)

    def spares(self, weights: bytes) -> bool:
        """Whether no more of the other weights are at +-127 than were when compiled."""
        return _at_limit(weights, self.others) <= self.compiled


@dataclass(frozen=True)
class Anatomy:
    """What a model's counters count: gradient tensors in the order of their scales, the loss's
    first, each with its number of elements; trained int8 weights; updates of whole tensors in a
    step.

    head: the new classifier, if the scheme sets one and trains it.
    """

    gradients: tuple[str, ...]
    elements: tuple[int, ...]
    weights: int
    updates: int
    head: Head | None = None

    @staticmethod
    def of(compiled: Compiled) -> Anatomy:
        """Returns the anatomy of a model that trains."""
        assert compiled.train is not None
        graph = compiled.train.graph
        first: dict[int, str] = {}
        for tensor, index in scale_owners(graph).items():
            first.setdefault(index, tensor)
        return Anatomy(
            gradients=tuple(first.values()),
            elements=tuple(graph.tensors[tensor].size for tensor in first.values()),
            weights=sum(end - start for start, end in int8_spans(compiled.program)),
            updates=sum(node.operator.updates for node in graph.nodes),
            head=_new_head(compiled),
        )


@dataclass(frozen=True)
class Stretch:
    """Training steps first < step <= last, with their saturation and skipped updates."""

    first: int
    last: int
    gradients_ppm: float  # saturated elements of gradients, per stored element
    weights_ppm: float  # weight updates that saturated at +-127, per weight update
    skipped_percent: float  # skipped updates of whole tensors, per update

    @property
    def steps(self) -> int:
        return self.last - self.first


def _new_head(compiled: Compiled) -> Head | None:
    """Finds the classifier if it starts from zeros, as a new one does, and is trained."""
    assert compiled.train is not None
    graph = compiled.train.graph
    layer = last_layer(graph)
    w = graph.tensors.get(layer.inputs.get("w", "")) if layer is not None else None
    if w is None or w.data is None or w.quant is None or w.data.any():
        return None
    first = lay_out(compiled.infer.graph, graph, seed=0).trainables[w.name].offset
    others = tuple(span for span in int8_spans(compiled.program) if span[0] != first)
    start = _at_limit(compiled.program.weights, others)
    return Head(first, first + w.size, _LIMIT * max(w.quant.scale), others, start)


def stretches(counters: Sequence[Counters], anatomy: Anatomy) -> tuple[Stretch, ...]:
    """Returns one stretch between each two readings of the counters."""
    return tuple(_between(a, b, anatomy) for a, b in pairwise(counters) if b.step > a.step)


def _between(a: Counters, b: Counters, anatomy: Anatomy) -> Stretch:
    steps = b.step - a.step
    saturated = sum(b.gradients_saturated) - sum(a.gradients_saturated)
    clamped = b.weights_saturated - a.weights_saturated
    skipped = b.updates_skipped - a.updates_skipped
    return Stretch(
        a.step,
        b.step,
        1e6 * saturated / (steps * sum(anatomy.elements)),
        1e6 * clamped / (steps * max(1, anatomy.weights)),
        100.0 * skipped / (steps * max(1, anatomy.updates)),
    )


def weights_at_limit(weights: bytes, program: Program) -> int:
    """Returns how many trained int8 weights are at +-127."""
    return _at_limit(weights, int8_spans(program))


def _at_limit(weights: bytes, spans: Sequence[tuple[int, int]]) -> int:
    values = np.frombuffer(weights, np.int8)
    return sum(int(np.isin(values[a:b], (-_LIMIT, _LIMIT)).sum()) for a, b in spans)


def as_record(counters: Sequence[Counters], anatomy: Anatomy) -> dict[str, object]:
    """Returns a record for JSON: the state at each reading of the counters, and the changes until
    the next."""
    parts = stretches(counters, anatomy)
    return {
        "gradients": anatomy.gradients,
        "steps": [c.step for c in counters],
        "exponents": [c.exponents for c in counters],
        "gradients_saturated_ppm": [round(p.gradients_ppm, 1) for p in parts],
        "weights_saturated_ppm": [round(p.weights_ppm, 1) for p in parts],
        "updates_skipped_percent": [round(p.skipped_percent, 2) for p in parts],
    }


def complaints(
    counters: Sequence[Counters], anatomy: Anatomy, weights: bytes = b""
) -> tuple[str, ...]:
    """Returns one line for each problem in a whole run: what is wrong, and what to do.

    weights: the bytes of WEIGHTS after the run; without them, nothing is said of the new classifier
    alone.
    """
    if len(counters) < 2 or counters[-1].step <= counters[0].step:
        return ()
    run = _between(counters[0], counters[-1], anatomy)
    found = []
    if run.gradients_ppm > GRADIENTS_PPM:
        worst = _worst(counters, anatomy)
        found.append(
            f"{run.gradients_ppm:,.0f} ppm of the gradient elements saturated, most in {worst}: "
            "lower the rate, add warm-up, or raise headroom in the scheme"
        )
    if max(counters[-1].exponents[1:], default=0) >= _HIGHEST_EXPONENT:
        found.append("gradients exceeded their range: training diverges; lower the rate")
    head = anatomy.head if weights else None
    narrow = _narrow(head, weights) if head is not None else ""
    if narrow:
        found.append(narrow)
    if run.weights_ppm > WEIGHTS_PPM and not (narrow and head and head.spares(weights)):
        found.append(
            f"{run.weights_ppm:,.0f} ppm of the weight updates saturated at +-127: lower the rate, "
            "or train fewer weights in more layers"
        )
    if run.skipped_percent > SKIPPED_PERCENT:
        found.append(
            f"{run.skipped_percent:.0f} % of the updates were skipped because their gradient "
            "saturated: lower the rate, or raise headroom in the scheme"
        )
    return tuple(found)


def _narrow(head: Head, weights: bytes) -> str:
    """Says if a new classifier's weights, which start at 0, have grown to their ends. Then it needs
    a wider range; a lower rate would only take longer to get there."""
    share = head.share(weights)
    if share <= HEAD_SHARE:
        return ""
    wider = f"set head_range = {2 * head.reach:.2g} in the scheme"
    if share > MOST:
        wider = f"lower the rate; if they are still there, {wider}"
    return (
        f"{100 * share:.0f} % of the new classifier's weights are at their ends, "
        f"+-{head.reach:.3g}: {wider}"
    )


def _worst(counters: Sequence[Counters], anatomy: Anatomy) -> str:
    """Returns the gradient with the largest share of saturated elements."""
    last, first = (np.array(c.gradients_saturated, np.float64) for c in (counters[-1], counters[0]))
    return anatomy.gradients[int(np.argmax((last - first) / np.array(anatomy.elements)))]
