"""Writes a scheme as the text of a scheme file, which a user can edit."""

from __future__ import annotations

from dataclasses import fields

from tinyflash.files import toml_value
from tinyflash.scheme.loss import CROSS_ENTROPY
from tinyflash.scheme.optimizer import Optimizer, Rates
from tinyflash.scheme.rules import ALL_LAYERS, Rule, Scheme


def scheme_text(scheme: Scheme, comment: str = "") -> str:
    """Returns TOML that `parse_scheme` reads as `scheme`. Omits defaults."""
    plain = Scheme()
    lines = [f"# {line}" for line in comment.splitlines()]
    if scheme.head is not None:
        lines.append(f"head = {scheme.head}")
    if scheme.head_range is not None:
        lines.append(f"head_range = {toml_value(scheme.head_range)}")
    if scheme.headroom != plain.headroom:
        lines.append(f"headroom = {scheme.headroom}")
    if scheme.loss.kind != CROSS_ENTROPY.kind:
        lines.append(f"loss = {toml_value(scheme.loss.kind)}")
    if scheme.loss.smoothing:
        lines.append(f"label_smoothing = {toml_value(scheme.loss.smoothing)}")
    if scheme.dead_channels != plain.dead_channels:
        lines.append(f"dead_channels = {toml_value(scheme.dead_channels)}")
    if scheme.recompute:
        lines.append("recompute = true")
    if isinstance(scheme.fisher, int) and scheme.fisher:  # maps by name are no user's
        lines.append(
            f"fisher = {toml_value('all' if scheme.fisher >= ALL_LAYERS else scheme.fisher)}"
        )
    for rule in scheme.rules:
        lines += ["", "[[update]]", *_settings(rule, Rule())]
    for name, section, default in (
        ("rates", scheme.rates, Rates()),
        ("optimizer", scheme.optimizer, Optimizer()),
    ):
        if section != default:
            lines += ["", f"[{name}]", *_settings(section, default)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _settings(table: Rule | Rates | Optimizer, default: Rule | Rates | Optimizer) -> list[str]:
    """Returns `key = value` for every field that is not at its default."""
    values = ((f.name, getattr(table, f.name)) for f in fields(table))
    return [f"{key} = {toml_value(v)}" for key, v in values if v != getattr(default, key)]
