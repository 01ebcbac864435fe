"""Operator records: fills each C struct of tinyflash/kernels.h from a node."""

from __future__ import annotations

from math import ceil, log2, prod

from tinyflash.compiler import constants as k
from tinyflash.compiler.lower.geometry import (
    WHOLE,
    Fields,
    Rings,
    map_fields,
    row_fields,
    window_fields,
)
from tinyflash.compiler.plan.calls import rows_of
from tinyflash.factor import factor
from tinyflash.graph import (
    PLAIN,
    AdvanceAttrs,
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Descent,
    Graph,
    LossAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    SoftmaxAttrs,
    Steps,
    TakeAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.layers import (
    in_channels,
    is_pointwise,
    multiplier_of,
    out_channels,
    weight_of,
)


def layer_record(
    graph: Graph, layer: Node, trained: bool, rings: Rings = WHOLE
) -> tuple[str, Fields]:
    """Returns C type and fields of a layer with weights. All rows of the layer share the record,
    except a forward row with rings."""
    assert isinstance(layer.attrs, WindowAttrs | DenseAttrs)
    fields: Fields = {
        "kept": layer.attrs.kept,
        "requant": _requant(graph, layer, layer.attrs.clip),
        "descent": _descent(graph, layer) if trained else None,
    }
    if layer.op == "depthwise":
        more: Fields = {"multiplier": multiplier_of(graph, layer)}
        return "tiny_depthwise", {"window": window_fields(graph, layer, rings), **more, **fields}
    if layer.op == "conv2d" and not is_pointwise(layer):
        more = {"depth": in_channels(graph, layer)}
        return "tiny_conv2d", {"window": window_fields(graph, layer, rings), **more, **fields}
    channels = in_channels(graph, layer)
    rows = graph.tensors[layer.inputs["x"]].size // channels
    dense: Fields = {"rows": rows, "in": channels, "out": out_channels(graph, layer)}
    operands = {"x_ring": layer.inputs["x"], "y_ring": layer.outputs["y"]}
    by_rows = row_fields(graph, layer, rows, rings, operands)
    return "tiny_fully_connected", {**dense, **by_rows, **fields}


def _requant(graph: Graph, layer: Node, clip: Clip) -> Fields:
    multiplier, shift = k.output_multipliers(graph, layer)
    return {
        "multiplier": multiplier,
        "shift": shift,
        "x_zero": k.quant_of(graph, layer.inputs["x"]).zero,
        "y_zero": k.quant_of(graph, layer.outputs["y"]).zero,
        "y_min": clip.low,
        "y_max": clip.high,
    }


def _descent(graph: Graph, layer: Node) -> Fields:
    descent = update_of(graph, layer)
    return {
        "ratio": k.gradient_ratios(graph, layer) if k.sums_over_channels(graph, layer) else None,
        "factor": k.gradient_factors(graph, layer),
        "rate": k.weight_rates(graph, layer, descent.rate),
        "rule": _rule(descent),
        "source": k.source_numbers(graph, layer, "w"),
        "id": graph.tensors[weight_of(layer)[0]].source_id,
        "ratio_shift": k.ratio_shift(graph, layer),
    }


def update_of(graph: Graph, layer: Node) -> Descent:
    """Returns the update rule of a layer's weights; PLAIN if they are frozen."""
    updates = (n for n in graph.of_layer(layer.name) if n.op == f"{layer.op}_update")
    return next((n.descent for n in updates), PLAIN)


def _rule(descent: Descent) -> Fields:
    return {
        "decay": factor(descent.decay),
        "momentum": min(round(descent.momentum * 2**15), 2**15 - 1),
        "every": descent.every,
        "clipped_limit": descent.clipped_limit,
        "nearest": int(descent.nearest),
    }


def bias_record(graph: Graph, layer: Node, descent: Descent) -> Fields:
    out = out_channels(graph, layer)
    return {
        "rows": graph.tensors[layer.outputs["y"]].size // out,
        "out": out,
        "rate": k.bias_rates(graph, layer, descent.rate),
        "rule": _rule(descent),
        "source": k.source_numbers(graph, layer, "b"),
        "id": graph.tensors[layer.inputs["b"]].source_id,
        "limit": k.bias_limit(graph, layer),
    }


def source_record(graph: Graph, node: Node, rings: Rings) -> Fields:
    y = graph.tensors[node.outputs["y"]]
    height = rows_of(graph, y.name)
    return {"row_bytes": y.nbytes // height, "ring": rings.get(y.name, height)}


def pool_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, WindowAttrs)
    shift = 23 - ceil(log2(k.cover(graph, node)))
    clip = node.attrs.clip
    return {
        "window": window_fields(graph, node, rings),
        "y_min": clip.low,
        "y_max": clip.high,
        "reciprocal_shift": shift,
    }


def mean_record(graph: Graph, node: Node, _: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, MeanAttrs)
    shape = graph.tensors[node.inputs["x"]].shape
    first, last = min(node.attrs.axes), max(node.attrs.axes)
    count = prod(shape[first : last + 1])
    multiplier, shift = k.mean_constants(graph, node, count)
    return {
        "outer": prod(shape[:first]),
        "count": count,
        "inner": prod(shape[last + 1 :]),
        "multiplier": multiplier,
        "shift": shift,
        "x_zero": k.quant_of(graph, node.inputs["x"]).zero,
        "y_zero": k.quant_of(graph, node.outputs["y"]).zero,
        "reciprocal": k.reciprocal(count),
    }


def add_record(graph: Graph, node: Node, rings: Rings) -> Fields:
    assert isinstance(node.attrs, ClipAttrs)
    pairs = k.add_constants(graph, node)
    tensors = {**node.inputs, **node.outputs}
    zeros: Fields = {f"{role}_zero": k.quant_of(graph, tensors[role]).zero for role in "aby"}
    multipliers: Fields = {f"{role}_multiplier": pairs[role][0] for role in "aby"}
    shifts: Fields = {f"{role}_shift": pairs[role][1] for role in "aby"}
    clip: Fields = {"y_min": node.attrs.clip.low, "y_max": node.attrs.clip.high}
    size, b_size = (graph.tensors[node.inputs[role]].size for role in "ab")
    by_rows = row_fields(
        graph,
        node,
        size,
        rings,
        {f"{role}_ring": tensors[role] for role in ("aby" if b_size == size else "ay")},
    )
    counts: Fields = {"count": size, "b_count": b_size}
    sign: Fields = {"b_sign": -1 if node.op == "sub" else 1}
    return {**counts, **by_rows, **zeros, **clip, **multipliers, **shifts, **sign}


def mul_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, ClipAttrs)
    tensors = {**node.inputs, **node.outputs}
    size = graph.tensors[node.inputs["b"]].size
    rows = graph.tensors[node.inputs["a"]].size // size
    multiplier, shift = k.mul_multiplier(graph, node)
    by_rows = {f"{role}_ring": tensors[role] for role in ("ay" if rows > 1 else "aby")}
    return {
        "rows": rows,
        "size": size,
        **row_fields(graph, node, rows if rows > 1 else size, rings, by_rows),
        **{f"{role}_zero": k.quant_of(graph, tensors[role]).zero for role in "aby"},
        "y_min": node.attrs.clip.low,
        "y_max": node.attrs.clip.high,
        "multiplier": multiplier,
        "shift": shift,
        **{f"{role}_scale": factor(k.scale_of(graph, tensors[role])) for role in "ab"},
    }


