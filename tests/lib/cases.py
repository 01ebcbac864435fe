"""The kernel cases: every kernel over shapes, extremes of data, and exponents at their ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from tests.lib.case import Case, Memory, capture
from tests.lib.subject import Build, Data, Shape, Subject, numbered, subject
from tests.lib.ties import ties
from tests.support.functions import FUNCTIONS
from tests.support.graphs import Layer, Net, same
from tests.support.shapes import LARGE_POOLS, LAYERS_UNDER_TEST, MAX_POOLS, POOLS, WINDOWS

from tinyflash.graph import Clip, Steps, Window
from tinyflash.program import Factor
from tinyflash.scheme.loss import Loss, LossName
from tinyflash.scheme.optimizer import Optimizer

FINE = Data(e_dx=-29)  # all saturate, and the peak has every bit of the largest
EXTREMES = (
    Data("extreme"),
    Data("zero"),
    Data(e_dx=-40),
    FINE,
    Data(e_dy=15, e_dx=-40, rate=Factor(65535, 200)),
    Data(e_dy=-40, e_dx=15, rate=Factor(32768, -200)),
    Data(rate=Factor(0, 0)),
    Data("extreme", rate=Factor(65535, 4)),
)
OPTIMIZERS = {
    "momentum": Optimizer(momentum=0.9),
    "accumulation over 2": Optimizer(accumulate=2),
    "momentum and accumulation over 3": Optimizer(momentum=0.5, accumulate=3),
    "low bytes": Optimizer(master=True),
    "low bytes and momentum": Optimizer(momentum=0.999, master=True),
    "decay": Optimizer(weight_decay=0.01),
    "large decay": Optimizer(weight_decay=1.0, master=True, accumulate=2),
    "rounding to nearest": Optimizer(rounding="nearest"),
    "momentum, rounding to nearest": Optimizer(momentum=0.9, rounding="nearest"),
    "all, rounding to nearest": Optimizer(0.9, 0.1, 2, True, "nearest"),
    "a limit of none": Optimizer(saturation_limit=0.0),
    "a limit and momentum": Optimizer(saturation_limit=0.03, momentum=0.75, master=True),
}
# Large steps; larger ones; and a decay beyond its range beside small gradients.
RULED = (Data(rate=Factor(52429, -14)), Data(e_dy=-6), Data(e_dy=-40, rate=Factor(65535, 4)))
# Around the widths of words, and of the blocks that faster kernels work in.
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 70)
TYPICAL: tuple[Shape, Window] = ((6, 7, 5), Window((3, 3), (2, 2), (1, 1), (0, 1, 1, 1)))
SMALL: Shape = (3, 2, 5)
SECOND = (Steps(0, 2), Steps(1, 2), Steps(0, 2))
TARGET_LOSSES: tuple[tuple[LossName, str], ...] = (
    ("mean_squared_error", "squared_loss"),
    ("binary_cross_entropy", "sigmoid_loss"),
)


def conv2d(window: Window, layer: Layer, out: int = 6) -> Build:
    return lambda net, x: net.conv2d(x, out, window, layer)


def grouped(window: Window, layer: Layer, out: int, groups: int) -> Build:
    return lambda net, x: net.conv2d(x, out, window, layer, groups)


def depthwise(window: Window, layer: Layer, multiplier: int = 1) -> Build:
    return lambda net, x: net.depthwise(x, window, layer, multiplier)


def fully_connected(layer: Layer, out: int = 7) -> Build:
    return lambda net, x: net.fully_connected(x, out, layer)


def all_cases() -> Iterator[Case]:
    """Every case, in an order that does not change."""
    for family in (_windows, _layers, _channels, _many_terms, _beyond_the_right, _fully_connected):
        yield from family()
    for family in (_multipliers, _groups, _pools, _means, _moves, _parts):
        yield from family()
    for family in (_tables, _functions, _slopes, _softmaxes, _log_softmaxes, _products, _minima):
        yield from family()
    for family in (_sums, _in_place):
        yield from family()
    for family in (_losses, _target_losses, _advances, ties, _optimizers, _numbers, _judged):
        yield from family()


# ---- Layers with weights -------------------------------------------------------------------------


def _windows() -> Iterator[Case]:
    """Every window with some channels trained; one of them with none and with all."""
    for rule in (conv2d, depthwise):
        for name, (shape, window) in WINDOWS.items():
            build = rule(window, Layer())
            yield from subject(f"{name}, some kept", build, shape, shape[2] // 2 + 1).cases()
        shape, window = TYPICAL
        for kept in (0, shape[2]):
            yield from subject(f"{kept} kept", rule(window, Layer()), shape, kept).cases()


def _layers() -> Iterator[Case]:
    shape, window = TYPICAL
    for rule in (conv2d, depthwise):
        for name, layer in LAYERS_UNDER_TEST.items():
            for data in (Data(), Data("zero")):
                yield from subject(name, rule(window, layer), shape).cases(data)
        for data in EXTREMES:
            one = subject("typical", rule(window, Layer(zero=127, clip=Clip(-90, 127))), shape, 3)
            yield from one.cases(data)


def _channels() -> Iterator[Case]:
    for channels in CHANNELS:
        shape = (3, 4, channels)
        square, point = same(shape, 3), Window((1, 1))
        for title, window in (("3x3", square), ("1x1", point)):
            build = conv2d(window, Layer(), out=channels % 6 + 1)
            yield from subject(f"{title} of {channels}", build, shape, channels // 2).cases()
        build = depthwise(square, Layer())
        yield from subject(f"{channels} channels", build, shape, channels // 2).cases()
    for channels in (8, 17):  # a gradient that no mask cuts
        padded = depthwise(Window((3, 3)), Layer())
        build = _behind_a_pad(padded)
        yield from subject(f"{channels} channels behind a pad", build, (4, 5, channels)).cases()
    wide = (3, 180, 4)  # rows of which few fit the scratch of a kernel
    yield from subject("wide rows", depthwise(same(wide, 3), Layer()), wide).cases()


def _behind_a_pad(build: Build) -> Build:
    return lambda net, x: build(net, net.pad(x, (1, 1, 0), (1, 1, 0)))


def _many_terms() -> Iterator[Case]:
    """Sums of more than 1032 terms: SPEC 4.1, q above 0."""
    for kernel, out in ((1, 1032), (3, 120), (5, 100)):
        shape = (4, 3, 2)
        build = conv2d(same(shape, kernel), Layer(), out)
        for data in (Data(), Data("extreme")):
            one = subject(f"{kernel}x{kernel} to {out} channels", build, shape)
            yield from one.cases(data, "conv2d_backward_input")


def _beyond_the_right() -> Iterator[Case]:
    """Padding that is wider at one side, and columns that no window reads: kernels of others take
    it that neither happens."""
    for number, (build, shape) in enumerate(
        (
            (depthwise(Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 2)), Layer()), (4, 5, 6)),
            (conv2d(Window((1, 3), (1, 1), (1, 1), (0, 0, 0, 2)), Layer()), (1, 8, 4)),
            (conv2d(Window((1, 3), (1, 2)), Layer()), (1, 8, 4)),
        )
    ):
        yield from subject(f"beyond the right {number}", build, shape, 0).cases()


def _fully_connected() -> Iterator[Case]:
    for name, layer in LAYERS_UNDER_TEST.items():
        for data in (Data(), Data("zero")):
            yield from subject(name, fully_connected(layer), SMALL, 3).cases(data)
    for size in CHANNELS:
        build = fully_connected(Layer(), out=size % 5 + 1)
        yield from subject(f"one row of {size}", build, (1, 1, size), size // 2).cases()
        yield from subject(f"6 rows of {size}", build, (3, 2, size), size).cases()
    for data in EXTREMES:
        yield from subject("typical", fully_connected(Layer()), SMALL, 2).cases(data)
    # Steps of a few units from the ends: small enough for whole words of weights to move together.
    ends = Data("extreme", rate=Factor(52429, -28))
    whole = subject("words", fully_connected(Layer(), 6), (4, 4, 16), 16)
    yield from whole.cases(ends, "fully_connected_update")


def _multipliers() -> Iterator[Case]:
    """Several output channels to an input channel, of which some are trained, none, or all."""
    for multiplier in (2, 3, 40):
        for name in ("3x3 stride 2, asymmetric padding", "3x3 dilation 2", "1x5"):
            shape, window = WINDOWS[name]
            build = depthwise(window, Layer(), multiplier)
            for kept in {0, shape[2] // 2, shape[2]}:
                one = subject(f"{name} x {multiplier}", build, shape, kept * multiplier)
                yield from one.cases()
    shape, window = TYPICAL
    for data in EXTREMES:
        build = depthwise(window, Layer(zero=127, dead=1), 2)
        yield from subject("multiplier 2", build, shape, 4).cases(data)
    build = depthwise(same((2, 2), 2), Layer(), 300)  # more than 1032 terms
    yield from subject("multiplier 300", build, (2, 2, 1)).cases(Data("extreme"))


def _groups() -> Iterator[Case]:
    """Convolutions in groups, all weights trained or none."""
    for groups, channels, out in ((2, 4, 6), (3, 3, 9), (5, 5, 5), (2, 70, 2)):
        for name in ("1x1 on 1x1", "3x3 same, odd map", "3x3 dilation 2"):
            (height, width, _), window = WINDOWS[name]
            build = grouped(window, Layer(), out, groups)
            for kept in (0, channels // groups):
                one = subject(f"{name}, {groups} groups", build, (height, width, channels), kept)
                yield from one.cases()
    for data in EXTREMES:
        build = grouped(TYPICAL[1], Layer(zero=127, dead=1), 4, 2)
        yield from subject("2 groups", build, (6, 7, 6)).cases(data)
    build = grouped(same((3, 2), 3), Layer(), 300, 2)  # more than 1032 terms
    yield from subject("wide groups", build, (3, 2, 4)).cases(Data("extreme"))


def _optimizers() -> Iterator[Case]:
    """Every option by itself, and mixtures; each draws a training step, so phases vary."""
    shape, window = TYPICAL
    builds = {
        "conv2d": (conv2d(window, Layer()), shape),
        "depthwise": (depthwise(window, Layer(dead=1)), shape),
        "fully_connected": (fully_connected(Layer(dead=1)), SMALL),
    }
    for title, optimizer in OPTIMIZERS.items():
        for op, (build, x) in builds.items():
            one = subject(f"{op} with {title}", build, x, 4, optimizer=optimizer)
            for data in (Data(), *EXTREMES, *RULED):
                yield from one.cases(data, f"{op}_update", "bias_update")


def _numbers() -> Iterator[Case]:
    """Random bits by the number that a channel has in the source model."""
    shape, window = TYPICAL
    for optimizer in (Optimizer(), Optimizer(momentum=0.9, master=True)):
        for kept in (2, shape[2]):
            for op, build in (
                ("conv2d", conv2d(window, Layer())),
                ("depthwise", depthwise(window, Layer(dead=1))),
                ("fully_connected", fully_connected(Layer(dead=1), 33)),
            ):
                title = f"{op}, {kept} kept, {optimizer.momentum}"
                one = numbered(subject(title, build, shape, kept, optimizer=optimizer))
                yield from one.cases(RULED[0], f"{op}_update", "bias_update")


def _judged() -> Iterator[Case]:
    """Fisher information: any unit and exponent, panels of channels, the largest sums."""
    for channels in (1, 31, 32, 33, 70):
        build = fully_connected(Layer(zero=channels), out=channels)
        for exponent in (-40, -9, 15):
            for fill in ("random", "extreme", "zero"):
                one = subject(f"{channels} judged", build, (3, 2, 4), judged=True)
                yield from one.cases(Data(fill, e_dy=exponent), "fisher")
    for zero in (-128, 127):
        build = conv2d(Window((1, 1)), Layer(zero=zero), 3)
        one = subject("many positions", build, (40, 30, 2), judged=True)
        for number in range(12):
            yield from one.cases(Data("largest", e_dy=number - 9), "fisher")


# ---- Other operators -----------------------------------------------------------------------------


def _pools() -> Iterator[Case]:
    for op, pools in (("average_pool", POOLS), ("max_pool", MAX_POOLS)):
        for name, (shape, window) in pools.items():
            for clip in (Clip(), Clip(-30, 20)):
                build = pool(op, window, clip)
                for data in (Data(), Data("extreme"), FINE, Data(e_dx=15)):
                    yield from subject(f"{name}, {clip.low}", build, shape).cases(data)
    for name, (shape, window) in LARGE_POOLS.items():
        if shape[0] < 200:  # an emulator takes too long for larger ones
            one = subject(name, pool("average_pool", window, Clip()), shape)
            yield from one.cases(Data("extreme"), "average_pool_backward_input")
    for data in EXTREMES:
        build = pool("max_pool", Window((2, 2)), Clip())
        yield from subject("typical", build, SMALL).cases(data, "max_pool_backward_input")


def pool(op: str, window: Window, clip: Clip) -> Build:
    return lambda net, x: net.pool(op, x, window, clip)


def _means() -> Iterator[Case]:
    for axes in ((0, 1), (0,), (1,), (2,), (1, 2), (0, 1, 2)):
        for data in (Data(), Data("extreme"), FINE):
            yield from subject(f"over {axes}", _mean(axes), (5, 3, 4)).cases(data)
    for end in (-128, 127):  # sums beyond int16
        source = Layer(clip=Clip(end, end))
        one = subject(f"of {end} only", _mean((0, 1)), (20, 26, 5), source=source)
        yield from one.cases(Data(), "mean")


def _mean(axes: tuple[int, ...]) -> Build:
    return lambda net, x: net.mean(x, axes)


def _moves() -> Iterator[Case]:
    builds: dict[str, Build] = {
        "at the end": lambda net, x: net.pad(x, (0, 0, 0), (2, 1, 3)),
        "on all sides": lambda net, x: net.pad(x, (1, 2, 1), (1, 0, 2)),
        "by nothing": lambda net, x: net.pad(x, (0, 0, 0), (0, 0, 0)),
        "of every second": lambda net, x: net.take(x, (2, 1, 3), *SECOND),
        "of the last": lambda net, x: net.take(x, (1, 1, 1), *(Steps(n - 1) for n in SMALL)),
        "of all, twice": lambda net, x: net.take(x, (6, 4, 10), *[Steps(0, 1, 2)] * 3),
        "of one, often": lambda net, x: net.take(x, (7, 9, 3), *[Steps(0, 1, 9)] * 3),
        "of 5 of 3": lambda net, x: net.take(x, (5, 2, 3), Steps(1, 3, 5), Steps(), Steps(2)),
        "of two": lambda net, x: net.transpose(net.reshape(x, (6, 5)), (1, 0)),
        "of three": lambda net, x: net.transpose(x, (2, 0, 1)),
        "of five": lambda net, x: net.transpose(net.reshape(x, (1, 3, 2, 1, 5)), (0, 2, 4, 3, 1)),
        "of four": lambda net, x: net.transpose(net.reshape(x, (3, 1, 2, 5)), (3, 2, 0, 1)),
    }
    for title, build in builds.items():
        for data in (Data(), Data(e_dx=-40), Data("extreme"), FINE):
            yield from subject(title, build, SMALL).cases(data)


def _parts() -> Iterator[Case]:
    """Parts of a concatenation: one behind a mask, one that is not, and the same one twice."""
    for axis in range(3):
        for data in EXTREMES:
            one = subject(f"along {axis}", joined(axis), SMALL)
            yield from one.cases(data, "concatenate_backward_input")
    for channels in CHANNELS:
        one = subject(f"{channels} channels", joined(2), (2, 3, channels))
        yield from one.cases(Data(), "concatenate_backward_input")


def joined(axis: int) -> Build:
    def build(net: Net, x: str) -> str:
        longer = net.pad(net.conv2d(x, net.tensors[x].shape[2], Window((1, 1))), (0, 0, 0), by)
        return net.concatenate([longer, x, longer], axis)

    by = (2 * (axis == 0), 2 * (axis == 1), 2 * (axis == 2))
    return build


def _tables() -> Iterator[Case]:
    """Lookups, forward and back: slopes of functions, and any of int16."""
    for name in FUNCTIONS:
        yield from subject(name, function(name), (5, 6, 9)).cases()
    for size in CHANNELS:
        one = _any_slope(subject(f"{size}", function("tanh"), (1, 2, size)))
        for data in (Data(), Data("extreme"), FINE):
            yield from one.cases(data, "lookup_backward_input")
    for data in EXTREMES:
        one = _any_slope(subject("any", function("relu"), SMALL))
        yield from one.cases(data, "lookup_backward_input")


def function(name: str) -> Build:
    return lambda net, x: net.function(x, name)


def _any_slope(one: Subject) -> Subject:
    """The subject with random slopes, a half of them at the ends of int16."""
    name = f"{one.layer}_slope"
    data = one.rng.integers(-(2**15), 2**15, 256)
    data[::2] = one.rng.choice([-(2**15), -1, 1, 2**15 - 1], 128)
    slope = replace(one.graph.tensors[name], data=data.astype(np.int16))
    return replace(one, graph=replace(one.graph, tensors={**one.graph.tensors, name: slope}))


def _functions() -> Iterator[Case]:
    for size in CHANNELS:
        flat: Shape = (1, 2, size)
        yield from subject(f"{size}", lambda net, x: net.lookup(x), flat).cases()


def sloped(axes: int) -> Build:
    """Slopes for the last axes: per channel, or for a row of the map, or for each element."""
    return lambda net, x: net.prelu(x, axes, clip=Clip(-90, 100))


def _slopes() -> Iterator[Case]:
    for size in CHANNELS:
        yield from subject(f"{size} slopes", sloped(1), (3, 2, size)).cases()
    for data in EXTREMES:
        for axes in (1, 2, 3):
            yield from subject(f"slopes of {axes} axes", sloped(axes), SMALL).cases(data)


def _softmaxes() -> Iterator[Case]:
    for size in CHANNELS:
        for data in (Data(), Data("extreme"), Data("zero")):
            one = subject(f"{size}", lambda net, x: net.softmax(x), (1, 2, size))
            yield from one.cases(data)
    for beta in (0.3, 7.0):
        for data in EXTREMES:
            one = subject(f"beta {beta}", softmax(beta), SMALL)
            yield from one.cases(data)
    for data in (Data("zero"), Data(), Data("extreme")):
        yield from subject("widest", softmax(1.0), (1, 1, 511)).cases(data)


def _log_softmaxes() -> Iterator[Case]:
    for size in CHANNELS:
        for data in (Data(), Data("extreme"), Data("zero")):
            yield from subject(f"{size}", Net.log_softmax, (1, 2, size)).cases(data)
    for data in (Data("zero"), Data(), Data("extreme")):
        yield from subject("widest", Net.log_softmax, (1, 1, 4095)).cases(data)


def softmax(beta: float) -> Build:
    return lambda net, x: net.softmax(x, beta)


# ---- Products ------------------------------------------------------------------------------------


def excited(net: Net, x: str) -> str:
    """A map times one number for each of its channels, which is made of the map."""
    gate = net.fully_connected(net.mean(x, (0, 1)), net.tensors[x].shape[2])
    return net.mul(x, gate, clip=Clip(-90, 100))


def _row(shape: Shape) -> Build:
    """A map times one of `shape`, which ends its own."""

    def build(net: Net, x: str) -> str:
        height, width, channels = shape
        pooled = net.pool("average_pool", x, Window((net.tensors[x].shape[0] - height + 1, 1)))
        cut = net.pool("max_pool", pooled, Window((1, net.tensors[x].shape[1] - width + 1)))
        return net.mul(x, net.conv2d(cut, channels, Window((1, 1))))

    return build


def _products() -> Iterator[Case]:
    for size in CHANNELS:
        yield from subject(f"{size} channels", excited, (3, 2, size)).cases()
    for data in EXTREMES:
        yield from subject("excited", excited, SMALL).cases(data)
        for shape in ((4, 3, 5), (1, 3, 5), (1, 1, 5), (1, 3, 1)):
            channels = (shape[0] * 4 // 4, 3, shape[2])
            whole = (4, *channels[1:])
            yield from subject(f"rows {shape}", _row(shape), whole).cases(data)
    yield from subject("square", lambda net, x: net.mul(x, x), SMALL).cases()


def minimum_of_maps(net: Net, x: str) -> str:
    """Of a map and one made of it; with few numbers, so that some elements are equal."""
    return net.minimum(x, net.conv2d(x, net.tensors[x].shape[2], Window((1, 1))))


def maximum_of_maps(net: Net, x: str) -> str:
    return net.maximum(x, net.conv2d(x, net.tensors[x].shape[2], Window((1, 1))))


def _minima() -> Iterator[Case]:
    """Both gradients; equal elements are frequent in "extreme" data, and all are in "one map"."""
    for size in CHANNELS:
        yield from subject(f"minimum of {size} channels", minimum_of_maps, (3, 2, size)).cases()
    for data in EXTREMES:
        yield from subject("minimum", minimum_of_maps, SMALL).cases(data)
        yield from subject("maximum", maximum_of_maps, SMALL).cases(data)
    yield from subject("one map", lambda net, x: net.minimum(x, x), SMALL).cases()


# ---- Sums, masks, loss, end of a step ------------------------------------------------------------


def residual(net: Net, x: str) -> str:
    """Readers of one tensor and a clipped sum: masks, and gradient sums of one part and two."""
    a = net.conv2d(x, net.tensors[x].shape[2], Window((1, 1)))
    b = net.add(net.add(x, a), x, clip=Clip(-50, 99))
    return net.add(b, a)


def difference(net: Net, x: str) -> str:
    """Of two maps, and of one and a row."""
    a = net.conv2d(x, net.tensors[x].shape[2], Window((1, 1)))
    b = net.sub(x, net.sub(a, net.row(a)), clip=Clip(-50, 99))
    return net.add(b, net.row(b))


def product_of_maps(net: Net, x: str) -> str:
    return net.mul(x, net.conv2d(x, net.tensors[x].shape[2], Window((1, 1))))


def _sums() -> Iterator[Case]:
    for size in CHANNELS:
        one = replace(subject(f"{size} channels", residual, (1, 3, size)), layer="")
        yield from one.cases(Data(), "add", "mask", "gradient_add")
        one = replace(subject(f"{size} channels", difference, (2, 3, size)), layer="")
        yield from one.cases(Data(), "add", "sub", "sub_backward_input")
    for data in EXTREMES:
        one = replace(subject("extremes", residual, SMALL), layer="")
        yield from one.cases(data, "add", "mask", "gradient_add")
        one = replace(subject("extremes", difference, SMALL), layer="")
        yield from one.cases(data, "add", "sub", "sub_backward_input")


def _in_place() -> Iterator[Case]:
    """Outputs in the memory of an input: of sums, products and what chooses."""
    outputs = {"add": "y", "sub": "y", "mul": "y", "maximum": "y", "minimum": "y"}
    outputs |= {"prelu": "y", "gradient_add": "dx"}
    maps = (residual, difference, product_of_maps, minimum_of_maps, maximum_of_maps)
    for build in (*maps, sloped(1)):
        one = replace(subject("in place", build, SMALL), layer="")
        env = one.environment(Data())
        for node in one.graph.nodes:
            if node.op in outputs:
                one.disturb(env, node, Data())
                for role in ("a", "b", "x"):
                    given = role in node.inputs
                    if given and one.graph.tensors[node.inputs[role]].data is None:
                        memory = Memory({outputs[node.op]: role})
                        yield capture(env, node, f"{node.op}, in place of {role}", memory)


def _losses() -> Iterator[Case]:
    for classes in (1, 2, 3, 10, 511):
        build = fully_connected(Layer(), classes)
        for data in (Data(), Data("extreme"), Data("zero")):
            one = replace(subject(f"{classes} classes", build, (1, 1, 4)), layer="")
            yield from one.cases(data, "softmax_loss")
        smooth = subject(f"{classes} smooth", build, (1, 1, 4), loss=Loss(smoothing=0.1))
        yield from replace(smooth, layer="").cases(Data(), "softmax_loss")


def _target_losses() -> Iterator[Case]:
    """Outputs of scales from the finest to the coarsest that compile."""
    for kind, name in TARGET_LOSSES:
        for outputs in CHANNELS:
            for gain in (1e-3, 1.0, 1e3):
                build = fully_connected(Layer(gain=gain), outputs)
                one = subject(f"{outputs} outputs, gain {gain}", build, (1, 1, 4), loss=Loss(kind))
                for data in (Data(), Data("extreme"), Data("zero")):
                    yield from replace(one, layer="").cases(data, name)


def _advances() -> Iterator[Case]:
    for seed in range(20):
        one = replace(subject(f"number {seed}", residual, (1, 1, 2)), layer="")
        yield from one.cases(Data(), "advance")
