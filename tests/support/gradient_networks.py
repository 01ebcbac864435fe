"""Small networks of quantized layers, each around one thing that gradients must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tests.support.graphs import Layer, Net, same

from tinyflash.graph import Clip, Graph, Steps, Window

RELU = Layer(zero=-100, clip=Clip(-100, 127))


def residual(rng: np.random.Generator) -> Graph:
    """Two nested residual sums, a clipped one in the middle of a branch, padding and pools."""
    net = Net(rng)
    a = net.conv2d(net.input((9, 11, 3)), 8, same((9, 11), 3, 2), RELU)
    b = net.depthwise(a, same((5, 6), 3), RELU)
    inner = net.add(net.conv2d(b, 8, same((5, 6), 1)), b, clip=Clip(-60, 127))
    padded = net.pad(inner, (1, 1, 0), (1, 1, 0))
    c = net.conv2d(padded, 8, Window((3, 3)), Layer(zero=-128))
    outer = net.add(c, a)
    pooled = net.pool("average_pool", outer, Window((2, 2), (2, 2)))
    flat = net.reshape(pooled, (1, 48))
    return net.graph(net.fully_connected(flat, 5))


def branches_of_one_tensor(rng: np.random.Generator) -> Graph:
    """One tensor with three readers, a sum of a tensor with itself, and a mean."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 5, 2)), 6, same((6, 5), 3), Layer(spread=100))
    twice = net.add(a, a)
    b = net.add(net.conv2d(a, 6, same((6, 5), 1), RELU), net.depthwise(a, same((6, 5), 5)))
    return net.graph(net.fully_connected(net.mean(net.add(twice, b), (0, 1)), 4))


def joined_branches(rng: np.random.Generator) -> Graph:
    """A concatenation of two branches and of what they branch from, read along other axes."""
    net = Net(rng)
    a = net.conv2d(net.input((7, 6, 3)), 5, same((7, 6), 3), RELU)
    like_a = Layer(zero=RELU.zero)
    b = net.depthwise(a, same((7, 6), 3), like_a)
    c = net.conv2d(a, 4, same((7, 6), 1), like_a)
    joined = net.concatenate([b, a, c, b], 2)
    turned = net.transpose(joined, (2, 0, 1))
    d = net.conv2d(turned, 4, same((19, 7), 3, 2), RELU)
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def stand_alone_functions(rng: np.random.Generator) -> Graph:
    """Max pools, one of them clipped, and functions that are operators of their own."""
    net = Net(rng)
    a = net.conv2d(net.input((10, 9, 3)), 8, same((10, 9), 3))
    relu = net.function(a, "relu", zero=-110)
    pooled = net.pool("max_pool", relu, Window((3, 3), (2, 2), (1, 1), (0, 1, 1, 1)))
    b = net.conv2d(pooled, 8, same((5, 5), 3), Layer(zero=-20))
    swish = net.function(b, "hard_swish", zero=-40)
    clipped = net.pool("max_pool", swish, Window((2, 2)), Clip(-60, 50))
    return net.graph(net.fully_connected(net.mean(clipped, (0, 1)), 4))


def squeeze_excite(rng: np.random.Generator) -> Graph:
    """Channels weighed by what all positions say; products of two maps, and of one with itself."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 7, 3)), 8, same((6, 7), 3), RELU)
    squeezed = net.fully_connected(net.mean(a, (0, 1)), 5, Layer(zero=-70, clip=Clip(-70, 127)))
    gate = net.function(net.fully_connected(squeezed, 8), "logistic")
    b = net.conv2d(net.mul(a, gate), 6, same((6, 7), 3), Layer(zero=-40))
    c = net.mul(b, net.conv2d(a, 6, same((6, 7), 1)), clip=Clip(-100, 100))
    d = net.mul(c, c)
    return net.graph(net.fully_connected(net.mean(net.add(c, d), (0, 1)), 4))


def slopes_of_channels(rng: np.random.Generator) -> Graph:
    """Slopes per channel, one of them clipped, and slopes of each element, on a branch."""
    net = Net(rng)
    a = net.prelu(net.conv2d(net.input((6, 7, 3)), 6, same((6, 7), 3), Layer(zero=-40)))
    b = net.prelu(net.conv2d(a, 6, same((6, 7), 3)), 3, zero=-20, clip=Clip(-60, 100))
    return net.graph(net.fully_connected(net.mean(net.add(a, b), (0, 1)), 4))


def smaller_of_branches(rng: np.random.Generator) -> Graph:
    """The smaller of two branches, and the larger of one of them and what was made of both."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 7, 3)), 6, same((6, 7), 3), Layer(zero=-40))
    like_a = Layer(zero=-40, clip=Clip(-90, 127))
    b = net.conv2d(a, 6, same((6, 7), 3), like_a)
    c = net.minimum(a, b)
    d = net.maximum(net.conv2d(c, 6, same((6, 7), 1), like_a), b)
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def one_dimension(rng: np.random.Generator) -> Graph:
    """Sequences [length][channels]: maps of height 1 and back, as Keras' Conv1D is exported."""
    net = Net(rng)
    x = net.reshape(net.input((1, 30, 3)), (30, 3))
    x = sequence(net, net.conv2d, x, (1, 5), stride=2, out=8)
    x = sequence(net, net.depthwise, x, (1, 3))
    x = sequence(net, net.conv2d, x, (1, 3), out=6)
    return net.graph(net.fully_connected(net.mean(x, (0,)), 4))