def prelu_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, ClipAttrs)
    tensors = {**node.inputs, **node.outputs}
    count = graph.tensors[node.inputs["x"]].size
    pairs = k.prelu_multipliers(graph, node)
    return {
        "count": count,
        "slopes": graph.tensors[node.inputs["alpha"]].size,
        **_unary_rows(graph, node, count, rings),
        **{f"{r}_zero": k.quant_of(graph, tensors[r]).zero for r in ("x", "alpha", "y")},
        "y_min": node.attrs.clip.low,
        "y_max": node.attrs.clip.high,
        **{f"{side}_multiplier": pair[0] for side, pair in pairs.items()},
        **{f"{side}_shift": pair[1] for side, pair in pairs.items()},
        "alpha_scale": factor(k.scale_of(graph, node.inputs["alpha"])),
    }


def minimum_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    tensors = {**node.inputs, **node.outputs}
    size = graph.tensors[node.inputs["a"]].size
    by_rows = {f"{role}_ring": tensors[role] for role in "aby"}
    larger = int(node.op == "maximum")
    return {"count": size, **row_fields(graph, node, size, rings, by_rows), "larger": larger}


def count_record(graph: Graph, tensor: str) -> Fields:
    return {"count": graph.tensors[tensor].size}


def _unary_rows(graph: Graph, node: Node, units: int, rings: Rings) -> Fields:
    operands = {"x_ring": node.inputs["x"], "y_ring": node.outputs["y"]}
    return row_fields(graph, node, units, rings, operands)


def lookup_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    count = graph.tensors[node.inputs["x"]].size
    return {"count": count, **_unary_rows(graph, node, count, rings)}


def keep_record(graph: Graph, node: Node, rings: Rings) -> Fields:
    assert isinstance(node.attrs, AxisAttrs)
    kept = node.attrs.kept
    rows = graph.tensors[node.outputs["y"]].size // kept
    stride = graph.tensors[node.inputs["x"]].size // rows
    strips: Fields = {"rows": rows, "size": kept, "x_stride": stride, "y_stride": kept}
    return {**strips, **_unary_rows(graph, node, rows, rings)}


