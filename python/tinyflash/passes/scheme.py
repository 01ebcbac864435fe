"""Which weights and biases a model trains: the scheme file, and what it means for one model.

    head = 2                    # replace the classifier by a new one of 2 classes, or outputs
    loss = "cross_entropy"      # or "mean_squared_error", "binary_cross_entropy", towards targets
    label_smoothing = 0.1       # of the cross-entropy
    recompute = true            # what is cheap, where that makes the arena smaller
    dead_channels = "keep"      # those that cannot learn are removed otherwise: passes/dead.py

    [[update]]                  # rules apply in order; a later one overrides an earlier one
    last = 18                   # the last 18 layers with weights, the classifier not counted
    bias = true

    [[update]]
    last = 18
    operator = "conv2d"         # of those, only convolutions
    weights = 0.25              # the first quarter of their input channels; one with several
                                # groups of channels takes 0.0 or 1.0

    [[update]]
    layers = ["conv2d_3"]       # by name, as `tinyflash inspect` prints them
    weights = 1.0
    rate = 0.5                  # multiplies the learning rate
    channels = "largest"        # of the input channels not the first, but those of most weight

    [rates]                     # the same for the classifier, and for all biases
    head = 2.0
    bias = 0.5

    [optimizer]                 # how they move: passes/optimizer.py
    momentum = 0.9

The classifier, the last layer with weights, is trained wholly unless a rule names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from tinyflash import files
from tinyflash.errors import SchemeError, listed, printable
from tinyflash.graph import Graph, Node
from tinyflash.operators import WEIGHTED
from tinyflash.passes.layers import groups_of, in_channels, last_layer, multiplier_of
from tinyflash.passes.losses import CROSS_ENTROPY, LOSSES, Loss
from tinyflash.passes.optimizer import ALIKE, PLAIN, Optimizer, Rates, check_rate

_LARGEST_FILE = 1 << 20  # bytes
_SETTINGS = {"dead_channels", "head", "headroom", "label_smoothing", "loss", "recompute"}
_KEYS = _SETTINGS | {"optimizer", "rates", "update"}
_RULE_KEYS = {"layers", "last", "operator", "weights", "bias", "rate", "channels"}

DeadChannels = Literal["remove", "keep"]
Choice = Literal["first", "largest"]
T = TypeVar("T", Optimizer, Rates)


@dataclass(frozen=True)
class Rule:
    """Sets the ratio of trained input channels, whether the bias is trained, or what multiplies
    the learning rate of both; None leaves it as it was."""

    layers: tuple[str, ...] = ()
    last: int | None = None
    operator: str | None = None
    weights: float | None = None
    bias: bool | None = None
    rate: float | None = None
    channels: Choice | None = None


@dataclass(frozen=True)
class Scheme:
    """A sparse update, and how its weights move.

    head: classes of a new classifier. headroom: SPEC 5.3. dead_channels: what becomes of channels
    that cannot learn. recompute: what is cheap, where that makes the arena smaller.
    """

    rules: tuple[Rule, ...] = ()
    head: int | None = None
    headroom: int = 1
    loss: Loss = CROSS_ENTROPY
    optimizer: Optimizer = PLAIN
    rates: Rates = ALIKE
    dead_channels: DeadChannels = "remove"
    recompute: bool = False


@dataclass(frozen=True)
class LayerUpdate:
    """What one layer trains: its first `kept` input channels (of `channels`), and its bias; and
    what multiplies the learning rate of either. `choice`: which channels are to be the first.

    Depthwise: channels of y, but those of whole input channels (SPEC 2.4).
    """

    kept: int
    channels: int
    bias: bool
    weight_rate: float = 1.0
    bias_rate: float = 1.0
    choice: Choice = "first"


def load_scheme(path: str | Path) -> Scheme:
    """Reads a scheme file (TOML)."""
    path = Path(path)
    try:
        text = files.read_bytes(path, _LARGEST_FILE).decode("utf-8")
    except FileNotFoundError:
        raise SchemeError(f"{path}: no such scheme file") from None
    except OSError as error:
        raise SchemeError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SchemeError(f"{path}: cannot be read as text ({error})") from None
    return parse_scheme(text, str(path))


def parse_scheme(text: str, where: str = "scheme") -> Scheme:
    """A scheme from the text of a scheme file; `where` opens every error line."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise SchemeError(f"{where}: not a TOML file: {error}") from None
    _only(table, _KEYS, where)
    rules = table.get("update", [])
    if not isinstance(rules, list) or not all(isinstance(r, dict) for r in rules):
        raise SchemeError(f"{where}: write rules as [[update]], one table each")
    lowest = 1 if table.get("loss", "cross_entropy") != "cross_entropy" else 2
    head = _integer(table, "head", where, low=lowest, high=65535)
    headroom = _integer(table, "headroom", where, low=0, high=6)
    parsed = tuple(_rule(r, f"{where}: update {i + 1}") for i, r in enumerate(rules))
    optimizer, rates = _section(table, Optimizer, where), _section(table, Rates, where)
    loss = _loss(table, where)
    dead = table.get("dead_channels", "remove")
    if dead not in get_args(DeadChannels):
        raise SchemeError(f"{where}: dead_channels must be {' or '.join(get_args(DeadChannels))}")
    again = table.get("recompute", False)
    if not isinstance(again, bool):
        raise SchemeError(f"{where}: recompute must be true or false")
    margin = 1 if headroom is None else headroom
    return Scheme(parsed, head, margin, loss, optimizer, rates, dead, again)


