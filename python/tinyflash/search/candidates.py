"""Compiles several schemes of one network for one image, and the judge by which a board chooses
among them from its own first samples (SPEC 16)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyflash.choices import ALL, Candidate, Choices, JudgedLayer, JudgedMap
from tinyflash.compiler import Compiled, compile_model, prepare
from tinyflash.compiler.calibrate import Samples
from tinyflash.compiler.longest import Bound
from tinyflash.compiler.passes.choose import channel_numbers, choose_channels
from tinyflash.compiler.plan import QUICK, Effort
from tinyflash.errors import SchemeError, warn
from tinyflash.factor import factor
from tinyflash.graph import Graph, Node
from tinyflash.scheme import LayerUpdate, Scheme, resolve
from tinyflash.search.fisher import places
from tinyflash.sources import REFERENCE

JUDGE = "judge"
_Trained = tuple[Node, LayerUpdate]
# What all schemes must have in common: the judge speaks for all of them.
_COMMON = ("head", "head_range", "loss", "dead_channels")


@dataclass(frozen=True)
class CompiledChoices:
    """A judge and its candidates, as compiled. `choices`: what is written and run."""

    judge: Compiled
    candidates: Mapping[str, Compiled]
    choices: Choices

    @property
    def members(self) -> dict[str, Compiled]:
        """All models by name, the judge first."""
        return {JUDGE: self.judge, **self.candidates}


def compile_choices(
    graph: Graph,
    schemes: Mapping[str, Scheme],
    calibration: Samples | None = None,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
    kernels: Sequence[str] = (REFERENCE,),
    longest_call: Bound | None = None,
) -> CompiledChoices:
    """Compiles candidates, by name, the preferred one first, and their judge.

    Arguments are those of compile_model. Raises SchemeError if they cannot be candidates of one
    judge.
    """
    _check(schemes)
    options = (calibration, seed, row_source, effort, kernels, True, longest_call)
    compiled = {name: _compiled(graph, scheme, name, options) for name, scheme in schemes.items()}
    judge = _compiled(graph, _judging(compiled), JUDGE, options)
    maps = _maps(judge)
    numbers = {judged.name: i for i, judged in enumerate(maps)}
    candidates = tuple(
        Candidate(name, compiled[name].program, tuple(_layers(compiled[name], layers, numbers)))
        for name, layers in _differing(compiled).items()
    )
    _warn_of_useless(candidates)
    return CompiledChoices(judge, compiled, Choices(judge.program, maps, candidates))


def _compiled(graph: Graph, scheme: Scheme, name: str, options: tuple[Any, ...]) -> Compiled:
    """Compiles one; names it in the error, if there is one."""
    try:
        return compile_model(prepare(graph, scheme), None, *options)
    except SchemeError as error:
        raise SchemeError(f"candidate {name!r}: {error}") from None


def _check(schemes: Mapping[str, Scheme]) -> None:
    if len(schemes) < 2:
        raise SchemeError("candidates: a board chooses among two schemes or more")
    (first, one), *others = schemes.items()
    for name in schemes:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", name) or name == JUDGE:
            raise SchemeError(
                f"candidate {name[:40]!r}: its name becomes a part of names in C; choose another "
                "one, of letters, digits and single underscores, such as 'early'"
            )
    if len({name.upper() for name in schemes}) < len(schemes):
        raise SchemeError("candidates: two have the same name in capitals; rename one")
    for name, other in others:
        for key in _COMMON:
            if getattr(one, key) != getattr(other, key):
                raise SchemeError(
                    f"candidates: {key} of {name!r} is not that of {first!r}; one judge speaks for "
                    "all, so they must agree in it"
                )


def _judging(compiled: Mapping[str, Compiled]) -> Scheme:
    """Returns the scheme of the judge: the first one's, which trains the classifier alone, and
    judges only the maps that say what candidates train: each one takes memory."""
    first = next(iter(compiled.values())).prepared
    assert first.scheme is not None
    trained = [layer for layers in _differing(compiled).values() for layer in layers]
    wanted = {name for node, update in trained for name in _of(node, update)}
    wanted -= {first.forward.input.tensor}
    if not wanted:
        raise SchemeError(
            "candidates: all train the same weights, so there is nothing to choose by; let them "
            "differ in their layers"
        )
    return replace(first.scheme, rules=(), fisher=frozenset(wanted))


def _of(node: Node, update: LayerUpdate) -> set[str]:
    """Returns the maps that tell what a layer, or the trained part of it, is worth."""
    whole = update.kept == update.channels or node.operator.depthwise
    return {node.outputs["y"]} | (set() if whole else {node.inputs["x"]})


def _differing(compiled: Mapping[str, Compiled]) -> dict[str, list[_Trained]]:
    """Returns the layers of which each scheme trains weights. What all of them train alike, as the
    classifier, would add the same to all scores, and is left out."""
    trained = {name: _trained(one) for name, one in compiled.items()}
    parts = [{(n.name, u.kept, u.choice) for n, u in layers} for layers in trained.values()]
    common = set.intersection(*parts)
    return {
        name: [(n, u) for n, u in layers if (n.name, u.kept, u.choice) not in common]
        for name, layers in trained.items()
    }


def _trained(compiled: Compiled) -> list[_Trained]:
    prepared = compiled.prepared
    assert prepared.scheme is not None
    updates = resolve(prepared.scheme, prepared.forward)
    nodes = [n for n in prepared.forward.nodes if n.operator.weighted and n.name in updates]
    return [(n, updates[n.name]) for n in nodes if updates[n.name].kept]


def _maps(judge: Compiled) -> tuple[JudgedMap, ...]:
    """Returns the maps that a judge judges, in the order of its table."""
    at, found = places(judge), []
    assert judge.train is not None
    for node in judge.train.graph.nodes:
        if node.op == "fisher":
            y = judge.train.graph.tensors[node.inputs["y"]]
            scale = 1.0 if y.quant is None else y.quant.scale[0]
            offset = at[node.inputs["d"]].offset
            found.append(JudgedMap(y.name, offset, y.shape[-1], factor(scale**2)))
    return tuple(found)


def _layers(
    compiled: Compiled, layers: Sequence[_Trained], numbers: Mapping[str, int]
) -> list[JudgedLayer]:
    prepared = compiled.prepared
    assert prepared.scheme is not None
    chosen = choose_channels(prepared.forward, resolve(prepared.scheme, prepared.forward))
    after = {node.name: node for node in chosen.nodes}
    return [
        _layer(prepared.forward, node, update, chosen, after[node.name], numbers)
        for node, update in layers
        if node.outputs["y"] in numbers  # else no gradient reaches it, and nothing is trained
    ]


def _layer(
    graph: Graph,
    node: Node,
    update: LayerUpdate,
    chosen: Graph,
    after: Node,
    numbers: Mapping[str, int],
) -> JudgedLayer:
    """Returns what a candidate trains of a layer. chosen, after: graph and layer with the
    candidate's channels first."""
    made, share = numbers[node.outputs["y"]], ALL * update.kept // update.channels
    part = node.outputs["y"] if node.operator.depthwise else node.inputs["x"]
    whole = update.kept == update.channels
    fits = graph.tensors[part].shape[-1] == update.channels
    if whole or part not in numbers or not fits:
        return JudgedLayer(node.name, made, share)
    mask = _mask(graph, node, update, chosen, after)
    return JudgedLayer(node.name, made, share, numbers[part], mask)


