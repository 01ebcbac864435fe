"""What draws one operator of a random ONNX model, with all its attributes: MAKERS by operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper
from tests.support.onnxdraw import Drawing, NotDrawnError

Maker = Callable[[Drawing], Any]


def some(d: Drawing, **settings: Any) -> dict[str, Any]:
    """Each setting or its default."""
    return {k: v for k, v in settings.items() if d.chance(0.6)}


def axes_of(d: Drawing, rank: int, most: int = 3) -> list[int]:
    """Some axes in any order, counted from either end."""
    found = d.draw.sample(range(rank), d.draw.randint(1, min(most, rank)))
    return [a - rank if d.opset >= 11 and d.chance(0.3) else a for a in found]


def axis(d: Drawing, x: str, least: int = 0) -> int:
    found = d.draw.randrange(least, d.rank(x))
    return found - d.rank(x) if d.opset >= 11 and d.chance(0.3) else found


def number(d: Drawing, x: str) -> str:
    """A constant that broadcasts to x: one number, one per channel, or anything."""
    shape = list(d.shape(x))
    kind = d.draw.random()
    if kind < 0.3:
        return d.normal(*([1] * d.draw.randint(0, 2)))
    if kind < 0.9:
        kept = d.draw.randrange(len(shape))
        sizes = [n if i == kept else 1 for i, n in enumerate(shape)]
        return d.normal(*(sizes[1:] if d.chance(0.5) and kept else sizes))
    return d.normal(*([1] * d.draw.randint(0, 1)), *shape)


def plain(op: str, **ranges: tuple[float, float]) -> Maker:
    def maker(d: Drawing) -> None:
        d.node(op, d.x, **some(d, **{k: d.draw.uniform(*r) for k, r in ranges.items()}))

    return maker


def dual(op: str) -> Maker:
    """With a constant on either side, or another value."""

    def maker(d: Drawing) -> None:
        x = d.x
        if d.chance(0.35):
            same = [m for m in d.maps if d.shape(m) == d.shape(x)]
            d.node(op, x, d.draw.choice(same if d.chance(0.8) else d.maps))
            return
        pair = [x, number(d, x)]
        if d.chance(0.3):
            pair.reverse()
        d.node(op, *pair, *([number(d, x)] if op in ("Max", "Min") and d.chance(0.1) else []))

    return maker


def clip(d: Drawing) -> None:
    x = d.x
    if d.values[x].dtype != np.float32:
        raise NotDrawnError("integers have other bounds")
    d.node("Clip", x, **some(d, min=d.draw.uniform(-2, 0.1), max=d.draw.uniform(-0.1, 2)))


def dropout(d: Drawing) -> None:
    settings = some(d, ratio=0.4, seed=3)
    d.node("Dropout", d.x, **settings, **({"training_mode": False} if d.chance(0.3) else {}))


def gelu(d: Drawing) -> None:
    d.node("Gelu", d.x, **some(d, approximate=d.draw.choice(("none", "tanh"))))


def softmax(op: str) -> Maker:
    def make(d: Drawing) -> None:
        x = d.x
        d.node(op, x, **some(d, axis=axis(d, x)))

    return make


def window(d: Drawing, x: str, kernel: list[int], *, dilated: float) -> dict[str, Any]:
    sides = len(kernel)
    found = some(
        d,
        strides=[d.draw.randint(1, 3) for _ in kernel],
        pads=[d.draw.randint(0, 2) for _ in range(2 * sides)],
    )
    if d.chance(dilated):
        found["dilations"] = [d.draw.randint(1, 2) for _ in kernel]
    if d.chance(0.3):
        found["auto_pad"] = d.draw.choice(("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"))
        if found["auto_pad"] != "NOTSET" and d.chance(0.9):  # both at once are not allowed
            found.pop("pads", None)
    return found


def spatial(d: Drawing) -> tuple[str, int]:
    """A map, and how many sides it has."""
    found = [m for m in d.maps if d.rank(m) in (3, 4)]
    if not found:
        raise NotDrawnError("no map")
    x = found[-1] if d.chance(0.8) else d.draw.choice(found)
    return x, d.rank(x) - 2


def pool(op: str) -> Maker:
    def maker(d: Drawing) -> None:
        x, sides = spatial(d)
        kernel = [d.draw.randint(1, 3) for _ in range(sides)]
        settings = window(d, x, kernel, dilated=0.15)
        settings |= some(d, ceil_mode=int(d.chance(0.5)), count_include_pad=int(d.chance(0.5)))
        settings |= some(d, storage_order=d.draw.randint(0, 1)) if d.chance(0.2) else {}
        d.node(op, x, kernel_shape=kernel, **settings)

    return maker


def conv(d: Drawing) -> None:
    x, sides = spatial(d)
    channels = d.shape(x)[1]
    groups = d.draw.choice([g for g in (1, 1, 2, channels) if channels % g == 0])
    out = groups * d.draw.randint(1, 3)
    kernel = [d.draw.randint(1, 3) for _ in range(sides)]
    settings = window(d, x, kernel, dilated=0.4) | some(d, kernel_shape=kernel)
    w = weights(d, out, channels // groups, *kernel)
    bias = [d.normal(out)] if d.chance(0.6) else []
    d.node("Conv", x, w, *bias, group=groups, **settings)


def conv_transpose(d: Drawing) -> None:
    x, sides = spatial(d)
    out, kernel = d.draw.randint(1, 3), [d.draw.randint(1, 4) for _ in range(sides)]
    strides = [d.draw.randint(1, 3) for _ in range(sides)]
    settings = some(
        d,
        strides=strides,
        pads=[d.draw.randint(0, 2) for _ in range(2 * sides)],
        kernel_shape=kernel,
    )
    if "strides" in settings and d.chance(0.3):
        settings["output_padding"] = [d.draw.randrange(s) for s in strides]
    if d.chance(0.1):
        settings["auto_pad"] = d.draw.choice(("NOTSET", "VALID", "SAME_UPPER"))
    if d.chance(0.1):
        settings["dilations"] = [2] * sides
    bias = [d.normal(out)] if d.chance(0.6) else []
    d.node("ConvTranspose", x, d.normal(d.shape(x)[1], out, *kernel), *bias, **settings)


def weights(d: Drawing, *shape: int) -> str:
    """In float or, where the opset can, in int8 with one scale or one per channel."""
    if d.opset < 13 or d.chance(0.6):
        return d.normal(*shape)
    if d.chance(0.3):
        return rounded(d, shape)
    data = d.constant(d.file.random.integers(-127, 128, shape), np.int8)
    if d.chance(0.5):
        return d.node("DequantizeLinear", data, d.constant(0.01))
    place = d.draw.randrange(len(shape))
    scales = d.constant(d.file.random.uniform(0.002, 0.01, shape[place]))
    return d.node("DequantizeLinear", data, scales, axis=place)


def rounded(d: Drawing, shape: tuple[int, ...]) -> str:
    """Float weights that the model itself quantizes."""
    place, settings = d.draw.randrange(len(shape)), {}
    scale, zero = np.full((), 0.01), np.zeros((), np.int8)
    if d.chance(0.5):
        scale = d.file.random.uniform(0.005, 0.02, shape[place])
        zero, settings = np.zeros(shape[place], np.int8), {"axis": place}
    how = (d.constant(scale), d.constant(zero, np.int8))
    integers = d.node("QuantizeLinear", d.normal(*shape), *how, **settings)
    return d.node("DequantizeLinear", integers, *how, **settings)


def coded(d: Drawing) -> None:
    """The pair around a value; sometimes with integers between that bound it."""
    x, kind = d.x, d.draw.choice((np.int8, np.uint8))
    how = [d.constant(0.03)]
    if d.chance(0.8):
        how.append(d.constant(d.draw.randint(3, 100), kind))
    settings = some(d, axis=1) if d.chance(0.3) else {}
    q = d.node("QuantizeLinear", x, *how, **settings)
    if len(how) > 1 and d.opset >= 12 and d.chance(0.3):
        low = d.constant(0, kind) if d.chance(0.5) else ""
        q = d.node("Clip", q, low, d.constant(127, kind))
    d.node("DequantizeLinear", q, *how, **settings)


def across(op: str) -> Maker:
    """Over all places of a map."""
    return lambda d: d.node(op, spatial(d)[0])


def norm(d: Drawing) -> None:
    x = d.x
    channels = d.shape(x)[1] if d.rank(x) > 1 else 1
    spread = d.constant(d.file.random.uniform(0.5, 2, channels))
    settings = some(d, epsilon=d.draw.choice((1e-5, 1e-3, 0.1)), momentum=0.7)
    if d.chance(0.1):
        settings["spatial"] = d.draw.randint(0, 1)
    three = (d.normal(channels) for _ in range(3))
    d.node("BatchNormalization", x, *three, spread, **settings)


def gemm(d: Drawing) -> None:
    x, out = d.x, d.draw.randint(1, 5)
    depth, turned = d.shape(x)[-1], int(d.chance(0.5))
    w = weights(d, *((out, depth) if turned else (depth, out)))
    shapes = ((out,), (1, out), (1,), (), (1, 1))
    term = [d.normal(*d.draw.choice(shapes))] if d.opset < 11 or d.chance(0.7) else []
    settings = some(d, alpha=d.draw.uniform(-2, 2), beta=d.draw.uniform(-2, 2))
    d.node(
        "Gemm", x, w, *term, transB=turned, **settings, **({"transA": 1} if d.chance(0.1) else {})
    )


def matmul(d: Drawing) -> None:
    x = d.x
    d.node("MatMul", x, weights(d, d.shape(x)[-1], d.draw.randint(1, 5)))


def slopes(d: Drawing) -> None:
    x = d.x
    if d.rank(x) < 2:
        raise NotDrawnError("no channels")
    low, high = d.draw.choice(((0.3, 0.3), (-0.5, 1), (1, 2), (-1, 2)))
    each = d.file.random.uniform(low, high, (d.shape(x)[1], *(1 for _ in d.shape(x)[2:])))
    d.node("PRelu", x, d.constant(d.draw.choice((0.2, [0.4], each))))


def concat(d: Drawing) -> None:
    x = d.x
    same = [m for m in d.maps if d.shape(m) == d.shape(x)]
    d.node("Concat", *(d.draw.choice(same) for _ in range(d.draw.randint(1, 3))), axis=axis(d, x))


def flatten(d: Drawing) -> None:
    x = d.x
    d.node("Flatten", x, **some(d, axis=axis(d, x)))


def reshape(d: Drawing) -> None:
    x = d.x
    sizes = list(d.shape(x))
    for _ in range(2):
        i = d.draw.randrange(len(sizes))
        if len(sizes) > 1 and d.chance(0.5):
            sizes[i - 1] *= sizes.pop(i)
        elif sizes[i] % 2 == 0:
            sizes[i : i + 1] = [2, sizes[i] // 2]
    if d.chance(0.4):
        sizes[d.draw.randrange(len(sizes))] = -1
    if d.chance(0.3) and len(sizes) <= d.rank(x) and sizes[0] == d.shape(x)[0]:
        sizes[0] = 0
    d.node("Reshape", x, d.constant(sizes, np.int64), **some(d, allowzero=int(d.chance(0.2))))


def squeeze(d: Drawing) -> None:
    x = d.x
    places = [i for i, n in enumerate(d.shape(x)) if n == 1]
    if d.chance(0.2):
        d.node("Squeeze", x)
        return
    d.node("Squeeze", x, axes=d.draw.sample(places, d.draw.randint(0, len(places))) or [0])


def unsqueeze(d: Drawing) -> None:
    x, count = d.x, d.draw.randint(1, 2)
    d.node("Unsqueeze", x, axes=d.draw.sample(range(d.rank(x) + count), count))


def transpose(d: Drawing) -> None:
    x = d.x
    order = list(range(d.rank(x)))
    d.draw.shuffle(order)
    if d.chance(0.5):
        order.sort(key=lambda i: i > 0)
    d.node("Transpose", x, **some(d, perm=order))


def pad(d: Drawing) -> None:
    x = d.x
    rank = d.rank(x)
    amounts = [d.draw.randint(0, 2) if i % rank and d.chance(0.7) else 0 for i in range(2 * rank)]
    settings: dict[str, Any] = some(d, mode=d.draw.choice(("constant", "constant", "edge")))
    value = d.draw.uniform(-1, 1)
    if d.opset < 11:
        d.node("Pad", x, pads=amounts, **settings, **some(d, value=value))
        return
    if d.opset >= 18 and d.chance(0.4):
        chosen = (
            sorted(d.draw.sample(range(1, rank), d.draw.randint(1, rank - 1))) if rank > 1 else [0]
        )
        settings["axes"] = chosen
        amounts = [amounts[i] for i in chosen] + [amounts[i + rank] for i in chosen]
    d.node("Pad", x, pads=amounts, **some(d, constant_value=value), **settings)


def reduced(op: str) -> Maker:
    def maker(d: Drawing) -> None:
        x = d.x
        settings = some(d, keepdims=d.draw.randint(0, 1), axes=axes_of(d, d.rank(x)))
        if d.chance(0.2):
            settings["noop_with_empty_axes"] = d.draw.randint(0, 1)
        d.node(op, x, **settings)

    return maker


def cut(d: Drawing) -> None:
    x = d.x
    axes = sorted(d.draw.sample(range(d.rank(x)), d.draw.randint(1, d.rank(x))))
    axes = [a for a in axes if a] or axes
    spans = [sorted(d.draw.sample(range(d.shape(x)[a] + 1), 2)) for a in axes]
    starts, ends = map(list, zip(*spans, strict=True))
    if d.chance(0.3):
        starts = [s - d.shape(x)[a] for s, a in zip(starts, axes, strict=True)]
    if d.chance(0.3):
        ends = [2**31 - 1] * len(ends)
    if d.chance(0.3) and d.opset >= 10:
        axes = [a - d.rank(x) for a in axes]
    steps = {"steps": [d.draw.randint(1, 3) for _ in axes]} if d.chance(0.4) else {}
    if d.chance(0.05):
        steps = {"steps": [-1] * len(axes)}
        starts, ends = [-1] * len(axes), [-(2**31)] * len(axes)
    d.node("Slice", x, starts=starts, ends=ends, axes=axes, **steps)


def split(d: Drawing) -> None:
    """Into two to three parts, of which any may be unread."""
    x = d.x
    along = axis(d, x, 1 if d.rank(x) > 1 else 0)
    size, count = d.shape(x)[along], d.draw.randint(2, 3)
    names = [f"v{len(d.file.nodes)}_{i}" for i in range(count)]
    cuts = sorted(d.draw.sample(range(1, size), count - 1))
    sizes = np.diff([0, *cuts, size]).tolist()
    settings: dict[str, Any] = some(d, axis=along)
    inputs = [x]
    if d.chance(0.5) or (size % count and d.opset < 18):
        if d.opset < 13:
            settings["split"] = sizes
        else:
            inputs.append(d.constant(sizes, np.int64))
    elif d.opset >= 18:
        settings["num_outputs"] = count
    d.schema("Split")
    d.file.nodes.append(helper.make_node("Split", inputs, names, **settings))
    for name in d.draw.sample(names, d.draw.randint(1, count)):
        d.evaluated(name)


def resize(d: Drawing) -> None:
    x, sides = spatial(d)
    factors = [d.draw.choice((1.0, 2.0, 3.0, 2.0, 1.5, 0.5)) for _ in range(sides)]
    scales = [1.0, d.draw.choice((1.0,) * 20 + (2.0,)), *factors]
    if d.opset < 11:
        if d.opset < 9:
            d.node("Upsample", x, **some(d, mode="nearest"), scales=scales)
        else:
            op = "Resize" if d.opset == 10 else "Upsample"
            d.node(op, x, d.constant(scales), **some(d, mode=d.draw.choice(("nearest", "linear"))))
        return
    modes = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    roundings = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    settings = some(
        d,
        coordinate_transformation_mode=d.draw.choice((*modes, "half_pixel_symmetric")),
        nearest_mode=d.draw.choice(roundings),
        mode="nearest",
        antialias=0,
        cubic_coeff_a=-0.5,
        exclude_outside=0,
    )
    if d.chance(0.5):
        d.node("Resize", x, "", d.constant(scales), **settings)
        return
    made = [int(n * f) for n, f in zip(d.shape(x), scales, strict=True)]
    d.node("Resize", x, "", "", d.constant(made, np.int64), **settings)


def expand(d: Drawing) -> None:
    x = d.x
    made = [d.draw.randint(1, 3) if n == 1 and i else n for i, n in enumerate(d.shape(x))]
    d.node("Expand", x, d.constant(made[d.draw.randint(0, 1) :], np.int64))


MAKERS: dict[str, Maker] = {
    **{op: dual(op) for op in ("Add", "Div", "Max", "Min", "Mul", "Sub")},
    **{op: plain(op) for op in ("Abs", "Erf", "Mish", "Softplus", "Softsign")},
    **{op: plain(op) for op in ("HardSwish", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")},
    **{op: pool(op) for op in ("AveragePool", "MaxPool")},
    **{op: across(op) for op in ("GlobalAveragePool", "GlobalMaxPool")},
    **{op: reduced(op) for op in ("ReduceMax", "ReduceMean", "ReduceSum")},
    "BatchNormalization": norm,
    "Celu": plain("Celu", alpha=(0.2, 2)),
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DequantizeLinear": coded,
    "Dropout": dropout,
    "Elu": plain("Elu", alpha=(0, 1.8)),
    "Expand": expand,
    "Flatten": flatten,
    "Gelu": gelu,
    "Gemm": gemm,
    "HardSigmoid": plain("HardSigmoid", alpha=(0.05, 0.5), beta=(0, 1)),
    "LeakyRelu": plain("LeakyRelu", alpha=(0.0, 1.5)),
    "MatMul": matmul,
    "PRelu": slopes,
    "Pad": pad,
    "QuantizeLinear": coded,
    "Reshape": reshape,
    "Selu": plain("Selu", alpha=(0.5, 2), gamma=(0.5, 1.5)),
    "Resize": resize,
    "Slice": cut,
    "LogSoftmax": softmax("LogSoftmax"),
    "Softmax": softmax("Softmax"),
    "Split": split,
    "Squeeze": squeeze,
    "Swish": plain("Swish", alpha=(1.0, 1.0)),
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": resize,
}