def sequence(
    net: Net,
    layer: Callable[..., str],
    x: str,
    kernel: tuple[int, int],
    stride: int = 1,
    **more: Any,
) -> str:
    length, channels = net.tensors[x].shape
    wide = (1, length, channels)
    window = same(wide, kernel)
    window = replace(window, stride=(1, stride))
    y = layer(net.reshape(x, wide), window=window, layer=RELU, **more)
    return net.reshape(y, net.tensors[y].shape[1:])


def groups_and_multipliers(rng: np.random.Generator) -> Graph:
    net = Net(rng)
    a = net.conv2d(net.input((8, 7, 4)), 6, same((8, 7), 3), RELU, groups=2)
    b = net.depthwise(a, same((8, 7), 3, 2), Layer(spread=20, zero=-50), multiplier=2)
    c = net.conv2d(b, 9, same((4, 4), 3), RELU, groups=3)
    d = net.conv2d(c, 6, same((4, 4), 1), groups=3)
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def parts_and_differences(rng: np.random.Generator) -> Graph:
    """A map whose parts are read apart, enlarged again, subtracted, and a row that is repeated."""
    net = Net(rng)
    a = net.conv2d(net.input((6, 8, 3)), 6, same((6, 8), 3), RELU)
    whole, half = Steps(), Steps(0, 1, 2)
    left = net.take(a, (6, 8, 3), whole, whole, whole)
    right = net.take(a, (3, 4, 3), Steps(1, 2), Steps(0, 2), Steps(3))
    small = net.conv2d(right, 3, same((3, 4), 3), Layer(zero=-40))
    b = net.sub(left, net.take(small, (6, 8, 3), half, half, whole))
    row = net.reshape(net.mean(b, (0, 1)), (1, 1, 3))
    other = net.take(a, (6, 8, 3), whole, whole, Steps(1, 2))
    spread = net.take(row, (6, 8, 3), Steps(0, 1, 6), Steps(0, 1, 8), whole)
    c = net.sub(spread, other, clip=Clip(-90, 90))
    d = net.sub(net.conv2d(c, 4, same((6, 8), 1)), net.conv2d(a, 4, same((6, 8), 1)))
    return net.graph(net.fully_connected(net.mean(d, (0, 1)), 4))


def attention(rng: np.random.Generator) -> Graph:
    """A softmax over few positions, which weighs them."""
    net = Net(rng)
    a = net.conv2d(net.input((4, 1, 5)), 6, Window((1, 1)), RELU)
    scores = net.reshape(net.conv2d(a, 1, Window((1, 1)), Layer(gain=0.5)), (1, 1, 4))
    shares = net.softmax(scores, beta=0.7)
    weighed = net.mul(net.transpose(a, (2, 1, 0)), net.reshape(shares, (1, 4)))
    return net.graph(net.fully_connected(net.mean(weighed, (1, 2)), 4))


def ends_in_logistic(rng: np.random.Generator) -> Graph:
    """An autoencoder whose outputs lie between 0 and 1."""
    net = Net(rng)
    a = net.fully_connected(net.input((1, 20)), 9, RELU)
    return net.graph(net.function(net.fully_connected(a, 20, Layer(gain=0.3)), "logistic"))


SUMS = [residual, branches_of_one_tensor, joined_branches]
NETWORKS = [
    *(*SUMS, stand_alone_functions, squeeze_excite, smaller_of_branches),
    *(one_dimension, groups_and_multipliers, attention, parts_and_differences, slopes_of_channels),
]
