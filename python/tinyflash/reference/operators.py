"""One rule per operator of the graph: which arithmetic runs on which tensors of a node."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyflash.graph import (
    AdvanceAttrs,
    AxisAttrs,
    DenseAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.reference import backward, constants, forward, scales, update
from tinyflash.reference.arith import Ints
from tinyflash.reference.constants import Factors, clip_of
from tinyflash.reference.environment import Environment

Operator = Callable[[Environment, Node], None]

# ---- Forward -------------------------------------------------------------------------


def _bias(env: Environment, node: Node) -> Ints:
    return env.get(node, "b") if "b" in node.inputs else np.zeros(1, dtype=np.int64)


def _conv2d(env: Environment, node: Node) -> None:
    x, w, b = env.get_map(node, "x"), env.weights(node), _bias(env, node)
    rule = forward.depthwise if node.op == "depthwise" else forward.conv2d
    env.put(node, "y", rule(x, w, b, env.sliding(node), env.requant(node)))


def _fully_connected(env: Environment, node: Node) -> None:
    w = env.weights(node)
    x = env.get(node, "x").reshape(-1, w.shape[1])
    env.put(node, "y", forward.fully_connected(x, w, _bias(env, node), env.requant(node)))


def _add(env: Environment, node: Node) -> None:
    k = constants.add_constants(env.graph, node)
    env.put(node, "y", forward.add(env.get(node, "a"), env.get(node, "b"), k, clip_of(node)))


def _pool(env: Environment, node: Node) -> None:
    rule = forward.average_pool if node.op == "average_pool" else forward.max_pool
    y = rule(env.get_map(node, "x"), env.sliding(node), clip_of(node))
    env.put(node, "y", y)


def _mean(env: Environment, node: Node) -> None:
    x, y = env.tensor(node, "x"), env.tensor(node, "y")
    split = _split_mean(node, x.shape)
    k = constants.mean_constants(x, y, split[1])
    env.put(node, "y", forward.mean(env.get(node, "x").reshape(split), k))


def _split_mean(node: Node, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape of a mean's input as (outer, count, inner)."""
    assert isinstance(node.attrs, MeanAttrs)
    first, last = min(node.attrs.axes), max(node.attrs.axes)
    return (
        math.prod(shape[:first]),
        math.prod(shape[first : last + 1]),
        math.prod(shape[last + 1 :]),
    )


