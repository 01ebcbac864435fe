"""Finds the largest of some simple schemes that fits a budget of SRAM.

A rung of this ladder trains the biases of the last n layers, and a fraction of their input
channels; depthwise layers train only biases. A rung fits if arena, trained weights, state, firmware
and stack are within the budget, and if the compiler can train its layers (lib/SPEC.md 10). Over all
n and FRACTIONS, the search picks the rung that fits and trains the most bytes of weights and
biases. For each fraction the total grows with n, so bisection finds the largest n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinyflash.boards import Board, kernels_for
from tinyflash.boards.fits import measure
from tinyflash.compiler import Prepared, compile_uncalibrated
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.errors import ModelError, SchemeError
from tinyflash.graph import Node
from tinyflash.layers import groups_of, last_layer, weight_of
from tinyflash.scheme import Rule, Scheme, resolve

FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.0)


@dataclass(frozen=True)
class Choice:
    """The chosen rung as a scheme, and the bytes that it trains and takes."""

    scheme: Scheme
    last: int
    fraction: float
    trained_bytes: int
    sram_bytes: int


@dataclass(frozen=True)
class _Ladder:
    """All rungs for one network. base: their common network, head and loss."""

    base: Prepared
    body: tuple[Node, ...]  # layers that can be trained, last layer first

    def scheme(self, last: int, fraction: float) -> Scheme:
        rules = [Rule(last=last, weights=fraction, bias=True)] if last else []
        chosen = self.body[:last]
        if fraction and any(node.op == "depthwise" for node in chosen):
            rules.append(Rule(last=last, operator="depthwise", weights=0.0))
        whole = tuple(n.name for n in chosen if groups_of(n) > 1) if fraction < 1 else ()
        if fraction and whole:  # grouped layers train all of their weights or none
            rules.append(Rule(layers=whole, weights=0.0))
        return replace(_scheme_of(self.base), rules=tuple(rules))

    def trained(self, last: int, fraction: float) -> int:
        """Returns the trained bytes of weights and biases."""
        updates = resolve(self.scheme(last, fraction), self.base.forward)
        tensors = self.base.forward.tensors
        layers = {node.name: node for node in self.base.forward.nodes if node.operator.weighted}
        total = 0
        for name, update in updates.items():
            node = layers[name]
            weights = sum(tensors[w].nbytes for w in weight_of(node))
            total += weights * update.kept // update.channels
            total += tensors[node.inputs["b"]].nbytes if update.bias else 0
        return total


def in_words(last: int, fraction: float) -> str:
    """Returns what a rung trains."""
    if not last:
        return "only the classifier"
    layers, whose = ("layer", "its") if last == 1 else (f"{last} layers", "their")
    if not fraction:
        return f"the classifier, and the biases of the last {layers}"
    share = "all" if fraction == 1 else f"{fraction:g}"
    return (
        f"the classifier, the biases of the last {layers} and {share} of {whose} input "
        "channels (of depthwise layers, only the biases)"
    )


def _scheme_of(prepared: Prepared) -> Scheme:
    assert prepared.scheme is not None
    return prepared.scheme


def choose_scheme(
    base: Prepared,
    board: Board,
    budget: int,
    row_source: bool = False,
    tried: Callable[[str], None] = lambda _: None,
) -> Choice:
    """Returns the largest rung within `budget` bytes of SRAM. tried: called before each
    compilation.

    base: a network with a scheme without rules. Raises SchemeError if even the classifier alone
    does not fit.
    """
    if _scheme_of(base).rules:
        raise SchemeError(
            "scheme: has [[update]] rules, but --budget chooses them; drop one of the two"
        )
    ladder = _ladder(base)

    def compiled(last: int, fraction: float) -> int:
        tried(in_words(last, fraction))
        rung = base.under(ladder.scheme(last, fraction))
        raw = compile_uncalibrated(rung, row_source=row_source, kernels=kernels_for(board))
        return measure(raw.program, board).sram_bytes

    best = _choice(ladder, 0, 0.0, compiled(0, 0.0))
    if best.sram_bytes > budget:
        raise SchemeError(
            f"budget: {budget:,} bytes of SRAM is {best.sram_bytes - budget:,} too few to train "
            f"only the classifier on {board.name}; raise it, or use a smaller model"
        )
    rest = best.sram_bytes - best.trained_bytes  # which no rung has less of

    def total(last: int, fraction: float) -> int:
        least = rest + ladder.trained(last, fraction)
        if least > budget:
            return least
        try:
            return compiled(last, fraction)
        except ModelError:  # a layer that it trains breaks SPEC 10, and so does each higher rung
            return budget + 1

    for fraction in FRACTIONS:
        best = _climbed(ladder, fraction, budget, total, best)
    return best


def _ladder(base: Prepared) -> _Ladder:
    forward, scheme = base.forward, _scheme_of(base)
    full = differentiate(forward, scheme.headroom, scheme.loss)
    reached = {node.layer for node in full.nodes if node.operator.updates}
    body = [n for n in forward.nodes if n.operator.weighted and n is not last_layer(forward)]
    trainable: list[Node] = []
    for node in reversed(body):
        if node.name not in reached:
            break
        trainable.append(node)
    return _Ladder(base, tuple(trainable))


def _choice(ladder: _Ladder, last: int, fraction: float, total: int) -> Choice:
    trained = ladder.trained(last, fraction)
    return Choice(ladder.scheme(last, fraction), last, fraction, trained, total)


def _climbed(
    ladder: _Ladder, fraction: float, budget: int, total: Callable[[int, float], int], best: Choice
) -> Choice:
    """Returns the highest rung of one fraction within the budget, if it trains more than `best`."""
    top = len(ladder.body)
    better = (n for n in range(1, top + 1) if ladder.trained(n, fraction) > best.trained_bytes)
    low = next(better, None)
    if low is None or (needed := total(low, fraction)) > budget:
        return best
    best = _choice(ladder, low, fraction, needed)
    while low < top:
        middle = (low + top + 1) // 2
        needed = total(middle, fraction)
        if needed <= budget:
            low, best = middle, _choice(ladder, middle, fraction, needed)
        else:
            top = middle - 1
    return best