def _section(table: Mapping[str, Any], kind: type[T], where: str) -> T:
    """[optimizer] or [rates]: the dataclass of that name checks its own ranges."""
    name = kind.__name__.lower()
    settings = table.get(name, {})
    if not isinstance(settings, dict):
        raise SchemeError(f"{where}: write [{name}] as a table")
    _only(settings, {f.name for f in fields(kind)}, f"{where}: {name}")
    try:
        return kind(**settings)
    except SchemeError as error:
        raise SchemeError(f"{where}: {error}") from None


def _loss(table: Mapping[str, Any], where: str) -> Loss:
    kind, smoothing = table.get("loss", "cross_entropy"), table.get("label_smoothing", 0.0)
    if kind not in LOSSES:
        raise SchemeError(f"{where}: loss must be one of {', '.join(LOSSES)}")
    if isinstance(smoothing, bool) or not isinstance(smoothing, int | float):
        raise SchemeError(f"{where}: label_smoothing must be a number from 0 to below 1")
    if not 0 <= smoothing < 1:
        raise SchemeError(f"{where}: label_smoothing is {smoothing}; it is from 0 to below 1")
    if smoothing and kind != "cross_entropy":
        raise SchemeError(f"{where}: label_smoothing needs labels, which {kind} does not take")
    return Loss(kind, float(smoothing))


def resolve(scheme: Scheme, graph: Graph) -> dict[str, LayerUpdate]:
    """What each layer with weights trains, by name; layers that train nothing are left out."""
    layers = [n for n in graph.nodes if n.operator.weighted]
    head = last_layer(graph)
    weights = {n.name: 1.0 if n is head else 0.0 for n in layers}
    bias = {n.name: n is head for n in layers}
    rate = {n.name: scheme.rates.head if n is head else 1.0 for n in layers}
    choice: dict[str, Choice] = {n.name: "first" for n in layers}
    body = [n for n in layers if n is not head]
    for rule in scheme.rules:
        for node in _selected(rule, layers, body):
            if rule.weights is not None:
                weights[node.name] = rule.weights
            if rule.bias is not None:
                bias[node.name] = rule.bias
            if rule.rate is not None:
                rate[node.name] = rule.rate
            if rule.channels is not None:
                choice[node.name] = rule.channels
    updates = {}
    for n in layers:
        kept, channels = _kept(graph, n, weights[n.name]), in_channels(graph, n)
        has_bias = bias[n.name] and "b" in n.inputs
        if kept or has_bias:
            bias_rate = rate[n.name] * scheme.rates.bias
            updates[n.name] = LayerUpdate(
                kept, channels, has_bias, rate[n.name], bias_rate, choice[n.name]
            )
    return updates


def _kept(graph: Graph, node: Node, ratio: float) -> int:
    """How many of a layer's channels a ratio of them is."""
    groups, step = groups_of(node), multiplier_of(graph, node)
    if groups > 1 and 0 < ratio < 1:
        raise SchemeError(
            f"scheme: layer {node.name!r} has {groups} groups of channels and trains all of its "
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


def _only(table: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            known = ", ".join(sorted(allowed))
            raise SchemeError(f"{where}: unknown key {printable(key)!r}; known: {known}")


def _rule(table: Mapping[str, Any], where: str) -> Rule:
    _only(table, _RULE_KEYS, where)
    layers = table.get("layers", [])
    if not isinstance(layers, list) or not all(isinstance(name, str) for name in layers):
        raise SchemeError(f"{where}: layers must be a list of layer names")
    operator = table.get("operator")
    if operator is not None and operator not in WEIGHTED:
        raise SchemeError(f"{where}: operator must be one of {', '.join(WEIGHTED)}")
    weights = table.get("weights")
    if weights is not None and (
        isinstance(weights, bool) or not isinstance(weights, int | float) or not 0 <= weights <= 1
    ):
        raise SchemeError(f"{where}: weights must be a ratio of input channels from 0 to 1")
    bias = table.get("bias")
    if bias is not None and not isinstance(bias, bool):
        raise SchemeError(f"{where}: bias must be true or false")
    rate = table.get("rate")
    if rate is not None:
        check_rate(rate, where)
    channels = table.get("channels")
    if channels is not None and channels not in get_args(Choice):
        raise SchemeError(f"{where}: channels must be {' or '.join(get_args(Choice))}")
    if weights is None and bias is None and rate is None and channels is None:
        raise SchemeError(f"{where}: says none of weights, bias, rate and channels")
    last = _integer(table, "last", where, low=0, high=1 << 20)
    return Rule(tuple(layers), last, operator, weights, bias, rate, channels)


def _integer(table: Mapping[str, Any], key: str, where: str, low: int, high: int) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SchemeError(f"{where}: {key} must be a whole number from {low} to {high}")
    return value
