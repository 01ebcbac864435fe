"""Chooses a scheme for a network, a data set and limits: proposals and simple rules, judged alike.

Whatever proposes, every finalist is trained with the same rates and seeds, its memory is that of
its compilation, and the lowest held-out loss wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from tinyflash.boards import Board, kernels_for
from tinyflash.boards.fits import measure
from tinyflash.compiler import Compiled, compile_uncalibrated
from tinyflash.compiler.kernels.instructions import M4
from tinyflash.errors import ModelError, SchemeError
from tinyflash.scheme import Scheme
from tinyflash.search.budget import FRACTIONS
from tinyflash.search.engine.engine import OutOfTimeError
from tinyflash.search.fisher import FisherGains, judge_channels, with_best_channels
from tinyflash.search.memory import MemoryModel
from tinyflash.search.probes import Gains, Judge, Judged
from tinyflash.search.propose import Proposer, Steps
from tinyflash.search.space import Space
from tinyflash.training.samples import Samples

METHODS = ("probe", "fisher", "ladder")
PROPOSED, FINALISTS = 12, 3  # proposals that are compiled, and of these trained
QUICK = 3  # proposals where nothing is trained


@dataclass(frozen=True)
class Limits:
    """The most bytes of SRAM and of flash, and instructions of a training step; None: any."""

    sram: int
    flash: int | None = None
    instructions: int | None = None


@dataclass(frozen=True)
class Size:
    """What a compiled scheme takes. instructions: None if some kernel was not counted."""

    sram: int
    flash: int
    instructions: int | None

    def within(self, limits: Limits) -> bool:
        pairs = ((self.sram, limits.sram), (self.flash, limits.flash))
        if any(most is not None and nbytes > most for nbytes, most in pairs):
            return False
        if limits.instructions is None:
            return True
        return self.instructions is not None and self.instructions <= limits.instructions

    def over(self, limits: Limits) -> str:
        """Returns what is above a limit, and that limit."""
        found = []
        if self.sram > limits.sram:
            found.append(f"{self.sram:,} bytes of SRAM (the limit is {limits.sram:,})")
        if limits.flash is not None and self.flash > limits.flash:
            found.append(f"{self.flash:,} bytes of flash (the limit is {limits.flash:,})")
        if limits.instructions is not None and (self.instructions or 0) > limits.instructions:
            most = f"(the limit is {limits.instructions:,})"
            found.append(f"{self.instructions:,} instructions a step {most}")
        return " and ".join(found) or "instructions that were not counted"


@dataclass(frozen=True)
class Finalist:
    """A scheme, who proposed it, what it takes, and what training made of it; None: untrained."""

    method: str
    scheme: Scheme
    size: Size
    judged: Judged | None = None


@dataclass
class Chooser:
    """Of one network and board. board None: this computer, with the reference kernels. sized: what
    a compiled scheme takes, if it is not to be measured as here."""

    space: Space
    limits: Limits
    board: Board | None = None
    sizes: dict[Scheme, Size | None] = field(default_factory=dict)
    sized: Callable[[Compiled], Size] | None = None

    @cached_property
    def proposer(self) -> Proposer:
        model = MemoryModel(self.space.prepared, kernels_for(self.board))
        smallest = self.size(self.space.base)
        if smallest is None:
            raise SchemeError("choose: the classifier alone cannot be trained on this network")
        fixed = smallest.sram - self._arena_and_weights(self.space.base)
        if not smallest.within(self.limits):
            raise SchemeError(
                f"choose: training only the classifier takes {smallest.over(self.limits)}; "
                "raise that limit, or use a smaller model"
            )
        most = self.limits.instructions
        steps = None if most is None else Steps(most, self._instructions_of)
        return Proposer(self.space, model, self.limits.sram, fixed, steps)

    def _instructions_of(self, scheme: Scheme) -> int | None:
        size = self.size(scheme)
        return None if size is None else size.instructions

    def _compiled(self, scheme: Scheme) -> Compiled:
        kernels = kernels_for(self.board)
        return compile_uncalibrated(self.space.prepared.under(scheme), kernels=kernels)

    def _arena_and_weights(self, scheme: Scheme) -> int:
        program = self._compiled(scheme).program
        return program.arena_bytes + len(program.weights) + len(program.state)

    def size(self, scheme: Scheme) -> Size | None:
        """Returns what a scheme takes, compiled in full; None if it cannot be compiled."""
        if scheme not in self.sizes:
            try:
                self.sizes[scheme] = self._size(self._compiled(scheme))
            except (SchemeError, ModelError):
                self.sizes[scheme] = None
        return self.sizes[scheme]

    def _size(self, compiled: Compiled) -> Size:
        if self.sized is not None:
            return self.sized(compiled)
        program = compiled.program
        instructions = _of_a_step(compiled) if self.limits.instructions is not None else None
        if self.board is not None:
            fit = measure(program, self.board)
            return Size(fit.sram_bytes, fit.rom_bytes, instructions)
        state = len(program.weights) + len(program.state)
        return Size(program.arena_bytes + state, len(program.flash) + state, instructions)

    # ---- Who proposes ----------------------------------------------------------------------------

    def fitting(self, method: str, schemes: Iterable[Scheme], count: int) -> list[Finalist]:
        """Returns the first `count` schemes that are within all limits when they are compiled."""
        found: list[Finalist] = []
        for scheme in schemes:
            size = self.size(scheme)
            if size is not None and size.within(self.limits):
                found.append(Finalist(method, scheme, size))
            if len(found) == count:
                break
        return found

    def by_gains(
        self,
        method: str,
        gains: Gains | FisherGains,
        count: int = FINALISTS,
        proposed: int = PROPOSED,
    ) -> list[Finalist]:
        found = self.proposer.proposals(gains.of_depth, gains.of_layer, proposed)
        return self.fitting(method, (one.scheme for one in found), count)

    def _by_less(self, method: str, gains: FisherGains, count: int) -> list[Finalist]:
        """Proposes with ever fewer instructions, while no proposal is within them when it is
        compiled: what a share of a layer takes is an estimate."""
        steps = self.proposer.steps
        for tenths in range(10, 0, -2):
            if steps is not None:
                most = steps.most * tenths // 10
                self.proposer.steps = replace(steps, most=most)
            found = self.by_gains(method, gains, count, QUICK)
            if found or steps is None:
                return found
        return []

    def by_fisher(self, samples: Samples, count: int = 1) -> list[Finalist]:
        """Ranks layers by Fisher information, and trains shares of them that have most of it."""
        judgement = judge_channels(self.space.prepared, samples)
        space = with_best_channels(self.space, judgement)
        chooser = replace(self, space=space)
        found = chooser._by_less("fisher", FisherGains(space, judgement), count)
        return found or chooser.fitting("fisher", [space.base], count)

    def by_weight_count(self) -> list[Finalist]:
        """Ranks layers by their number of weights: the larger, the better."""
        counts = {node.name: self.space.weights(node) for node in self.space.body}
        found = self.proposer.proposals(
            lambda _depth: 0.0, lambda name, ratio: counts[name] * ratio**0.5, PROPOSED
        )
        return self.fitting("weight count", (one.scheme for one in found), 1)

    def ladder(self) -> list[Finalist]:
        """The rule of --budget: of all rungs that fit, the one that trains the most bytes."""
        return self._most("ladder", (self._rung(n, f) for n in self._counts for f in FRACTIONS))

    def last_layers(self) -> list[Finalist]:
        return self._most("last k", (self.space.last(n) for n in self._counts))

    def biases(self) -> list[Finalist]:
        return self._most("biases alone", (self.space.scheme(n) for n in self._counts))

    def rules(self) -> list[Finalist]:
        """All simple rules, which have never seen the data."""
        head = self.fitting("classifier alone", [self.space.base], 1)
        return [*self.ladder(), *self.last_layers(), *self.biases(), *self.by_weight_count(), *head]

    def others(self, samples: Samples, count: int = 1) -> list[Finalist]:
        """What needs no training to be proposed: the simple rules, and what Fisher information
        proposes (at most `count`)."""
        found = self.rules()
        with suppress(ModelError, SchemeError):  # a layer cannot be judged, for example by SPEC 10
            found += self.by_fisher(samples, count)
        return found

    @property
    def _counts(self) -> range:
        return range(len(self.space.body) + 1)

    def _rung(self, count: int, fraction: float) -> Scheme:
        weights = {
            node.name: fraction
            for node in self.space.body[:count]
            if fraction in self.space.ratios(node) and not node.operator.depthwise
        }
        return self.space.scheme(count, weights)

    def _most(self, method: str, schemes: Iterator[Scheme]) -> list[Finalist]:
        fits = [scheme for scheme in schemes if self.proposer.fits(scheme)]
        fits.sort(key=self.proposer.trained, reverse=True)
        return self.fitting(method, fits, 1)


def judged(
    finalists: Iterable[Finalist], judge: Judge, told: Callable[[str], object] = lambda _: None
) -> list[Finalist]:
    """Trains every finalist, and returns them, the lowest loss first. Those that there was no time
    for come last."""
    distinct = list({one.scheme: one for one in reversed(list(finalists))}.values())[::-1]
    told("finalists")
    found: dict[Scheme, Judged] = {}
    with suppress(OutOfTimeError):
        found = judge.of([one.scheme for one in distinct])
    result = [replace(one, judged=found.get(one.scheme)) for one in distinct]
    return sorted(result, key=lambda one: one.judged.loss if one.judged else float("inf"))


def _of_a_step(compiled: Compiled) -> int | None:
    """Returns the most instructions of a training step on a Cortex-M4; None if some kernel was not
    counted."""
    table = compiled.counted(M4)["train"]
    try:
        return sum(table.instructions(c.node, c.count) for c in table.planned.plan.calls)
    except ModelError:
        return None
