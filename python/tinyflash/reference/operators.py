"""One rule per operator: the arithmetic and the tensors of a node.

Rules for the operators that training adds are in training.py.
"""

from __future__ import annotations

import numpy as np

from tinyflash.graph import AxisAttrs, Node, PadAttrs, TakeAttrs, TransposeAttrs
from tinyflash.reference import constants, forward
from tinyflash.reference.arith import Ints
from tinyflash.reference.constants import clip_of
from tinyflash.reference.environment import Environment, map_shape, split_mean
from tinyflash.reference.training import TRAINING, Operator


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
    a, b, sign = env.get(node, "a"), env.get(node, "b"), -1 if node.op == "sub" else 1
    env.put(node, "y", forward.add(a, b, k, clip_of(node), sign))


def _mul(env: Environment, node: Node) -> None:
    k = constants.mul_constants(env.graph, node)
    env.put(node, "y", forward.mul(env.get(node, "a"), env.get(node, "b"), k, clip_of(node)))


def _prelu(env: Environment, node: Node) -> None:
    k = constants.prelu_constants(env.graph, node)
    env.put(node, "y", forward.prelu(env.get(node, "x"), env.get(node, "alpha"), k, clip_of(node)))


def _chosen(env: Environment, node: Node) -> None:
    rule = forward.minimum if node.op == "minimum" else forward.maximum
    env.put(node, "y", rule(env.get(node, "a"), env.get(node, "b")))


def _pool(env: Environment, node: Node) -> None:
    rule = forward.average_pool if node.op == "average_pool" else forward.max_pool
    y = rule(env.get_map(node, "x"), env.sliding(node), clip_of(node))
    env.put(node, "y", y)


def _mean(env: Environment, node: Node) -> None:
    x, y = env.tensor(node, "x"), env.tensor(node, "y")
    split = split_mean(node, x.shape)
    k = constants.mean_constants(x, y, split[1])
    env.put(node, "y", forward.mean(env.get(node, "x").reshape(split), k))


def _pad(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    env.put(node, "y", forward.pad(env.get_map(node, "x"), node.attrs))


def _take(env: Environment, node: Node) -> None:
    assert isinstance(node.attrs, TakeAttrs)
    shape = map_shape(env.tensor(node, "y"))
    env.put(node, "y", forward.take(env.get_map(node, "x"), shape, node.attrs))


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


def _log_softmax(env: Environment, node: Node) -> None:
    k = constants.log_softmax_constants(env.tensor(node, "x"))
    env.put(node, "y", forward.log_softmax(env.get(node, "x"), env.get(node, "table"), k))


def _source(_: Environment, node: Node) -> None:
    """Does nothing: the caller has already stored the sample."""


FORWARD: dict[str, Operator] = {
    "source": _source,
    "conv2d": _conv2d,
    "depthwise": _conv2d,
    "fully_connected": _fully_connected,
    "average_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "prelu": _prelu,
    "maximum": _chosen,
    "minimum": _chosen,
    "pad": _pad,
    "take": _take,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "transpose": _transpose,
    "lookup": _lookup,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}

OPERATORS: dict[str, Operator] = FORWARD | TRAINING
