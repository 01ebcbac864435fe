"""Proposes schemes from gains: an exact knapsack for each depth, verified by the memory model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tinyflash.errors import ModelError, SchemeError
from tinyflash.graph import Node
from tinyflash.scheme import Scheme, resolve
from tinyflash.search.knapsack import Option, best_choices
from tinyflash.search.memory import MemoryModel
from tinyflash.search.space import Space

Gain = Callable[[str, float], float]  # of a share of a layer's weights

# What a trained byte costs in the arena besides its own: nothing while the peak is elsewhere, all
# of the slice of x that is kept for it if the peak is in the backward part.
ARENA_SHARES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Proposal:
    """A scheme within the budget. gain: as predicted. sram: by the memory model, with `fixed`."""

    scheme: Scheme
    gain: float
    sram: int


@dataclass(frozen=True)
class Steps:
    """A limit of instructions of a training step. of: those of a scheme; None: not known."""

    most: int
    of: Callable[[Scheme], int | None]


@dataclass
class Proposer:
    """budget: bytes of SRAM in all. fixed: those of library, firmware and stack. steps: None for
    any number of instructions."""

    space: Space
    model: MemoryModel
    budget: int
    fixed: int = 0
    steps: Steps | None = None
    added: dict[str, int] = field(default_factory=dict)  # instructions by layer

    def sram(self, scheme: Scheme) -> int | None:
        """Returns the bytes of a scheme; None if the network cannot have it."""
        try:
            return self.model.of(scheme).sram + self.fixed
        except (SchemeError, ModelError):
            return None

    def fits(self, scheme: Scheme) -> bool:
        sram = self.sram(scheme)
        return sram is not None and sram <= self.budget

    def proposals(
        self, of_depth: Callable[[int], float], of_layer: Gain, count: int
    ) -> list[Proposal]:
        """Returns the `count` best that fit, best first."""
        found: dict[Scheme, Proposal] = {}
        for depth in (0, *self.space.depths()):
            room = self.budget - (self.sram(self.space.scheme(depth)) or self.budget + 1)
            steps_left = self._steps_left(self.space.scheme(depth))
            if room < 0 or steps_left < 0:
                continue
            for share in ARENA_SHARES:
                rooms = (room, steps_left)
                for one in self._of_depth(depth, of_depth(depth), of_layer, rooms, share, count):
                    found.setdefault(one.scheme, one)
        return sorted(found.values(), key=lambda p: (-p.gain, p.sram))[:count]

    def _of_depth(
        self, depth: int, base: float, gain: Gain, rooms: tuple[int, int], share: float, count: int
    ) -> list[Proposal]:
        layers = self.space.body[:depth]
        groups = [self._options(node, gain, share) for node in layers]
        found = []
        for choice in best_choices(groups, rooms, count) if groups else ():
            chosen = {
                node.name: ratio
                for node, at in zip(layers, choice.options, strict=True)
                if (ratio := (0.0, *self.space.ratios(node))[at])
            }
            found.append(self._repaired(depth, chosen, base, gain))
        if not groups:
            found = [self._repaired(0, {}, 0.0, gain)]
        return [one for one in found if one is not None]

    def _options(self, node: Node, gain: Gain, share: float) -> list[Option]:
        saved = self.model.saved_bytes(node.name)
        weights = self.space.weights(node)
        steps = self._steps_added(node)
        return [
            Option(0.0, (0, 0)),
            *(
                Option(gain(node.name, r), (int(r * (weights + share * saved)), int(r * steps)))
                for r in self.space.ratios(node)
            ),
        ]

    def _steps_left(self, scheme: Scheme) -> int:
        """Returns the instructions that a scheme leaves; 0 if there is no limit."""
        if self.steps is None:
            return 0
        taken = self.steps.of(scheme)
        return -1 if taken is None else self.steps.most - taken

    def _steps_added(self, node: Node) -> int:
        """Returns the instructions that training all weights of a layer adds to its biases' step.
        A share of its channels adds about this share."""
        if self.steps is None:
            return 0
        if node.name not in self.added:
            depth = 1 + self.space.body.index(node)
            schemes = (self.space.scheme(depth, {node.name: 1.0}), self.space.scheme(depth))
            whole, alone = (self.steps.of(one) for one in schemes)
            if whole is None or alone is None:
                self.added[node.name] = self.steps.most + 1
            else:
                self.added[node.name] = max(0, whole - alone)
        return self.added[node.name]

    def _repaired(
        self, depth: int, chosen: dict[str, float], base: float, gain: Gain
    ) -> Proposal | None:
        """Returns a proposal within the budget: takes away what loses least for its bytes."""
        while True:
            scheme = self.space.scheme(depth, chosen)
            sram = self.sram(scheme)
            if sram is not None and sram <= self.budget:
                total = base + sum(gain(name, ratio) for name, ratio in chosen.items())
                return Proposal(scheme, total, sram)
            if not chosen or sram is None:
                return None
            chosen = self._less(chosen, gain)

    def _less(self, chosen: Mapping[str, float], gain: Gain) -> dict[str, float]:
        nodes = {node.name: node for node in self.space.body}

        def loses(name: str) -> float:
            lower = self._lower(nodes[name], chosen[name])
            nbytes = self.space.weights(nodes[name]) * (chosen[name] - lower)
            after = gain(name, lower) if lower else 0.0
            return (gain(name, chosen[name]) - after) / max(nbytes, 1)

        least = min(sorted(chosen), key=loses)
        changed = {**chosen, least: self._lower(nodes[least], chosen[least])}
        return {name: ratio for name, ratio in changed.items() if ratio}

    def _lower(self, node: Node, ratio: float) -> float:
        return max((r for r in self.space.ratios(node) if r < ratio), default=0.0)

    def trained(self, scheme: Scheme) -> int:
        """Returns the trained bytes."""
        updates = resolve(scheme, self.space.prepared.forward)
        return self.model.weights(updates, scheme.optimizer)
