"""Parses the scheme file (TOML): which weights and biases a model trains, and how.

    head = 2                    # replace the classifier by a new one of 2 classes, or outputs
    head_range = 4.0            # its weights can become as large; default: from the old classifier
    loss = "cross_entropy"      # or with targets: "mean_squared_error", "binary_cross_entropy"
    label_smoothing = 0.1       # for the cross-entropy
    recompute = true            # recompute cheap tensors if that makes the arena smaller
    fisher = "all"              # judge the channels of all layers, or of the last ones: a number
    dead_channels = "keep"      # keep channels that cannot learn; default: remove them

    [[update]]                  # rules apply in order; a later one overrides an earlier one
    last = 18                   # the last 18 layers with weights before the classifier
    bias = true

    [[update]]
    last = 18
    operator = "conv2d"         # only the convolutions of these
    weights = 0.25              # the first quarter of their input channels; a grouped
                                # convolution takes only 0.0 or 1.0

    [[update]]
    layers = ["conv2d_3"]       # by name, as `tinyflash inspect` prints them
    weights = 1.0
    rate = 0.5                  # multiplies the learning rate
    channels = "largest"        # the input channels with the largest weights, not the first ones;
                                # or by number, such as [7, 3, 12]

    [rates]                     # the same for the classifier, and for all biases
    head = 2.0
    bias = 0.5

    [optimizer]                 # see optimizer.py
    momentum = 0.9

All of the classifier, the last layer with weights, is trained unless a rule names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args

from tinyflash import files
from tinyflash.errors import SchemeError, printable
from tinyflash.operators import WEIGHTED
from tinyflash.scheme.loss import LOSSES, Loss
from tinyflash.scheme.optimizer import Optimizer, Rates, check_rate
from tinyflash.scheme.rules import ALL_LAYERS, Choice, DeadChannels, Named, Rule, Scheme

_LARGEST_FILE = 1 << 20  # bytes
_HEAD_RANGES = (1e-6, 1e6)
_HEAD = {"head", "head_range"}
_SETTINGS = {"dead_channels", "fisher", "headroom", "label_smoothing", "loss", "recompute"}
_KEYS = _HEAD | _SETTINGS | {"optimizer", "rates", "update"}
_RULE_KEYS = {"layers", "last", "operator", "weights", "bias", "rate", "channels"}

T = TypeVar("T", Optimizer, Rates)


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
    """Parses the text of a scheme file. where: the prefix of every error message."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers of thousands of digits
        raise SchemeError(f"{where}: not a TOML file: {error}") from None
    _only(table, _KEYS, where)
    rules = table.get("update", [])
    if not isinstance(rules, list) or not all(isinstance(r, dict) for r in rules):
        raise SchemeError(f"{where}: write rules as [[update]], one table each")
    lowest = 1 if table.get("loss", "cross_entropy") != "cross_entropy" else 2
    head = _integer(table, "head", where, low=lowest, high=65535)
    reach = _head_range(table, where, head)
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
    judged = ALL_LAYERS
    if table.get("fisher") != "all":
        also = ', or "all"'
        judged = _integer(table, "fisher", where, low=0, high=ALL_LAYERS, also=also) or 0
    return Scheme(parsed, head, margin, loss, optimizer, rates, dead, again, reach, judged)


def _head_range(table: Mapping[str, Any], where: str, head: int | None) -> float | None:
    value = table.get("head_range")
    if value is None:
        return None
    low, high = _HEAD_RANGES
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise SchemeError(f"{where}: head_range must be a number from {low:g} to {high:g}")
    if head is None:
        raise SchemeError(f"{where}: head_range needs a new classifier: head = number of classes")
    return float(value)


def _section(table: Mapping[str, Any], kind: type[T], where: str) -> T:
    """Parses [optimizer] or [rates]. The dataclass checks its own ranges."""
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
        raise SchemeError(f"{where}: label_smoothing is {smoothing}; it must be from 0 to below 1")
    if smoothing and kind != "cross_entropy":
        raise SchemeError(f"{where}: label_smoothing needs labels, but {kind} takes targets")
    return Loss(kind, float(smoothing))


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
        raise SchemeError(f"{where}: weights must be a fraction of input channels from 0 to 1")
    bias = table.get("bias")
    if bias is not None and not isinstance(bias, bool):
        raise SchemeError(f"{where}: bias must be true or false")
    rate = table.get("rate")
    if rate is not None:
        check_rate(rate, where)
    channels = _channels(table.get("channels"), where)
    if weights is None and bias is None and rate is None and channels is None:
        raise SchemeError(f"{where}: sets none of weights, bias, rate and channels")
    last = _integer(table, "last", where, low=0, high=1 << 20)
    return Rule(tuple(layers), last, operator, weights, bias, rate, channels)


def _channels(value: Any, where: str) -> Choice | None:
    if isinstance(value, list):
        whole = all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in value)
        if not value or not whole or len(set(value)) != len(value):
            raise SchemeError(f"{where}: a list of channels has different whole numbers from 0 on")
        return tuple(value)
    if value is not None and value not in get_args(Named):
        raise SchemeError(
            f"{where}: channels must be {' or '.join(get_args(Named))}, or a list of numbers"
        )
    named: Named | None = value
    return named


def _integer(
    table: Mapping[str, Any], key: str, where: str, low: int, high: int, also: str = ""
) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SchemeError(f"{where}: {key} must be a whole number from {low} to {high}{also}")
    return value
