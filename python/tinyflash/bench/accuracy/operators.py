"""The forward operators in float, differentiated by torch: real numbers, batch first.

A tensor with shape [...] in the graph is float32 [batch][...] here, also channels last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.graph import (
    AxisAttrs,
    LookupAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    Quant,
    SoftmaxAttrs,
    TakeAttrs,
    Tensor,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.layers import groups_of

Real = Any  # torch.Tensor, float32; only float methods import torch
Tensors = Mapping[str, Tensor]
Rule = Callable[[Node, Tensors, Mapping[str, Real]], Real]


def forward(node: Node, tensors: Tensors, inputs: Mapping[str, Real]) -> Real:
    """Returns the real output of a node, before its bounds. inputs: by role: x, w, b, a, ..."""
    y = RULES[node.op](node, tensors, inputs)
    return y.reshape(len(y), *tensors[node.outputs["y"]].shape)


# ---- Windows -------------------------------------------------------------------------------------


def _window(node: Node) -> Window:
    assert isinstance(node.attrs, WindowAttrs)
    return node.attrs.window


def _planes(x: Real) -> Real:
    """[batch][..][height][width][channels] -> [batch][channels][height][width], the same bytes."""
    return x.reshape(len(x), *x.shape[-3:]).permute(0, 3, 1, 2)


def _padded(x: Real, window: Window, value: float = 0.0) -> Real:
    from torch.nn import functional

    top, left, bottom, right = window.padding
    if not any(window.padding):
        return x
    return functional.pad(x, (left, right, top, bottom), value=value)


def _convolved(x: Real, w: Real, b: Real, window: Window, groups: int) -> Real:
    """Returns a convolution with w [out][in of a group][kernel_h][kernel_w], channels last."""
    from torch.nn import functional

    top, left, bottom, right = window.padding
    padding: tuple[int, int] = (top, left)
    if padding != (bottom, right):
        x, padding = _padded(x, window), (0, 0)
    y = functional.conv2d(x, w, b, window.stride, padding, window.dilation, groups)
    return y.permute(0, 2, 3, 1)


def _conv2d(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    from torch.nn import functional

    x, w, b, window = inputs["x"], inputs["w"], inputs.get("b"), _window(node)
    groups = groups_of(node)
    if window.kernel == (1, 1) == window.stride and not any(window.padding) and groups == 1:
        return functional.linear(x, w[:, 0, 0], b)
    return _convolved(_planes(x), w.permute(0, 3, 1, 2), b, window, groups)


def _depthwise(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    x, w = _planes(inputs["x"]), inputs["w"].permute(2, 0, 1)[:, None]
    return _convolved(x, w, inputs.get("b"), _window(node), x.shape[1])


def _average_pool(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    """The mean of the positions inside the map."""
    import torch
    from torch.nn import functional

    window, x = _window(node), _planes(inputs["x"])

    def summed(planes: Real) -> Real:
        return functional.avg_pool2d(
            _padded(planes, window), window.kernel, window.stride, divisor_override=1
        )

    return (summed(x) / summed(torch.ones_like(x[:1, :1]))).permute(0, 2, 3, 1)


def _max_pool(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    from torch.nn import functional

    window = _window(node)
    x = _padded(_planes(inputs["x"]), window, -math.inf)
    return functional.max_pool2d(x, window.kernel, window.stride).permute(0, 2, 3, 1)


# ---- Others --------------------------------------------------------------------------------------


def _fully_connected(_node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    from torch.nn import functional

    x, w = inputs["x"], inputs["w"]
    return functional.linear(x.reshape(len(x), -1, w.shape[1]), w, inputs.get("b"))


def _mean(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    assert isinstance(node.attrs, MeanAttrs)
    return inputs["x"].mean(dim=[axis + 1 for axis in node.attrs.axes])


def _pad(node: Node, tensors: Tensors, inputs: Mapping[str, Real]) -> Real:
    from torch.nn import functional

    assert isinstance(node.attrs, PadAttrs)
    quant = tensors[node.inputs["x"]].quant
    value = 0.0 if quant is None else quant.scale[0] * (node.attrs.value - quant.zero)
    pairs = list(zip(node.attrs.before, node.attrs.after, strict=True))
    amounts = [n for pair in reversed(pairs) for n in pair]
    return functional.pad(inputs["x"], amounts, value=value)


def _take(node: Node, tensors: Tensors, inputs: Mapping[str, Real]) -> Real:
    import torch

    assert isinstance(node.attrs, TakeAttrs)
    y, shape = inputs["x"], tensors[node.outputs["y"]].shape
    axes = (node.attrs.rows, node.attrs.columns, node.attrs.channels)
    for axis, steps in zip((-3, -2, -1), axes, strict=True):
        places = (steps.first + torch.arange(shape[axis]) * steps.step) // steps.unit
        y = y.index_select(axis, places.to(y.device))
    return y


def _concatenate(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    import torch

    assert isinstance(node.attrs, AxisAttrs)
    return torch.cat([inputs[role] for role in node.inputs], dim=node.attrs.axis + 1)


def _transpose(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    assert isinstance(node.attrs, TransposeAttrs)
    return inputs["x"].permute(0, *(axis + 1 for axis in node.attrs.order))


def _softmax(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    assert isinstance(node.attrs, SoftmaxAttrs)
    return (node.attrs.beta * inputs["x"]).softmax(dim=-1)


def _chosen(node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    """Not torch.minimum or maximum, which give half of the gradient to each of two equals."""
    a, b = inputs["a"], inputs["b"]
    return a.where(a <= b if node.op == "minimum" else a >= b, b)


def _mul(_node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    """Operand b has the shape of a, or is one row for all rows of a."""
    a, b = inputs["a"], inputs["b"]
    row = b.flatten(1)[:, None]
    return a.reshape(len(a), -1, row.shape[-1]) * row


def _prelu(_node: Node, _: Tensors, inputs: Mapping[str, Real]) -> Real:
    """Slopes are one row for all rows of x."""
    x = inputs["x"].reshape(len(inputs["x"]), -1, inputs["alpha"].numel())
    return x.where(x > 0, x * inputs["alpha"].flatten())


# ---- Functions of one element --------------------------------------------------------------------


def _lookup(node: Node, tensors: Tensors, inputs: Mapping[str, Real]) -> Real:
    """Returns the function itself; if only its table is known, the table, without a gradient."""
    assert isinstance(node.attrs, LookupAttrs)
    x, quant = inputs["x"], tensors[node.inputs["x"]].quant
    if quant is not None and node.attrs.function in _FUNCTIONS:
        return _FUNCTIONS[node.attrs.function](x, node.attrs.alpha)
    if quant is not None and node.attrs.function in _LINES:
        return node.attrs.alpha * x + _offset(node.attrs, node, tensors, quant)
    return _tabulated(node, tensors, x, quant)


def _offset(attrs: LookupAttrs, node: Node, tensors: Tensors, x: Quant) -> float:
    """Returns the term that a table adds to alpha * x, where it is not clipped."""
    table, y = tensors[node.inputs["table"]].data, tensors[node.outputs["y"]].quant
    assert table is not None and y is not None
    stored = np.arange(256, dtype=np.uint8).view(np.int8)
    entries = table.astype(np.int64)
    inside = (entries > attrs.clip.low) & (entries < attrs.clip.high)
    differences = real(table, y) - attrs.alpha * real(stored, x)
    return float(np.mean(differences[inside])) if inside.any() else 0.0


def _tabulated(node: Node, tensors: Tensors, x: Real, quant: Quant | None) -> Real:
    import torch

    table, y = tensors[node.inputs["table"]].data, tensors[node.outputs["y"]].quant
    assert table is not None and y is not None
    stored = x if quant is None else (x / quant.scale[0]).round() + quant.zero
    entries = torch.from_numpy(real(table, y))
    return entries[stored.detach().clamp(-128, 255 if quant is None else 127).long() & 255]


def _hard_swish(x: Real, _: float) -> Real:
    return x * (x + 3).clamp(0, 6) / 6


def _softplus(x: Real) -> Real:
    return x.relu() + (-x.abs()).exp().log1p()


_GELU = math.sqrt(2 / math.pi)
_FUNCTIONS: dict[str, Callable[[Real, float], Real]] = {
    "logistic": lambda x, _: x.sigmoid(),
    "tanh": lambda x, _: x.tanh(),
    "relu": lambda x, _: x.relu(),
    "relu6": lambda x, _: x.clamp(0, 6),
    "leaky_relu": lambda x, alpha: x.relu() - alpha * (-x).relu(),
    "prelu": lambda x, alpha: x.relu() - alpha * (-x).relu(),
    "hard_swish": _hard_swish,
    "abs": lambda x, _: x.abs(),
    "elu": lambda x, alpha: x.relu() + alpha * x.clamp(max=0).expm1(),
    "erf": lambda x, _: x.erf(),
    "gelu": lambda x, _: 0.5 * x * (1 + (x / math.sqrt(2)).erf()),
    "gelu_tanh": lambda x, _: 0.5 * x * (1 + (_GELU * (x + 0.044715 * x**3)).tanh()),
    "mish": lambda x, _: x * _softplus(x).tanh(),
    "selu": lambda x, _: x.selu(),
    "softplus": lambda x, _: _softplus(x),
    "softsign": lambda x, _: x / (1 + x.abs()),
    "quantize": lambda x, _: x,
}

_LINES = ("add", "sub", "mul")  # with a constant number

RULES: dict[str, Rule] = {
    "conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "add": lambda _node, _, inputs: inputs["a"] + inputs["b"],
    "sub": lambda _node, _, inputs: inputs["a"] - inputs["b"],
    "mul": _mul,
    "prelu": _prelu,
    "maximum": _chosen,
    "minimum": _chosen,
    "pad": _pad,
    "take": _take,
    "reshape": lambda _node, _, inputs: inputs["x"],
    "concatenate": _concatenate,
    "transpose": _transpose,
    "lookup": _lookup,
    "softmax": _softmax,
    "log_softmax": lambda _node, _, inputs: inputs["x"].log_softmax(dim=-1),
}


def real(stored: npt.NDArray[Any], quant: Quant | None) -> npt.NDArray[np.float32]:
    """Returns stored integers as real numbers. Per-channel scales are along their axis."""
    if quant is None:
        return stored.astype(np.float32)
    scale = np.array(quant.scale)
    if len(scale) > 1:
        scale = scale.reshape([-1 if i == quant.axis else 1 for i in range(stored.ndim)])
    return np.asarray((stored.astype(np.float64) - quant.zero) * scale, np.float32)
