"""Applies a scheme to one network: finds what each layer trains."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.errors import SchemeError, listed, printable
from tinyflash.graph import Graph, Node
from tinyflash.layers import groups_of, in_channels, last_layer, multiplier_of
from tinyflash.scheme.rules import Choice, Rule, Scheme


@dataclass(frozen=True)
class LayerUpdate:
    """What one layer trains: its first `kept` input channels (of `channels`) and its bias, each
    with a factor of the learning rate. `choice`: which channels come first.

    Depthwise: channels of y, in groups of whole input channels (SPEC 2.4).
    """

    kept: int
    channels: int
    bias: bool
    weight_rate: float = 1.0
    bias_rate: float = 1.0
    choice: Choice = "first"


def resolve(scheme: Scheme, graph: Graph) -> dict[str, LayerUpdate]:
    """Returns what each layer with weights trains, by name, without layers that train nothing.

    Raises SchemeError if the scheme does not fit the network.
    """
    layers = [n for n in graph.nodes if n.operator.weighted]
    head = last_layer(graph)
    weights = {n.name: 1.0 if n is head else 0.0 for n in layers}
    bias = {n.name: n is head for n in layers}
    rate = {n.name: scheme.rates.head if n is head else 1.0 for n in layers}
    choice = choices(scheme, graph)
    body = [n for n in layers if n is not head]
    for number, rule in enumerate(scheme.rules, start=1):
        selected = _selected(rule, layers, body)
        names = rule.last is not None or rule.operator is not None  # else: all, be there any or not
        if not selected and names and (rule.weights or rule.bias):
            raise SchemeError(
                f"scheme: update {number} selects no layer of this model, so it trains nothing; "
                "tinyflash inspect lists the layers"
            )
        for node in selected:
            if rule.weights is not None:
                weights[node.name] = rule.weights
            if rule.bias is not None:
                bias[node.name] = rule.bias
            if rule.rate is not None:
                rate[node.name] = rule.rate
    updates = {}
    for n in layers:
        kept, channels = _kept(graph, n, weights[n.name]), in_channels(graph, n)
        has_bias = bias[n.name] and "b" in n.inputs
        if kept or has_bias:
            bias_rate = rate[n.name] * scheme.rates.bias
            updates[n.name] = LayerUpdate(
                kept, channels, has_bias, rate[n.name], bias_rate, choice.get(n.name, "first")
            )
    return updates


def choices(scheme: Scheme, graph: Graph) -> dict[str, Choice]:
    """Returns which channels layers are to train first, by name, where a rule says so; also of
    layers that train all channels, or none."""
    layers = [n for n in graph.nodes if n.operator.weighted]
    head = last_layer(graph)
    body = [n for n in layers if n is not head]
    found = {}
    for rule in scheme.rules:
        if rule.channels is not None:
            found.update({n.name: rule.channels for n in _selected(rule, layers, body)})
    return found


def _kept(graph: Graph, node: Node, ratio: float) -> int:
    """Returns how many of a layer's channels a ratio means."""
    groups, step = groups_of(node), multiplier_of(graph, node)
    if groups > 1 and 0 < ratio < 1:
        raise SchemeError(
            f"scheme: layer {node.name!r} has {groups} groups of channels, so it trains all of its "
            f"weights or none, not {ratio:g} of them; set weights = 1.0 or 0.0 for it by name"
        )
    if ratio == 0:
        return 0
    return step * max(1, int(ratio * (in_channels(graph, node) // step) + 0.5))


def _selected(rule: Rule, layers: list[Node], body: list[Node]) -> list[Node]:
    known = {n.name for n in layers}
    for name in rule.layers:
        if name not in known:
            raise SchemeError(
                f"scheme: no layer {printable(name)!r} with weights in this model; "
                f"it has {listed([n.name for n in layers])}"
            )
    if rule.last is not None and rule.last > len(body):
        raise SchemeError(
            f"scheme: last = {rule.last}, but the model has {len(body)} layers with weights "
            "before the classifier"
        )
    chosen = [n for n in layers if n.name in rule.layers] if rule.layers else []
    if rule.last is not None:
        chosen += body[len(body) - rule.last :]
    if not rule.layers and rule.last is None:
        chosen = body
    return [n for n in chosen if rule.operator in (None, n.op)]
