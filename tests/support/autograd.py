"""The float side of gradient tests: dequantized operators that torch differentiates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.support.functions import real_function

from tinyflash.graph import (
    AxisAttrs,
    Clip,
    Graph,
    LookupAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    Quant,
    SoftmaxAttrs,
    TakeAttrs,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.reference import Machine
from tinyflash.reference.constants import clip_of, weight_scales
from tinyflash.reference.environment import LAYERS

torch = pytest.importorskip("torch")

Real = Any  # torch.Tensor, float64
Shape = tuple[int, ...]


def windowed(x: Real, w: Real, window: Window, y_shape: Shape, groups: int = 1) -> Real:
    """Convolution of a map by w [out][in][kernel_h][kernel_w], with the window's own padding."""
    top, left, bottom, right = window.padding
    padded = torch.nn.functional.pad(x.permute(2, 0, 1)[None], (left, right, top, bottom))
    y = torch.nn.functional.conv2d(
        padded, w, stride=window.stride, dilation=window.dilation, groups=groups
    )
    assert tuple(y.shape[2:]) == y_shape[:2]
    return y[0].permute(1, 2, 0)


def _window(node: Node) -> Window:
    assert isinstance(node.attrs, WindowAttrs)
    return node.attrs.window


def _conv2d(node: Node, y_shape: Shape, x: Real, w: Real) -> Real:
    assert isinstance(node.attrs, WindowAttrs)
    return windowed(x, w.permute(0, 3, 1, 2), _window(node), y_shape, node.attrs.groups)


def _depthwise(node: Node, y_shape: Shape, x: Real, w: Real) -> Real:
    return windowed(x, w.permute(2, 0, 1)[:, None], _window(node), y_shape, groups=x.shape[2])


def _fully_connected(_node: Node, y_shape: Shape, x: Real, w: Real) -> Real:
    return (x.reshape(-1, w.shape[1]) @ w.T).reshape(y_shape)


def _average_pool(node: Node, y_shape: Shape, x: Real) -> Real:
    window, channels = _window(node), x.shape[2]
    ones = torch.ones((channels, 1, *window.kernel), dtype=x.dtype)
    total = windowed(x, ones, window, y_shape, groups=channels)
    return total / windowed(torch.ones_like(x), ones, window, y_shape, groups=channels)


def _max_pool(node: Node, y_shape: Shape, x: Real) -> Real:
    """Torch's own, which of equals takes the first as well."""
    window = _window(node)
    top, left, bottom, right = window.padding
    planes = x.permute(2, 0, 1)[None].contiguous()
    padded = torch.nn.functional.pad(planes, (left, right, top, bottom), value=-math.inf)
    y = torch.nn.functional.max_pool2d(padded, window.kernel, window.stride)
    assert tuple(y.shape[2:]) == y_shape[:2]
    return y[0].permute(1, 2, 0)


def _mean(node: Node, y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, MeanAttrs)
    return x.mean(dim=node.attrs.axes).reshape(y_shape)


def _pad(node: Node, _y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, PadAttrs)
    pairs = list(zip(node.attrs.before, node.attrs.after, strict=True))
    return torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair])


def _take(node: Node, y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, TakeAttrs)
    for axis, name in enumerate(("rows", "columns", "channels")):
        steps = getattr(node.attrs, name)
        at = [(steps.first + i * steps.step) // steps.unit for i in range(y_shape[axis])]
        x = x.index_select(axis, torch.tensor(at))
    return x


def _concatenate(node: Node, _y_shape: Shape, *parts: Real) -> Real:
    assert isinstance(node.attrs, AxisAttrs)
    return torch.cat(parts, dim=node.attrs.axis)


def _transpose(node: Node, _y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, TransposeAttrs)
    return x.permute(node.attrs.order)


def _lookup(node: Node, _y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, LookupAttrs)
    return real_function(node.attrs.function, x)


def _mul(_node: Node, y_shape: Shape, a: Real, b: Real) -> Real:
    return (a.reshape(-1, b.numel()) * b.reshape(-1)).reshape(y_shape)


def _prelu(_node: Node, y_shape: Shape, x: Real, alpha: Real) -> Real:
    """At 0 the slope is alpha, as in torch."""
    rows = x.reshape(-1, alpha.numel())
    return torch.where(rows > 0, rows, rows * alpha.reshape(-1)).reshape(y_shape)


def _chosen(node: Node, _y_shape: Shape, a: Real, b: Real) -> Real:
    """TensorFlow's gradient: of equals a takes all. torch.minimum gives half to each."""
    return torch.where(a <= b if node.op == "minimum" else a >= b, a, b)


def _softmax(node: Node, _y_shape: Shape, x: Real) -> Real:
    assert isinstance(node.attrs, SoftmaxAttrs)
    return torch.softmax(node.attrs.beta * x, dim=-1)


FLOAT: dict[str, Callable[..., Real]] = {
    "conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "pad": _pad,
    "take": _take,
    "reshape": lambda _node, y_shape, x: x.reshape(y_shape),
    "add": lambda _node, _y_shape, a, b: a + b,
    "sub": lambda _node, _y_shape, a, b: a - b,
    "mul": _mul,
    "prelu": _prelu,
    "maximum": _chosen,
    "minimum": _chosen,
    "softmax": _softmax,
    "log_softmax": lambda _node, _y_shape, x: torch.log_softmax(x, dim=-1),
    "concatenate": _concatenate,
    "transpose": _transpose,
    "lookup": _lookup,
}


def quant_of(graph: Graph, tensor: str) -> Quant:
    quant = graph.tensors[tensor].quant
    assert quant is not None
    return quant


def dequantize(graph: Graph, tensor: str, stored: np.ndarray) -> np.ndarray:
    quant = quant_of(graph, tensor)
    return (stored.astype(np.float64) - quant.zero) * quant.scale[0]


def real_weights(machine: Machine, node: Node) -> Real:
    """A layer's weights in real units, in their own layout."""
    w = machine.environment.weights(node).astype(np.float64)
    return torch.tensor(w * per_channel(node, weight_scales(machine.graph, node), w.ndim))


def per_channel(node: Node, values: list[float], dimensions: int) -> np.ndarray:
    """Values per output channel, shaped to multiply the layer's weights."""
    if node.op == "depthwise":
        return np.array(values)
    return np.array(values).reshape(-1, *[1] * (dimensions - 1))


def has_clip(node: Node) -> bool:
    """Whether the output saturates, by an arithmetic that could leave its bounds."""
    if node.op in ("average_pool", "max_pool"):
        return clip_of(node) != Clip()
    return node.op in (*LAYERS, "add", "sub", "mul", "prelu", "lookup")


def clip_bounds(graph: Graph, node: Node, margin: float = 0.0) -> tuple[float, float]:
    """The real bounds of a node's output, `margin` stored units further in."""
    clip = node.attrs.clip if isinstance(node.attrs, LookupAttrs) else clip_of(node)
    quant = quant_of(graph, node.outputs["y"])
    low, high = clip.low + margin, clip.high - margin
    return (low - quant.zero) * quant.scale[0], (high - quant.zero) * quant.scale[0]
