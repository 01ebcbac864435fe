"""One rule per operator that training adds: masks, loss, input gradients. Updates: updating.py."""

from __future__ import annotations

from collections.abc import Callable

from tinyflash.graph import (
    AdvanceAttrs,
    AxisAttrs,
    DenseAttrs,
    LossAttrs,
    Node,
    PadAttrs,
    PartAttrs,
    SoftmaxAttrs,
    TakeAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.reference import backward, constants, fisher, scales
from tinyflash.reference.arith import Ints, factor_of
from tinyflash.reference.constants import clip_of
from tinyflash.reference.environment import Environment, map_shape, split_mean
from tinyflash.reference.updating import UPDATES

Operator = Callable[[Environment, Node], None]

# ---- Masks, loss, advance ------------------------------------------------------------


def _mask(env: Environment, node: Node) -> None:
    env.put(node, "mask", backward.mask(env.get(node, "y"), clip_of(node)))


def _keep(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, AxisAttrs | WindowAttrs | DenseAttrs)
    kept = node.attrs.kept
    rows = env.tensor(node, "y").size // kept
    env.put(node, "y", env.get(node, "x").reshape(rows, -1)[:, :kept])


def _softmax_loss(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, LossAttrs)
    logits = env.tensor(node, "x")
    table = constants.loss_table(logits)
    on, off = constants.smoothed(node.attrs.smoothing, logits.size)
    loss = backward.softmax_loss(env.get(node, "x"), table, env.label, on, off)
    env.predicted, env.probability = loss.predicted, loss.probability
    _put_loss(env, node, loss)


def _put_loss(env: Environment, node: Node, loss: backward.Loss) -> None:
    scale = env.scales[node.outputs["dy"]]
    scale.exponent, scale.peak = loss.exponent, loss.peak
    env.put(node, "dy", loss.dy)


def _squared_loss(env: Environment, node: Node) -> None:
    factor = constants.squared_factor(env.tensor(node, "x"))
    loss = backward.squared_loss(env.get(node, "x"), env.get(node, "target"), factor)
    env.error = loss.error
    _put_loss(env, node, loss)


def _sigmoid_loss(env: Environment, node: Node) -> None:
    logits = env.tensor(node, "x")
    table, factor = constants.sigmoid_table(logits), constants.sigmoid_factor(logits)
    loss = backward.sigmoid_loss(env.get(node, "x"), env.get(node, "target"), table, factor)
    env.error = loss.error
    _put_loss(env, node, loss)


def _fisher(env: Environment, node: Node) -> None:
    tensor = env.tensor(node, "y")
    y, dy = (env.get(node, role).reshape(-1, tensor.shape[-1]) for role in ("y", "dy"))
    exponent = env.scales[node.inputs["dy"]].exponent
    zero = constants.zero_of(tensor)
    env.put(node, "d", fisher.add_sample(env.get(node, "d"), y, zero, dy, exponent))


def _advance(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, AdvanceAttrs)
    scales.advance(env.scale_list, node.attrs.headroom)
    env.step = (env.step + 1) % 2**32


# ---- Input gradients -----------------------------------------------------------------


def _exponent(env: Environment, node: Node) -> int:
    """Sets the exponent of dx, and returns e_dy - e_dx."""
    dy, dx = env.scales[node.inputs["dy"]], env.scales[node.outputs["dx"]]
    scales.follow([dy], dx)
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


def _max_pool_backward(env: Environment, node: Node) -> None:
    x, dy = env.get_map(node, "x"), env.get_map(node, "dy")
    sliding = env.sliding(node, "dx", "dy")
    _store(env, node, backward.max_pool(x, dy, sliding, _exponent(env, node)))


def _mean_backward(env: Environment, node: Node) -> None:
    outer, count, inner = split_mean(node, env.tensor(node, "dx").shape)
    dy = env.get(node, "dy").reshape(outer, inner)
    k = constants.reciprocal(count)
    _store(env, node, backward.mean(dy, count, k, _exponent(env, node)))


def _pad_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    _store(env, node, backward.pad(env.get_map(node, "dy"), node.attrs, _exponent(env, node)))


def _take_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, TakeAttrs)
    shape = map_shape(env.tensor(node, "dx"))
    dy, e = env.get_map(node, "dy"), _exponent(env, node)
    _store(env, node, backward.take(dy, shape, node.attrs, e))


