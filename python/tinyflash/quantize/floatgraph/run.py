"""Runs float networks in numpy, batch by batch: one rule per operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyflash.graph import AxisAttrs, MeanAttrs, TakeAttrs, TransposeAttrs
from tinyflash.quantize.curves import CURVES
from tinyflash.quantize.floatgraph.graph import (
    UNBOUNDED,
    Factor,
    Filling,
    FloatGraph,
    FloatNode,
    Floats,
)

Rule = Callable[[FloatNode, list[Floats]], Any]

_BATCH_ELEMENTS = 1 << 22  # elements of the largest tensor in one batch


def run(graph: FloatGraph, x: Floats) -> dict[str, Floats]:
    """Samples as the network reads them [n][...] -> the value of every tensor, by name.

    Numbers beyond float32 become infinite, without a warning; the caller checks for them.
    """
    values: dict[str, Floats] = {graph.source.name: x}
    for node in graph.nodes:
        with np.errstate(all="ignore"):
            y = RULES[node.op](node, [values[name] for name in node.inputs])
        if node.bounds != UNBOUNDED:
            y = np.clip(y, *node.bounds)
        values[node.name] = np.asarray(y, np.float32).reshape(len(x), *node.shape[1:])
    return values


def batches(graph: FloatGraph, x: Floats) -> Iterator[Floats]:
    """Yields the samples in parts of bounded memory."""
    largest = max(int(np.prod(shape)) for shape in (graph.source.shape, *_shapes(graph)))
    size = max(1, _BATCH_ELEMENTS // largest)
    return (x[start : start + size] for start in range(0, len(x), size))


def outputs(graph: FloatGraph, x: Floats) -> Floats:
    """Returns the network's output for each sample."""
    return np.concatenate([run(graph, part)[graph.output] for part in batches(graph, x)])


def _shapes(graph: FloatGraph) -> Iterator[tuple[int, ...]]:
    return (node.shape for node in graph.nodes)


# ---- Windows ------------------------------------------------------------------------------------


def _taps(x: Floats, node: FloatNode, fill: float) -> Iterator[tuple[int, int, Floats]]:
    """Yields for each place in the kernel: row, column, and the elements it meets at every output
    position."""
    window = node.window
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    height, width = node.shape[1:3]
    (dy, dx), (sy, sx) = window.dilation, window.stride
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            y0, x0 = row * dy, column * dx
            y1, x1 = y0 + (height - 1) * sy + 1, x0 + (width - 1) * sx + 1
            yield row, column, padded[:, y0:y1:sy, x0:x1:sx]


def _conv2d(node: FloatNode, inputs: list[Floats]) -> Floats:
    w, b = node.learned.w, node.learned.b
    x, out, depth = inputs[0], w.shape[0], w.shape[-1]
    groups = x.shape[-1] // depth
    parts = []
    for group in range(groups):
        mine = slice(group * (out // groups), (group + 1) * (out // groups))
        piece = x[..., group * depth : (group + 1) * depth]
        parts.append(sum(tap @ w[mine, r, c].T for r, c, tap in _taps(piece, node, 0.0)))
    return np.concatenate(parts, axis=-1) + b if groups > 1 else parts[0] + b


def _depthwise(node: FloatNode, inputs: list[Floats]) -> Floats:
    w, b = node.learned.w, node.learned.b
    x = np.repeat(inputs[0], w.shape[-1] // inputs[0].shape[-1], axis=-1)
    total: Floats = sum((tap * w[r, c] for r, c, tap in _taps(x, node, 0.0)), b)
    return total


def _fully_connected(node: FloatNode, inputs: list[Floats]) -> Floats:
    w, b = node.learned.w, node.learned.b
    y: Floats = inputs[0].reshape(len(inputs[0]), -1, w.shape[1]) @ w.T + b
    return y


def _average_pool(node: FloatNode, inputs: list[Floats]) -> Floats:
    """Averages the positions inside the map."""
    total = sum(tap for _, _, tap in _taps(inputs[0], node, 0.0))
    count = sum(tap for _, _, tap in _taps(np.ones_like(inputs[0][:1]), node, 0.0))
    return np.asarray(total / count)


def _max_pool(node: FloatNode, inputs: list[Floats]) -> Floats:
    taps = (tap for _, _, tap in _taps(inputs[0], node, -np.inf))
    y = next(taps).copy()
    for tap in taps:
        np.maximum(y, tap, out=y)
    return y


# ---- Others -------------------------------------------------------------------------------------


def _mean(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, MeanAttrs)
    return np.asarray(inputs[0].mean(axis=node.attrs.axes, dtype=np.float32))


def _mul(_: FloatNode, inputs: list[Floats]) -> Floats:
    a, b = inputs
    rows = a.reshape(len(a), -1, b[0].size)
    return rows * b.reshape(len(b), 1, -1)


def _pad(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, Filling)
    amounts = list(zip(node.attrs.before, node.attrs.after, strict=True))
    lead = inputs[0].ndim - 3
    return np.pad(inputs[0], [(0, 0)] * lead + amounts, constant_values=node.attrs.value)


def _take(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, TakeAttrs)
    y = inputs[0]
    axes = (node.attrs.rows, node.attrs.columns, node.attrs.channels)
    for axis, steps in zip((-3, -2, -1), axes, strict=True):
        places = (steps.first + np.arange(node.shape[axis]) * steps.step) // steps.unit
        y = y.take(places, axis)
    return y


def _concatenate(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, AxisAttrs)
    return np.concatenate(inputs, axis=node.attrs.axis)


def _transpose(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, TransposeAttrs)
    return inputs[0].transpose(node.attrs.order)


def _softmax(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, Factor)
    x = node.attrs.value * inputs[0]
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _log_softmax(_: FloatNode, inputs: list[Floats]) -> Floats:
    below = inputs[0] - inputs[0].max(axis=-1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=-1, keepdims=True)))


def _leaky_relu(node: FloatNode, inputs: list[Floats]) -> Floats:
    assert isinstance(node.attrs, Factor)
    return np.where(inputs[0] < 0, node.attrs.value * inputs[0], inputs[0])


def _logistic(_: FloatNode, inputs: list[Floats]) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * inputs[0])))


def _curve(node: FloatNode, inputs: list[Floats]) -> Floats:
    alpha = node.attrs.value if isinstance(node.attrs, Factor) else 0.0
    return CURVES[node.op](inputs[0].astype(np.float64), alpha).astype(np.float32)


def _hard_swish(_: FloatNode, inputs: list[Floats]) -> Floats:
    return np.asarray(inputs[0] * np.clip(inputs[0] + 3, 0, 6) / 6, np.float32)


RULES: dict[str, Rule] = {
    **dict.fromkeys(CURVES, _curve),
    "conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "add": lambda _, inputs: inputs[0] + inputs[1],
    "sub": lambda _, inputs: inputs[0] - inputs[1],
    "mul": _mul,
    "maximum": lambda _, inputs: np.maximum(*inputs),
    "minimum": lambda _, inputs: np.minimum(*inputs),
    "pad": _pad,
    "take": _take,
    "reshape": lambda _, inputs: inputs[0],
    "concatenate": _concatenate,
    "transpose": _transpose,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logistic": _logistic,
    "tanh": lambda _, inputs: np.tanh(inputs[0]),
    "hard_swish": _hard_swish,
    "leaky_relu": _leaky_relu,
    "prelu": lambda node, inputs: np.where(inputs[0] < 0, inputs[0] * node.learned.w, inputs[0]),
    "identity": lambda _, inputs: inputs[0],
    "scale": lambda node, inputs: inputs[0] * node.learned.w + node.learned.b,
}