def _pad(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    env.put(node, "y", forward.pad(env.get_map(node, "x"), node.attrs))


def _reshape(env: Environment, node: Node) -> None:
    env.put(node, "y", env.get(node, "x"))


def _concatenate(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, AxisAttrs)
    parts = [env.get(node, f"x{i}") for i in range(len(node.inputs))]
    env.put(node, "y", np.concatenate(parts, axis=node.attrs.axis))


def _transpose(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, TransposeAttrs)
    env.put(node, "y", env.get(node, "x").transpose(node.attrs.order))


def _lookup(env: Environment, node: Node) -> None:
    env.put(node, "y", forward.lookup(env.get(node, "x"), env.get(node, "table")))


def _softmax(env: Environment, node: Node) -> None:
    env.put(node, "y", forward.softmax(env.get(node, "x"), env.get(node, "table")))


# ---- Training: masks, loss, advance --------------------------------------------------


def _mask(env: Environment, node: Node) -> None:
    env.put(node, "mask", backward.mask(env.get(node, "y"), clip_of(node)))


def _keep(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, AxisAttrs | WindowAttrs | DenseAttrs)
    kept = node.attrs.kept
    rows = env.tensor(node, "y").size // kept
    env.put(node, "y", env.get(node, "x").reshape(rows, -1)[:, :kept])


def _softmax_loss(env: Environment, node: Node) -> None:
    table = constants.loss_table(env.tensor(node, "x"))
    loss = backward.softmax_loss(env.get(node, "x"), table, env.label)
    scale = env.scales[node.outputs["dy"]]
    scale.exponent, scale.peak = loss.exponent, loss.peak
    env.predicted, env.probability = loss.predicted, loss.probability
    env.put(node, "dy", loss.dy)


def _advance(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, AdvanceAttrs)
    scales.advance(env.scale_list, node.attrs.headroom)
    env.step = (env.step + 1) % 2**32


# ---- Input gradients -----------------------------------------------------------------


def _exponent(env: Environment, node: Node) -> int:
    """e_dy - e_dx."""
    dy, dx = env.scales[node.inputs["dy"]], env.scales[node.outputs["dx"]]
    return dy.exponent - dx.exponent


def _store(env: Environment, node: Node, v: Ints) -> None:
    passes = None
    if "mask" in node.inputs:
        passes = backward.unpack(env.get(node, "mask"), v.size)
    env.put(node, "dx", scales.store(v, passes, env.scales[node.outputs["dx"]]))


def _conv2d_backward(env: Environment, node: Node) -> None:
    rule = backward.depthwise if node.op.startswith("depthwise") else backward.conv2d
    layer = env.layer(node)
    dy, w, k = env.get_map(node, "dy"), env.weights(node), env.descent(layer)
    _store(env, node, rule(dy, w, env.sliding(layer), k, _exponent(env, node)))


def _fully_connected_backward(env: Environment, node: Node) -> None:
    w, k = env.weights(node), env.descent(env.layer(node))
    dy = env.get(node, "dy").reshape(-1, w.shape[0])
    _store(env, node, backward.fully_connected(dy, w, k, _exponent(env, node)))


def _average_pool_backward(env: Environment, node: Node) -> None:
    sliding = env.sliding(node, "dx", "dy")
    _store(env, node, backward.average_pool(env.get_map(node, "dy"), sliding, _exponent(env, node)))


def _mean_backward(env: Environment, node: Node) -> None:
    outer, count, inner = _split_mean(node, env.tensor(node, "dx").shape)
    dy = env.get(node, "dy").reshape(outer, inner)
    k = constants.reciprocal(count)
    _store(env, node, backward.mean(dy, count, k, _exponent(env, node)))


def _pad_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    _store(env, node, backward.pad(env.get_map(node, "dy"), node.attrs, _exponent(env, node)))


def _reshape_backward(env: Environment, node: Node) -> None:
    env.put(node, "dx", env.get(node, "dy"))


def _gradient_add(env: Environment, node: Node) -> None:
    a, b = node.inputs["a"], node.inputs.get("b")
    v = backward.gradient_add(
        env.values[a],
        env.scales[a].exponent,
        None if b is None else env.values[b],
        0 if b is None else env.scales[b].exponent,
        env.scales[node.outputs["dx"]].exponent,
    )
    _store(env, node, v)


# ---- Updates -------------------------------------------------------------------------


def _draw(env: Environment, node: Node, role: str) -> update.Draw:
    return update.Draw(env.seed, env.step, env.tensor(node, role).source_id)


def _update_rows(env: Environment, node: Node, w: Ints, a: Ints, rates: Factors) -> Ints:
    """The new rows of a layer's weights: w and a are [rows][...]."""
    rows = w.shape[0]
    e_dy = env.scales[node.inputs["dy"]].exponent
    draw = _draw(env, node, "w")
    new = update.update_rows(w.reshape(rows, -1), a.reshape(rows, -1), rates, env.rate, e_dy, draw)
    env.count_saturated(new.saturated)
    return new.values.reshape(w.shape)


def _centred(env: Environment, node: Node) -> Ints:
    """The kept x minus the zero point of the layer's input, [rows][kept]."""
    zero = constants.zero_of(env.tensor(env.layer(node), "x"))
    return env.get(node, "x").reshape(-1, env.tensor(node, "w").shape[-1]) - zero


def _conv2d_update(env: Environment, node: Node) -> None:
    layer, w = env.layer(node), env.get(node, "w")
    sliding = env.sliding(layer)
    x = _centred(env, node).reshape(*sliding.x, -1)
    a = update.conv2d_sum(x, env.get_map(node, "dy"), sliding)
    env.put(node, "w", _update_rows(env, node, w, a, env.descent(layer).w_rate))


def _depthwise_update(env: Environment, node: Node) -> None:
    layer, w = env.layer(node), env.get(node, "w")
    kept, sliding = w.shape[2], env.sliding(layer)
    x = _centred(env, node).reshape(*sliding.x, kept)
    a = update.depthwise_sum(x, env.get_map(node, "dy")[:, :, :kept], sliding)
    rates = env.descent(layer).w_rate.first(kept)
    new = _update_rows(env, node, w.transpose(2, 0, 1), a, rates)
    env.put(node, "w", new.transpose(1, 2, 0))


def _fully_connected_update(env: Environment, node: Node) -> None:
    w = env.get(node, "w")
    dy = env.get(node, "dy").reshape(-1, w.shape[0])
    a = update.fully_connected_sum(_centred(env, node), dy)
    rates = env.descent(env.layer(node)).w_rate
    env.put(node, "w", _update_rows(env, node, w, a, rates))


def _bias_update(env: Environment, node: Node) -> None:
    b = env.get(node, "b")
    k = env.descent(env.layer(node))
    dy = env.get(node, "dy").reshape(-1, b.size)
    e_dy = env.scales[node.inputs["dy"]].exponent
    new = update.update_bias(b, dy, k.b_rate, env.rate, e_dy, _draw(env, node, "b"), k.b_limit)
    env.put(node, "b", new)


FORWARD: dict[str, Operator] = {
    "conv2d": _conv2d,
    "depthwise": _conv2d,
    "fully_connected": _fully_connected,
    "average_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "add": _add,
    "pad": _pad,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "transpose": _transpose,
    "lookup": _lookup,
    "softmax": _softmax,
}

TRAINING: dict[str, Operator] = {
    "mask": _mask,
    "keep": _keep,
    "softmax_loss": _softmax_loss,
    "conv2d_backward_input": _conv2d_backward,
    "depthwise_backward_input": _conv2d_backward,
    "fully_connected_backward_input": _fully_connected_backward,
    "average_pool_backward_input": _average_pool_backward,
    "mean_backward_input": _mean_backward,
    "pad_backward_input": _pad_backward,
    "reshape_backward_input": _reshape_backward,
    "gradient_add": _gradient_add,
    "conv2d_update": _conv2d_update,
    "depthwise_update": _depthwise_update,
    "fully_connected_update": _fully_connected_update,
    "bias_update": _bias_update,
    "advance": _advance,
}

OPERATORS: dict[str, Operator] = FORWARD | TRAINING