def _concatenate_backward(env: Environment, node: Node) -> None:
    forward = env.graph.node(node.layer, "concatenate")
    assert isinstance(node.attrs, PartAttrs)
    assert isinstance(forward.attrs, AxisAttrs)
    axis, index = forward.attrs.axis, node.attrs.index
    sizes = [env.tensor(forward, f"x{i}").shape[axis] for i in range(index + 1)]
    dy, start = env.get(node, "dy"), sum(sizes[:-1])
    _store(env, node, backward.concatenate(dy, axis, start, sizes[-1], _exponent(env, node)))


def _transpose_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, TransposeAttrs)
    v = backward.transpose(env.get(node, "dy"), node.attrs.order, _exponent(env, node))
    _store(env, node, v)


def _lookup_backward(env: Environment, node: Node) -> None:
    x, slope, dy = (env.get(node, role) for role in ("x", "slope", "dy"))
    _store(env, node, backward.lookup(x, slope, dy, _exponent(env, node)))


def _softmax_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, SoftmaxAttrs)
    y, dy, beta = env.get(node, "y"), env.get(node, "dy"), factor_of(node.attrs.beta)
    _store(env, node, backward.softmax(y, dy, beta, _exponent(env, node)))


def _mul_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PartAttrs)
    k = constants.mul_constants(env.graph, env.graph.node(node.layer, "mul"))
    other, dy, e = env.get(node, "x"), env.get(node, "dy"), _exponent(env, node)
    if node.attrs.index == 0:
        v = backward.mul_a(other, dy, k, e)
    else:
        v = backward.mul_b(other, dy, env.tensor(node, "dx").size, k, e)
    _store(env, node, v)


def _prelu_backward(env: Environment, node: Node) -> None:
    k = constants.prelu_constants(env.graph, env.graph.node(node.layer, "prelu"))
    x, alpha, dy = (env.get(node, role) for role in ("x", "alpha", "dy"))
    _store(env, node, backward.prelu(x, alpha, dy, k, _exponent(env, node)))


def _sub_backward(env: Environment, node: Node) -> None:
    _store(env, node, backward.sub(env.get(node, "dy"), _exponent(env, node)))


def _chosen_backward(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PartAttrs)
    a, y, dy = (env.get(node, role) for role in ("a", "y", "dy"))
    _store(env, node, backward.chosen(a, y, node.attrs.index, dy, _exponent(env, node)))


def _reshape_backward(env: Environment, node: Node) -> None:
    env.put(node, "dx", env.get(node, "dy"))


def _gradient_add(env: Environment, node: Node) -> None:
    a, b, dx = node.inputs["a"], node.inputs.get("b"), env.scales[node.outputs["dx"]]
    scales.follow([env.scales[name] for name in (a, b) if name is not None], dx)
    v = backward.gradient_add(
        env.values[a],
        env.scales[a].exponent,
        None if b is None else env.values[b],
        0 if b is None else env.scales[b].exponent,
        dx.exponent,
    )
    _store(env, node, v)


TRAINING: dict[str, Operator] = {
    "mask": _mask,
    "keep": _keep,
    "softmax_loss": _softmax_loss,
    "squared_loss": _squared_loss,
    "sigmoid_loss": _sigmoid_loss,
    "conv2d_backward_input": _conv2d_backward,
    "depthwise_backward_input": _conv2d_backward,
    "fully_connected_backward_input": _fully_connected_backward,
    "average_pool_backward_input": _average_pool_backward,
    "max_pool_backward_input": _max_pool_backward,
    "mean_backward_input": _mean_backward,
    "pad_backward_input": _pad_backward,
    "take_backward_input": _take_backward,
    "concatenate_backward_input": _concatenate_backward,
    "transpose_backward_input": _transpose_backward,
    "lookup_backward_input": _lookup_backward,
    "softmax_backward_input": _softmax_backward,
    "sub_backward_input": _sub_backward,
    "mul_backward_input": _mul_backward,
    "prelu_backward_input": _prelu_backward,
    "maximum_backward_input": _chosen_backward,
    "minimum_backward_input": _chosen_backward,
    "reshape_backward_input": _reshape_backward,
    "gradient_add": _gradient_add,
    **UPDATES,
    "fisher": _fisher,
    "advance": _advance,
}
