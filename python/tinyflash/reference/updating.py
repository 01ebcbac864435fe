"""One rule per update: the sums, rates and random bits of a node. update.py has the arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyflash.graph import Node
from tinyflash.reference import constants, update
from tinyflash.reference.arith import Ints, factor_of
from tinyflash.reference.constants import Factors
from tinyflash.reference.environment import NO_RATE, Environment


def _draw(env: Environment, node: Node, role: str) -> update.Draw:
    tensor = env.tensor(node, role)
    source = () if tensor.taken is None else tensor.taken.rows
    return update.Draw(env.seed, env.step, tensor.source_id, source)


def _rule(env: Environment, node: Node) -> update.Rule:
    """SPEC 6.7: a skipped update has no rate, and is counted."""
    scale, rate = env.scales[node.inputs["dy"]], env.rate
    if scale.clipped > node.descent.clipped_limit:
        rate = NO_RATE
        env.count_skipped()
    return update.Rule(
        rate=rate,
        e_dy=scale.exponent,
        decay=factor_of(node.descent.decay),
        momentum=min(round(node.descent.momentum * 2**15), 2**15 - 1),
        every=node.descent.every,
        nearest=node.descent.nearest,
    )


def _update_rows(env: Environment, node: Node, a: Ints, rates: Factors, axis: int = 0) -> None:
    """Updates a layer's weights from their sums a, [rows][...]; rows are along `axis` of the
    weights."""
    rows = a.shape[0]
    old = {
        role: np.moveaxis(env.get(node, role), axis, 0).reshape(rows, -1)
        for role in ("w", "velocity", "low")
        if role in node.inputs
    }
    trained = update.Trained(old["w"], old.get("velocity"), old.get("low"))
    rule, draw = _rule(env, node), _draw(env, node, "w")
    new = update.update_rows(trained, a.reshape(rows, -1), rates, rule, draw)
    env.count_saturated(new.saturated)
    shape = np.moveaxis(env.get(node, "w"), axis, 0).shape
    found = {"w": new.to.values, "velocity": new.to.velocity, "low": new.to.low}
    for role in old:
        value = found[role]
        assert value is not None
        env.put(node, role, np.moveaxis(value.reshape(shape), 0, axis))


def _centred(env: Environment, node: Node) -> Ints:
    """Returns the kept x minus the zero point of the layer's input, [rows][kept]."""
    layer, kept = env.layer(node), env.tensor(node, "w").shape[-1]
    k = env.descent(layer)
    zero = constants.zero_of(env.tensor(layer, "x"))
    return env.get(node, "x").reshape(-1, kept * k.groups // k.multiplier) - zero


def _conv2d_update(env: Environment, node: Node) -> None:
    layer = env.layer(node)
    sliding = env.sliding(layer)
    x = _centred(env, node).reshape(*sliding.x, -1)
    a = update.conv2d_sum(x, env.get_map(node, "dy"), sliding, env.descent(layer).groups)
    _update_rows(env, node, a, env.descent(layer).w_rate)


def _depthwise_update(env: Environment, node: Node) -> None:
    layer = env.layer(node)
    kept, sliding = env.tensor(node, "w").shape[2], env.sliding(layer)
    x = _centred(env, node).reshape(*sliding.x, -1)
    x = np.repeat(x, env.descent(layer).multiplier, axis=2)
    a = update.depthwise_sum(x, env.get_map(node, "dy")[:, :, :kept], sliding)
    _update_rows(env, node, a, env.descent(layer).w_rate.first(kept), axis=2)


def _fully_connected_update(env: Environment, node: Node) -> None:
    dy = env.get(node, "dy").reshape(-1, env.tensor(node, "w").shape[0])
    a = update.fully_connected_sum(_centred(env, node), dy)
    _update_rows(env, node, a, env.descent(env.layer(node)).w_rate)


def _bias_update(env: Environment, node: Node) -> None:
    b = env.get(node, "b")
    velocity = env.get(node, "velocity") if "velocity" in node.inputs else None
    k = env.descent(env.layer(node))
    dy = env.get(node, "dy").reshape(-1, b.size)
    rule, draw = _rule(env, node), _draw(env, node, "b")
    old = update.Trained(b, velocity)
    new = update.update_bias(old, dy, k.b_rate, rule, draw, k.b_limit)
    env.put(node, "b", new.values)
    if new.velocity is not None:
        env.put(node, "velocity", new.velocity)


UPDATES: dict[str, Callable[[Environment, Node], None]] = {
    "conv2d_update": _conv2d_update,
    "depthwise_update": _depthwise_update,
    "fully_connected_update": _fully_connected_update,
    "bias_update": _bias_update,
}