def _mask(
    graph: Graph, node: Node, update: LayerUpdate, chosen: Graph, after: Node
) -> tuple[bool, ...]:
    """Returns whether each channel is trained, in the order of the judge, which reorders none."""
    step = update.channels // len(channel_numbers(graph, node))  # depthwise: of one input channel
    trained = set(channel_numbers(chosen, after)[: update.kept // step])
    return tuple(n in trained for n in channel_numbers(graph, node) for _ in range(step))


def _warn_of_useless(candidates: Sequence[Candidate]) -> None:
    """Warns of candidates that train nothing that another one does not: their scores are never
    higher."""
    for i, mine in enumerate(candidates):
        for j, other in enumerate(candidates):
            if i != j and _is_within(mine, other) and (j < i or not _is_within(other, mine)):
                warn(
                    f"candidates: {mine.name!r} trains nothing that {other.name!r} does not, so "
                    "its score is never higher; compare schemes of about equal bytes"
                )
                break


def _is_within(mine: Candidate, other: Candidate) -> bool:
    theirs = {layer.name: layer for layer in other.layers}
    return all(_is_part(layer, theirs.get(layer.name)) for layer in mine.layers)


def _is_part(layer: JudgedLayer, other: JudgedLayer | None) -> bool:
    if other is None:
        return False
    if other.mask is None or layer.mask is None:
        return layer.share <= other.share and other.mask is None
    return all(theirs or not ours for ours, theirs in zip(layer.mask, other.mask, strict=True))
