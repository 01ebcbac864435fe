"""Operator records of tinyflash/kernels.h, from the constants of the numpy reference.

The compiler makes its own (tinyflash.compiler.lower): kernel cases must not depend on them.
"""

from __future__ import annotations

import math

import numpy as np

from tinyflash.graph import (
    AdvanceAttrs,
    AxisAttrs,
    Descent,
    Graph,
    LossAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    PartAttrs,
    SoftmaxAttrs,
    TakeAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.program import ConstArray, Value
from tinyflash.reference import constants as k
from tinyflash.reference.arith import Ints, ceil_log2, factor_of
from tinyflash.reference.environment import map_shape
from tinyflash.reference.windows import Sliding

Fields = dict[str, Value]


def _map(graph: Graph, tensor: str) -> Fields:
    height, width, channels = map_shape(graph.tensors[tensor])
    return {"height": height, "width": width, "channels": channels, "ring": height}


def _by_rows(graph: Graph, tensor: str, units: int, *rings: str) -> Fields:
    """The height of a map and its whole rings; 1 where its rows do not divide `units`."""
    shape = graph.tensors[tensor].shape
    height = shape[-3] if len(shape) >= 3 and units % shape[-3] == 0 else 1
    return {"height": height, **dict.fromkeys(rings, height)}


def window(graph: Graph, node: Node, x: str = "x", y: str = "y") -> Fields:
    """tiny_window, between the tensors of two roles."""
    assert isinstance(node.attrs, WindowAttrs)
    tensors = {**node.inputs, **node.outputs}
    w = node.attrs.window
    return {
        "x": _map(graph, tensors[x]),
        "y": _map(graph, tensors[y]),
        "kernel_h": w.kernel[0],
        "kernel_w": w.kernel[1],
        "stride_h": w.stride[0],
        "stride_w": w.stride[1],
        "dilation_h": w.dilation[0],
        "dilation_w": w.dilation[1],
        "pad_top": w.padding[0],
        "pad_left": w.padding[1],
    }


def _factors(factors: k.Factors) -> ConstArray:
    return ConstArray("tiny_factor", np.stack([factors.mantissa, factors.exponent], axis=1))


def _int32(values: Ints) -> ConstArray:
    return ConstArray("int32_t", values)


def layer(graph: Graph, node: Node) -> tuple[str, Fields]:
    """The C type and the fields of a layer with weights, by its forward node."""
    if node.op == "fully_connected":
        return "tiny_fully_connected", {**_matrix(graph, node), **_arithmetic(graph, node)}
    x, y = (graph.tensors[t] for t in (node.inputs["x"], node.outputs["y"]))
    fields: Fields = {"window": window(graph, node), "kept": kept(graph, node)}
    if node.op == "depthwise":
        fields["multiplier"] = y.shape[-1] // x.shape[-1]
    elif isinstance(node.attrs, WindowAttrs):
        fields["depth"] = x.shape[-1] // node.attrs.groups
    return f"tiny_{node.op}", {**fields, **_arithmetic(graph, node)}


def kept(graph: Graph, node: Node) -> int:
    return graph.tensors[node.inputs["w"]].shape[-1] if "w" in node.inputs else 0


def _matrix(graph: Graph, node: Node) -> Fields:
    size = k.terms_forward(graph, node)
    x, y = (graph.tensors[t] for t in (node.inputs["x"], node.outputs["y"]))
    rows = x.size // size
    by_rows = _by_rows(graph, y.name, rows, "x_ring", "y_ring")
    return {"rows": rows, "in": size, "out": y.size // rows, "kept": kept(graph, node), **by_rows}


def _arithmetic(graph: Graph, node: Node) -> Fields:
    r, d = k.requant(graph, node), k.descent(graph, node)
    w = node.inputs.get("w")
    requant: Fields = {
        "multiplier": _int32(r.multiplier),
        "shift": _int32(r.shift),
        "x_zero": r.x_zero,
        "y_zero": r.y_zero,
        "y_min": r.clip.low,
        "y_max": r.clip.high,
    }
    descent: Fields = {
        "ratio": ConstArray("uint16_t", d.ratio),
        "factor": _factors(d.factor),
        "rate": _factors(d.w_rate),
        "rule": _rule(update_of(graph, node)),
        "source": source(graph, layer_weights(node)),
        "id": graph.tensors[w].source_id if w else 0,
        "ratio_shift": d.ratio_shift,
    }
    return {"requant": requant, "descent": descent}


def layer_weights(node: Node) -> tuple[str, ...]:
    """The weights whose output channels are those of the layer."""
    parts = [node.inputs[role] for role in ("w", "w_frozen") if role in node.inputs]
    return tuple(parts if node.op == "depthwise" else parts[:1])


def source(graph: Graph, names: tuple[str, ...]) -> ConstArray | None:
    """Numbers in the source model, where they differ."""
    taken = [graph.tensors[name].taken for name in names]
    rows = [row for t in taken if t is not None for row in t.rows]
    return ConstArray("uint16_t", np.array(rows)) if rows else None


def update_of(graph: Graph, layer: Node) -> Descent:
    """How the weights of a layer move."""
    found = [n for n in graph.nodes if n.layer == layer.name and n.op == f"{layer.op}_update"]
    return found[0].descent if found else Descent()


def _rule(descent: Descent) -> Fields:
    return {
        "decay": factor_of(descent.decay),
        "momentum": min(round(2**15 * descent.momentum), 32767),
        "every": descent.every,
        "clipped_limit": descent.clipped_limit,
        "nearest": int(descent.nearest),
    }


def bias(graph: Graph, node: Node, forward: Node) -> Fields:
    d = k.descent(graph, forward)
    b, dy = (graph.tensors[node.inputs[role]] for role in ("b", "dy"))
    return {
        "rows": dy.size // b.size,
        "out": b.size,
        "rate": _factors(d.b_rate),
        "rule": _rule(node.descent),
        "source": source(graph, (b.name,)),
        "id": b.source_id,
        "limit": d.b_limit,
    }


def pool(graph: Graph, node: Node, x: str = "x", y: str = "y") -> Fields:
    assert isinstance(node.attrs, WindowAttrs)
    (x_h, x_w, _), (y_h, y_w, _) = (
        map_shape(graph.tensors[{**node.inputs, **node.outputs}[role]]) for role in (x, y)
    )
    q = 23 - ceil_log2(k.cover(Sliding(node.attrs.window, (x_h, x_w), (y_h, y_w))))
    bounds: Fields = {"y_min": node.attrs.clip.low, "y_max": node.attrs.clip.high}
    return {"window": window(graph, node, x, y), **bounds, "reciprocal_shift": q}


def mean(graph: Graph, node: Node, x: str, y: str) -> Fields:
    assert isinstance(node.attrs, MeanAttrs)
    first, last = min(node.attrs.axes), max(node.attrs.axes) + 1
    shape = graph.tensors[x].shape
    count = math.prod(shape[first:last])
    c = k.mean_constants(graph.tensors[x], graph.tensors[y], count)
    return {
        "outer": math.prod(shape[:first]),
        "count": count,
        "inner": math.prod(shape[last:]),
        "multiplier": c.multiplier,
        "shift": c.shift,
        "x_zero": c.x_zero,
        "y_zero": c.y_zero,
        "reciprocal": k.reciprocal(count),
    }


_ABY = ("a_ring", "b_ring", "y_ring")


def add(graph: Graph, node: Node) -> Fields:
    c, clip = k.add_constants(graph, node), k.clip_of(node)
    y = graph.tensors[node.outputs["y"]]
    b = graph.tensors[node.inputs["b"]]
    rings = _ABY if b.size == y.size else ("a_ring", "y_ring")
    fields: Fields = {"count": y.size, **_by_rows(graph, y.name, y.size, *rings)}
    fields |= {"b_count": b.size, "b_sign": -1 if node.op == "sub" else 1}
    for name, (multiplier, shift) in (("a", c.a), ("b", c.b), ("y", c.y)):
        fields |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
    zeros: Fields = {"a_zero": c.a_zero, "b_zero": c.b_zero, "y_zero": c.y_zero}
    return {**fields, **zeros, "y_min": clip.low, "y_max": clip.high}


def mul(graph: Graph, node: Node) -> Fields:
    c, clip = k.mul_constants(graph, node), k.clip_of(node)
    a, b = (graph.tensors[node.inputs[role]].size for role in ("a", "b"))
    rings = _ABY if a == b else ("a_ring", "y_ring")
    return {
        "rows": a // b,
        "size": b,
        **_by_rows(graph, node.outputs["y"], a if a == b else a // b, *rings),
        "a_zero": c.a_zero,
        "b_zero": c.b_zero,
        "y_zero": c.y_zero,
        "y_min": clip.low,
        "y_max": clip.high,
        "multiplier": c.multiplier,
        "shift": c.shift,
        "a_scale": c.a_scale,
        "b_scale": c.b_scale,
    }


def prelu(graph: Graph, node: Node) -> Fields:
    c, clip = k.prelu_constants(graph, node), k.clip_of(node)
    y = graph.tensors[node.outputs["y"]]
    fields: Fields = {"count": y.size, "slopes": graph.tensors[node.inputs["alpha"]].size}
    for name, (multiplier, shift) in (("above", c.above), ("below", c.below)):
        fields |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
    zeros: Fields = {"x_zero": c.x_zero, "alpha_zero": c.alpha_zero, "y_zero": c.y_zero}
    fields |= {**_by_rows(graph, y.name, y.size, "x_ring", "y_ring"), **zeros}
    return {**fields, "y_min": clip.low, "y_max": clip.high, "alpha_scale": c.alpha_scale}


def minimum(graph: Graph, node: Node) -> Fields:
    y = graph.tensors[node.outputs["y"]]
    fields: Fields = {"count": y.size, **_by_rows(graph, y.name, y.size, *_ABY)}
    return {**fields, "larger": int(node.op == "maximum")}


def pad(graph: Graph, node: Node, x: str, y: str) -> Fields:
    assert isinstance(node.attrs, PadAttrs)
    top, left, front = node.attrs.before
    maps: Fields = {"x": _map(graph, x), "y": _map(graph, y)}
    return {**maps, "top": top, "left": left, "front": front, "value": node.attrs.value}


def take(graph: Graph, node: Node, x: str, y: str) -> Fields:
    assert isinstance(node.attrs, TakeAttrs)
    axes = ("rows", "columns", "channels")
    steps: Fields = {axis: dict(vars(getattr(node.attrs, axis))) for axis in axes}
    return {"x": _map(graph, x), "y": _map(graph, y), **steps}


def transpose(graph: Graph, node: Node) -> Fields:
    assert isinstance(node.attrs, TransposeAttrs)
    shape, order = graph.tensors[node.inputs["x"]].shape, node.attrs.order
    if len(order) == 5:
        assert shape[0] == 1
        assert order[0] == 0
        shape, order = shape[1:], tuple(i - 1 for i in order[1:])
    missing = 4 - len(order)
    strides = [math.prod(shape[i + 1 :]) for i in order]
    return {
        "shape": (*[1] * missing, *(shape[i] for i in order)),
        "stride": (*[0] * missing, *strides),
    }


def copy(graph: Graph, node: Node) -> Fields:
    """keep: the first channels of each row."""
    x, y = (graph.tensors[t] for t in (node.inputs["x"], node.outputs["y"]))
    channels = x.shape[-1]
    rows = x.size // channels
    size = y.size // rows
    strips: Fields = {"rows": rows, "size": size, "x_stride": channels, "y_stride": size}
    return {**strips, **_by_rows(graph, y.name, rows, "x_ring", "y_ring")}


def part(graph: Graph, node: Node, forward: Node) -> tuple[Fields, int]:
    """concatenate_backward_input: the copy that joined this part, and where the part starts."""
    assert isinstance(node.attrs, PartAttrs)
    assert isinstance(forward.attrs, AxisAttrs)
    axis = forward.attrs.axis
    sizes = [math.prod(graph.tensors[t].shape[axis:]) for t in forward.inputs.values()]
    before, size = sizes[: node.attrs.index], sizes[node.attrs.index]
    rows = graph.tensors[node.outputs["dx"]].size // size
    return {"rows": rows, "size": size, "x_stride": size, "y_stride": sum(sizes)}, sum(before)


def count(graph: Graph, tensor: str) -> Fields:
    return {"count": graph.tensors[tensor].size}


def mask(graph: Graph, node: Node) -> Fields:
    clip, y = k.clip_of(node), graph.tensors[node.inputs["y"]]
    by_rows = _by_rows(graph, y.name, y.size, "ring")
    return {"count": y.size, **by_rows, "y_min": clip.low, "y_max": clip.high}


def fisher(graph: Graph, node: Node) -> Fields:
    y = graph.tensors[node.inputs["y"]]
    *positions, channels = y.shape
    return {"rows": math.prod(positions), "channels": channels, "y_zero": k.zero_of(y)}


def lookup(graph: Graph, tensor: str) -> Fields:
    size = graph.tensors[tensor].size
    return {"count": size, **_by_rows(graph, tensor, size, "x_ring", "y_ring")}


def softmax(graph: Graph, node: Node) -> Fields:
    tensor = graph.tensors[node.inputs["x"]]
    assert isinstance(node.attrs, SoftmaxAttrs)
    classes, beta = tensor.shape[-1], factor_of(node.attrs.beta)
    rows = tensor.size // classes
    by_rows = _by_rows(graph, tensor.name, rows, "x_ring", "y_ring")
    return {"rows": rows, "classes": classes, **by_rows, "beta": beta}


def log_softmax(graph: Graph, node: Node) -> Fields:
    tensor = graph.tensors[node.inputs["x"]]
    classes = tensor.shape[-1]
    rows = tensor.size // classes
    by_rows = _by_rows(graph, tensor.name, rows, "x_ring", "y_ring")
    return {"rows": rows, "classes": classes, **by_rows, **vars(k.log_softmax_constants(tensor))}


def loss(graph: Graph, node: Node) -> Fields:
    assert isinstance(node.attrs, LossAttrs)
    classes = graph.tensors[node.inputs["x"]].size
    on, off = k.smoothed(node.attrs.smoothing, classes)
    return {"classes": classes, "on": on, "off": off}


def target_loss(graph: Graph, node: Node) -> Fields:
    logits = graph.tensors[node.inputs["x"]]
    factor = k.squared_factor if node.op == "squared_loss" else k.sigmoid_factor
    return {"count": logits.size, "factor": factor(logits)}


def advance(node: Node) -> Fields:
    assert isinstance(node.attrs, AdvanceAttrs)
    return {"headroom": node.attrs.headroom}