def concatenate_records(
    graph: Graph, node: Node, rings: Rings = WHOLE
) -> list[tuple[str, int, Fields]]:
    """Returns for each input: its tensor, the offset of its strip in the output, and the copy's
    fields."""
    assert isinstance(node.attrs, AxisAttrs)
    axis = node.attrs.axis
    y_stride = prod(graph.tensors[node.outputs["y"]].shape[axis:])
    rows = prod(graph.tensors[node.outputs["y"]].shape[:axis])
    result, offset = [], 0
    for index in range(len(node.inputs)):
        tensor = node.inputs[f"x{index}"]
        size = prod(graph.tensors[tensor].shape[axis:])
        fields: Fields = {"rows": rows, "size": size, "x_stride": size, "y_stride": y_stride}
        operands = {"x_ring": tensor, "y_ring": node.outputs["y"]}
        fields |= row_fields(graph, node, rows, rings, operands)
        result.append((tensor, offset, fields))
        offset += size
    return result


def pad_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, PadAttrs)
    top, left, front = node.attrs.before
    x = map_fields(graph, node.inputs["x"], rings)
    fields: Fields = {"x": x, "y": map_fields(graph, node.outputs["y"], rings)}
    return {**fields, "top": top, "left": left, "front": front, "value": node.attrs.value}


def take_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, TakeAttrs)
    return {
        "x": map_fields(graph, node.inputs["x"], rings),
        "y": map_fields(graph, node.outputs["y"], rings),
        "rows": _steps(node.attrs.rows),
        "columns": _steps(node.attrs.columns),
        "channels": _steps(node.attrs.channels),
    }


def _steps(steps: Steps) -> Fields:
    return {"first": steps.first, "step": steps.step, "unit": steps.unit}


def transpose_record(graph: Graph, node: Node, _: Rings = WHOLE) -> Fields:
    assert isinstance(node.attrs, TransposeAttrs)
    shape, order = graph.tensors[node.inputs["x"]].shape, node.attrs.order
    if len(order) > 4:  # a batch of 1, which stays first (SPEC 10.4)
        shape, order = shape[1:], tuple(axis - 1 for axis in order[1:])
    lead = (1,) * (4 - len(order))
    strides = tuple(prod(shape[axis + 1 :]) for axis in order)
    return {"shape": (*lead, *(shape[a] for a in order)), "stride": (*([0] * len(lead)), *strides)}


def softmax_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    tensor = graph.tensors[node.inputs["x"]]
    classes = tensor.shape[-1]
    assert isinstance(node.attrs, SoftmaxAttrs)
    rows = tensor.size // classes
    by_rows = _unary_rows(graph, node, rows, rings)
    return {"rows": rows, "classes": classes, **by_rows, "beta": factor(node.attrs.beta)}


def log_softmax_record(graph: Graph, node: Node, rings: Rings = WHOLE) -> Fields:
    tensor = graph.tensors[node.inputs["x"]]
    classes = tensor.shape[-1]
    rows = tensor.size // classes
    multiplier, shift, reach = k.distances(graph, node)
    fields: Fields = {"rows": rows, "classes": classes, **_unary_rows(graph, node, rows, rings)}
    return {**fields, "multiplier": multiplier, "shift": shift, "reach": reach}


def mask_record(graph: Graph, node: Node, rings: Rings) -> Fields:
    assert isinstance(node.attrs, ClipAttrs)
    clip, y = node.attrs.clip, graph.tensors[node.inputs["y"]]
    by_rows = row_fields(graph, node, y.size, rings, {"ring": y.name})
    return {"count": y.size, **by_rows, "y_min": clip.low, "y_max": clip.high}


def softmax_loss_record(graph: Graph, node: Node) -> Fields:
    assert isinstance(node.attrs, LossAttrs)
    classes = graph.tensors[node.inputs["x"]].size
    on, off = k.smoothed(node.attrs.smoothing, classes)
    return {"classes": classes, "on": on, "off": off}


def target_loss_record(graph: Graph, node: Node) -> Fields:
    return {**count_record(graph, node.inputs["x"]), "factor": k.loss_factor(graph, node)}


def advance_record(node: Node) -> Fields:
    assert isinstance(node.attrs, AdvanceAttrs)
    return {"headroom": node.attrs.headroom}


def fisher_record(graph: Graph, node: Node) -> Fields:
    y = graph.tensors[node.inputs["y"]]
    channels = y.shape[-1]
    return {
        "rows": y.size // channels,
        "channels": channels,
        "y_zero": k.quant_of(graph, y.name).zero,
    }
