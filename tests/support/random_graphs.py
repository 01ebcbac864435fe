"""Random small networks and schemes, by seed; on demand with all values at their ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from tests.support.functions import FUNCTIONS
from tests.support.graphs import Layer, Net, slid

from tinyflash.compiler.constants import bias_limit
from tinyflash.graph import Clip, Graph, Node, Steps, Window
from tinyflash.layers import groups_of
from tinyflash.reference.environment import LAYERS
from tinyflash.scheme import Rule, Scheme
from tinyflash.scheme.loss import LOSSES, Loss
from tinyflash.scheme.optimizer import Optimizer, Rates
from tinyflash.scheme.rules import ALL_LAYERS

RATIOS = (0.0, 0.2, 0.5, 1.0)
NEWER = 10_000  # networks from this seed on also have operators added later
LARGEST_JOINED = 3000  # elements: repeated joining would grow without end


def random_steps(rng: np.random.Generator, size: int) -> tuple[Steps, int]:
    """Places along an axis of `size`: all, or any that fit; and their number."""
    if rng.integers(3) == 0:
        return Steps(), size
    unit, step = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    first = int(rng.integers(size * unit))
    most = (size * unit - 1 - first) // step + 1
    return Steps(first, step, unit), int(rng.integers(1, most + 1))


@dataclass
class RandomNet:
    """Adds random operators to a net; `maps` are the tensors made so far, the last is current.

    newer: also operators that were added later. ends: zero points are -128 or 127, biases and
    outputs are far beyond what fits.
    """

    rng: np.random.Generator
    newer: bool = False
    ends: bool = False
    net: Net = field(init=False)
    maps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.net = Net(self.rng)
        shape = (self.pick(1, 10), self.pick(1, 10), self.pick(1, 5))
        self.maps.append(self.net.input(shape, zero=self.zero()))

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def zero(self, low: int = -128, high: int = 128) -> int:
        """A zero point in [low, high), or one at an end of int8."""
        return (-128, 127)[self.pick(0, 2)] if self.ends else self.pick(low, high)

    @property
    def x(self) -> str:
        return self.maps[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.net.tensors[self.x].shape

    def layer(self) -> Layer:
        low = self.pick(-128, -60)
        return Layer(
            spread=float(self.rng.choice([1, 5, 100])),
            dead=self.pick(0, 2) * self.pick(0, 2),
            bias=self.pick(0, 5) > 0,
            zero=self.zero() if self.pick(0, 3) == 0 else self.zero(-30, 31),
            clip=Clip(low, self.pick(80, 128)) if self.pick(0, 2) else Clip(),
            per_tensor=self.pick(0, 4) == 0,
            gain=float(2.0 ** self.pick(-6, 20)) if self.ends else 1.0,
        )

    def window(self) -> Window:
        """Any window that fits the current map; padding is less than the kernel."""
        while True:
            kernel = (self.pick(1, 6), self.pick(1, 6)) if self.pick(0, 3) else (1, 1)
            dilation = (self.pick(1, 3), self.pick(1, 3)) if self.pick(0, 3) == 0 else (1, 1)
            pads = [self.pick(0, kernel[i % 2]) for i in range(4)]
            window = Window(
                kernel, (self.pick(1, 4), self.pick(1, 3)), dilation, (*pads[:2], *pads[2:])
            )
            if min(slid(self.shape, window)) >= 1:
                return window

    def grow(self) -> None:
        """One more operator, of those that a gradient passes."""
        layers = (self._conv2d, self._conv2d, self._grouped, self._depthwise)
        others: tuple[Callable[[], None], ...] = (
            *(self._add, self._pool, self._pad, self._function, self._join, self._transpose),
            *(self._mul, self._excite, self._softmax),
        )
        others += (self._minimum, self._take, self._sub, self._prelu) * self.newer
        choices = layers if self.pick(0, 2) else others
        choices[self.pick(0, len(choices))]()

    def _conv2d(self) -> None:
        self.maps.append(self.net.conv2d(self.x, self.pick(1, 9), self.window(), self.layer()))

    def _grouped(self) -> None:
        """Groups of any size that divides the channels, which 1 does as well."""
        channels = self.shape[2]
        groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        out = groups * self.pick(1, 4)
        self.maps.append(self.net.conv2d(self.x, out, self.window(), self.layer(), groups))

    def _depthwise(self) -> None:
        multiplier = self.pick(2, 4) if self.pick(0, 3) == 0 and self.shape[2] < 12 else 1
        self.maps.append(self.net.depthwise(self.x, self.window(), self.layer(), multiplier))

    def _add(self) -> None:
        """A sum with any earlier tensor of this shape, be it the current one itself."""
        rivals = [m for m in self.maps if self.net.tensors[m].shape == self.shape]
        other = rivals[self.pick(0, len(rivals))]
        self.maps.append(self.net.add(other, self.x, clip=self.layer().clip))

    def _sub(self) -> None:
        """A difference to any earlier tensor of this shape, or to a constant row."""
        rivals = [m for m in self.maps if self.net.tensors[m].shape == self.shape]
        other = rivals[self.pick(0, len(rivals))]
        clip = self.layer().clip
        if self.pick(0, 3) == 0:
            self.maps.append(self.net.sub(self.x, self.net.row(self.x), clip=clip))
        else:
            self.maps.append(self.net.sub(other, self.x, clip=clip))

    def _prelu(self) -> None:
        clip, axes = self.layer().clip, self.pick(1, 4)
        self.maps.append(self.net.prelu(self.x, axes, self.zero(), clip))

    def _mul(self) -> None:
        """A product with any earlier tensor of this shape, be it the current one itself."""
        rivals = [m for m in self.maps if self.net.tensors[m].shape == self.shape]
        other = rivals[self.pick(0, len(rivals))]
        self.maps.append(self.net.mul(other, self.x, clip=self.layer().clip))

    def _minimum(self) -> None:
        """The smaller or larger of this map and any earlier one of its shape; in any order."""
        rivals = [m for m in self.maps if self.net.tensors[m].shape == self.shape]
        operands = [rivals[self.pick(0, len(rivals))], self.x]
        operands = operands if self.pick(0, 2) else operands[::-1]
        op = ("maximum", "minimum")[self.pick(0, 2)]
        self.maps.append(self.net.minimum(*operands, op))

    def _take(self) -> None:
        """A slice along some axes, repeated or left out places along others."""
        taken = [random_steps(self.rng, size) for size in self.shape]
        shape = tuple(count for _, count in taken)
        if int(np.prod(shape)) < LARGEST_JOINED:
            self.maps.append(self.net.take(self.x, shape, *(steps for steps, _ in taken)))

    def _excite(self) -> None:
        """A product with one number per channel, made of all positions."""
        squeezed = self.net.fully_connected(self.net.mean(self.x, (0, 1)), 3, self.layer())
        gate = self.net.fully_connected(squeezed, self.shape[2], self.layer())
        self.maps.append(self.net.mul(self.x, self.net.function(gate, "logistic")))

    def _softmax(self) -> None:
        self.maps.append(self.net.softmax(self.x, float(self.rng.choice([0.5, 1.0, 2.5]))))

    def _pool(self) -> None:
        window = replace(self.window(), dilation=(1, 1))
        op = str(self.rng.choice(["average_pool", "max_pool"]))
        self.maps.append(self.net.pool(op, self.x, window, self.layer().clip))

    def _pad(self) -> None:
        before, after = ((self.pick(0, 3), self.pick(0, 3), 0) for _ in range(2))
        self.maps.append(self.net.pad(self.x, before, after))

    def _function(self) -> None:
        name = str(self.rng.choice(list(FUNCTIONS)))
        self.maps.append(self.net.function(self.x, name, zero=self.zero()))

    def _join(self) -> None:
        """A concatenation with earlier tensors that fit, be they the current one itself."""
        axis = self.pick(0, 3)
        rivals = [m for m in self.maps if self._beside(m, axis) == self._beside(self.x, axis)]
        others = [rivals[self.pick(0, len(rivals))] for _ in range(self.pick(1, 3))]
        others.insert(self.pick(0, len(others) + 1), self.x)
        if sum(self.net.tensors[m].size for m in others) < LARGEST_JOINED:
            self.maps.append(self.net.concatenate(others, axis))

    def _beside(self, x: str, axis: int) -> tuple[int, ...]:
        """The shape of a map but for one axis."""
        shape = self.net.tensors[x].shape
        return shape[:axis] + shape[axis + 1 :]

    def _transpose(self) -> None:
        order = tuple(int(i) for i in self.rng.permutation(3))
        self.maps.append(self.net.transpose(self.x, order))

    def grow_forward_only(self) -> None:
        """An operator that no gradient passes."""
        logarithm = self.newer and self.shape[2] % 2 == 0
        self.maps.append((self.net.log_softmax if logarithm else self.net.lookup)(self.x))

    def classify(self, classes: int) -> str:
        """The end: flattened, or averaged, then fully connected."""
        x = self.x
        if self.pick(0, 2):
            x = self.net.mean(x, (0, 1))
        flat = self.net.reshape(x, (1, self.net.tensors[x].size))
        return self.net.fully_connected(flat, classes, self.layer())


def random_optimizer(seed: int) -> tuple[Optimizer, Rates]:
    """How updates move: plain descent in one of four, else any mixture of the options."""
    rng = np.random.default_rng([seed, 1])
    if seed % 4 == 0:
        return Optimizer(), Rates()

    def one_of(*values: float) -> float:
        return float(rng.choice(values))

    optimizer = Optimizer(
        momentum=one_of(0.0, 0.5, 0.9, 0.999),
        weight_decay=one_of(0.0, 1e-4, 0.1),
        accumulate=int(rng.choice([1, 1, 2, 3])),
        master=bool(rng.integers(2)),
        rounding="nearest" if rng.integers(4) == 0 else "stochastic",
        saturation_limit=(None, 0.0, 0.01, 0.2)[rng.integers(4)],
    )
    return optimizer, Rates(one_of(1.0, 2.0, 1e-3, 300.0), one_of(1.0, 0.5, 10.0))


def _ratio(rng: np.random.Generator, node: Node) -> float:
    ratio = float(rng.choice(RATIOS))
    return round(ratio) if groups_of(node) > 1 else ratio


def random_graph(seed: int, ends: bool = False) -> tuple[Graph, Scheme]:
    """A network of 3 to 10 operators, which of its layers are trained by how much, and how.

    ends: all weights, biases and zero points are at their ends.
    """
    rng = np.random.default_rng(seed)
    builder = RandomNet(rng, newer=seed >= NEWER, ends=ends)
    if builder.pick(0, 3) == 0:
        builder.grow()
        builder.grow_forward_only()
    first = len(builder.net.nodes)
    for _ in range(builder.pick(1, 8)):
        builder.grow()
    graph = builder.net.graph(builder.classify(builder.pick(2, 7)), f"random_{seed}")
    rules = [
        Rule(
            layers=(node.name,),
            weights=_ratio(rng, node),
            bias=bool(rng.integers(2)),
            rate=None if seed % 4 == 0 else float(2.0 ** (len(node.name) % 5 - 2)),
        )
        for node in graph.nodes[first:]
        if node.op in LAYERS
    ]
    head = Rule(layers=(graph.nodes[-1].name,), weights=1.0)
    loss = (Loss(), Loss(smoothing=0.2), *map(Loss, LOSSES))[int(rng.integers(5))]
    headroom = int(rng.integers(0, 4))
    optimizer, rates = random_optimizer(seed)
    graph = _at_its_ends(graph, rng) if ends else graph
    judged = (0, 0, 1, 3, ALL_LAYERS)[seed % 5]
    return graph, Scheme((*rules, head), None, headroom, loss, optimizer, rates, fisher=judged)


def _at_its_ends(graph: Graph, rng: np.random.Generator) -> Graph:
    """Every weight is -127 or 127, or -128 too, which a file may hold; every bias is at its limit.

    A layer whose sums could leave int32, whatever its biases, stays as it is: it is refused.
    """
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        for role, name in node.inputs.items() if node.op in LAYERS else ():
            tensor = tensors[name]
            if role == "w_frozen":
                data = rng.choice([-128, -127, 127], tensor.shape).astype(np.int8)
                tensors[name] = replace(tensor, data=data)
            elif role == "b" and (limit := bias_limit(graph, node)) > 0:
                data = rng.choice([-limit, limit], tensor.shape).astype(np.int32)
                tensors[name] = replace(tensor, data=data)
    return replace(graph, tensors=tensors)
