"""Optimisers at work in the C library: beside float arithmetic, over thousands of steps, and what
each leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from tests.support.graphs import Layer, Net

from tinyflash.compiler import Compiled, compile_model
from tinyflash.graph import Clip, Graph, LookupAttrs, Node, Quant, Tensor
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import pack, unpack
from tinyflash.scheme import Rule, Scheme
from tinyflash.scheme.optimizer import ALIKE, Optimizer, Rates
from tinyflash.show.report import make_report
from tinyflash.training.loop import Recipe, train
from tinyflash.training.samples import Samples

FEATURES, HIDDEN, CLASSES = 16, 12, 3
CLIP = Clip(-60, 127)
IDENTITY = LookupAttrs("quantize")
OPTIMIZERS = {
    "plain": Optimizer(),
    "momentum": Optimizer(momentum=0.9),
    "accumulate": Optimizer(accumulate=4),
    "both": Optimizer(momentum=0.9, accumulate=4),
    "master": Optimizer(master=True),
    "master and momentum": Optimizer(momentum=0.9, master=True),
    "decay": Optimizer(weight_decay=0.01),
    "limit": Optimizer(saturation_limit=0.01),
    "all": Optimizer(0.9, 1e-3, 2, True, "stochastic", 0.01),
}


def network(dead: int = 0) -> Graph:
    """Two layers whose weights lie within a third of their range, so that they have room."""
    net = Net(np.random.default_rng(3))
    hidden = net.fully_connected(net.input((1, FEATURES)), HIDDEN, Layer(4, dead, clip=CLIP))
    graph = net.graph(net.fully_connected(hidden, CLASSES))
    tensors = dict(graph.tensors)
    for name, tensor in graph.tensors.items():
        if name.endswith("_w"):
            assert tensor.data is not None
            tensors[name] = replace(tensor, data=(tensor.data // 3).astype(np.int8))
    return behind_a_table(replace(graph, tensors=tensors))


def behind_a_table(graph: Graph) -> Graph:
    """The same network, but no layer with weights reads its input, so that the unit stays."""
    first, *others = graph.nodes
    same = np.arange(256).astype(np.uint8).view(np.int8)
    table = Tensor("table", same.shape, "int8", "constant", Quant((1.0,)), same)
    read = replace(graph.tensors["x"], name="read")
    reads = Node("lookup", "reads", {"x": "x", "table": "table"}, {"y": "read"}, IDENTITY)
    first = replace(first, inputs={**first.inputs, "x": "read"})
    tensors = {**graph.tensors, "table": table, "read": read}
    return replace(graph, tensors=tensors, nodes=(reads, first, *others))


def compiled(optimizer: Optimizer, rates: Rates = ALIKE, dead: int = 0) -> Compiled:
    """Every weight and bias of the network trained."""
    scheme = Scheme((Rule(weights=1.0, bias=True),), optimizer=optimizer, rates=rates)
    return compile_model(network(dead), scheme, calibration=samples(64))


def samples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters, one a class, which overlap a little."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).uniform(-60, 60, (CLASSES, FEATURES))
    y = rng.integers(CLASSES, size=count)
    x = np.rint(centres[y] + rng.normal(0, 70, (count, FEATURES)))
    return np.clip(x, -128, 127).astype(np.int8), y


def trained(session: HostSession, model: Compiled) -> dict[str, np.ndarray]:
    """What WEIGHTS holds, by the names of the tensors."""
    assert model.train is not None
    found, at, data = {}, 0, session.weights
    for tensor in model.train.graph.tensors.values():
        if tensor.kind == "trainable":
            array = np.frombuffer(data, tensor.dtype, tensor.size, at)
            found[tensor.name] = array.reshape(tensor.shape)
            at += -(-tensor.nbytes // 4) * 4
    return found


def accuracy(session: HostSession) -> float:
    x, y = samples(300, seed=5)
    return float(np.mean([session.infer(a).argmax() == b for a, b in zip(x, y, strict=True)]))


# ---- Beside float arithmetic ---------------------------------------------------------------------


@dataclass
class FloatLayer:
    """A fully connected layer in real numbers, with the velocity of momentum."""

    w: np.ndarray
    b: np.ndarray
    low: float
    high: float
    v_w: np.ndarray = field(init=False)
    v_b: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.v_w, self.v_b = np.zeros_like(self.w), np.zeros_like(self.b)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.w @ x + self.b

    def update(
        self, x: np.ndarray, dy: np.ndarray, rate: float, o: Optimizer, rates: Rates
    ) -> None:
        self.v_w = o.momentum * self.v_w + rate * (np.outer(dy, x) + o.weight_decay * self.w)
        self.v_b = o.momentum * self.v_b + rates.bias * rate * dy
        self.w, self.b = self.w - self.v_w, self.b - self.v_b


def float_layers(graph: Graph, values: dict[str, np.ndarray]) -> Iterator[FloatLayer]:
    for node in (n for n in graph.nodes if n.op == "fully_connected"):
        w, b, y = (graph.tensors[t] for t in (*list(node.inputs.values())[1:], node.outputs["y"]))
        assert w.quant is not None
        assert y.quant is not None
        scale, zero = y.quant.scale[0], y.quant.zero
        clip = clip_of(node)
        yield FloatLayer(
            values[w.name] * np.array(w.quant.scale)[:, None],
            values[b.name] * np.array(b.quant.scale),  # type: ignore[union-attr]
            scale * (clip.low - zero),
            scale * (clip.high - zero),
        )


def clip_of(node: Node) -> Clip:
    return node.attrs.clip  # type: ignore[union-attr]


def float_training(
    layers: list[FloatLayer], xs: np.ndarray, ys: np.ndarray, rate: float, o: Optimizer, r: Rates
) -> None:
    first, second = layers
    for x, y in zip(xs, ys, strict=True):
        raw = first.forward(x)
        h = np.clip(raw, first.low, first.high)
        z = second.forward(h)
        p = np.exp(z - z.max())
        dz = p / p.sum() - np.eye(CLASSES)[y]
        dh = (second.w.T @ dz) * ((raw > first.low) & (raw < first.high))
        second.update(h, dz, rate, o, Rates(r.head, r.bias))
        first.update(x, dh, rate, o, r)


@pytest.mark.parametrize(
    ("optimizer", "rates", "steps", "most"),
    [
        (Optimizer(momentum=0.9, master=True), Rates(), 150, 0.06),
        (Optimizer(momentum=0.9), Rates(), 150, 0.4),
        (Optimizer(master=True, weight_decay=0.5), Rates(), 300, 0.06),
        (Optimizer(master=True), Rates(bias=8.0), 300, 0.06),
    ],
    ids=["momentum, 16 bits", "momentum, 8 bits", "decay", "rates"],
)
def test_training_follows_float(
    optimizer: Optimizer, rates: Rates, steps: int, most: float
) -> None:
    """The way that all weights went, against that in float: the difference over its length. In 8
    bits most of it is the noise of rounding, for the way is a few units long."""
    rate = 0.0003 if optimizer.momentum else 0.002
    model = compiled(optimizer, rates)
    session = HostSession(model.program)
    x, y = samples(steps)
    graph = network()
    quant = graph.tensors["x"].quant
    assert quant is not None
    before = list(float_layers(graph, trained(session, model)))
    expected = list(float_layers(graph, trained(session, model)))
    real = (x.astype(float) - quant.zero) * quant.scale[0]
    float_training(expected, real, y, rate, optimizer, rates)
    for a, label in zip(x, y, strict=True):
        session.train_step(a, int(label), rate)
    found = list(float_layers(graph, trained(session, model)))
    for was, want, got in zip(before, expected, found, strict=True):
        for name in ("w", "b"):
            way = getattr(want, name) - getattr(was, name)
            error = np.linalg.norm(getattr(got, name) - getattr(want, name)) / np.linalg.norm(way)
            assert error < most


# ---- Long runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_thousands_of_steps_neither_drift_nor_stall(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    model = compiled(optimizer)
    session = HostSession(model.program)
    x, y = samples(3000)
    rate = 0.0004 if optimizer.momentum else 0.004
    for a, label in zip(x, y, strict=True):
        session.train_step(a, int(label), rate)
    assert accuracy(session) > 0.86
    weights = [v for k, v in trained(session, model).items() if k.endswith("_w")]
    assert np.mean([np.mean(np.abs(w) == 127) for w in weights]) < 0.1
    _comes_to_rest(session, model, 400 * optimizer.accumulate)


def _comes_to_rest(session: HostSession, model: Compiled, steps: int) -> None:
    """At a rate of 0 velocities die away; then nothing moves any more, in any direction."""
    x, y = samples(1)
    for _ in range(steps):
        session.train_step(x[0], int(y[0]), 0.0)
    before = session.weights
    for name, values in trained(session, model).items():
        assert not (name.endswith("_velocity") and values.any()), name
    for _ in range(20):
        session.train_step(x[0], int(y[0]), 0.0)
    assert session.weights == before


# ---- The last group of samples -------------------------------------------------------------------


def run_of(count: int, optimizer: Optimizer, accumulate: int) -> tuple[HostSession, Compiled]:
    """A run over `count` samples, of which the last may be fewer than a group."""
    model = compiled(optimizer)
    session = HostSession(model.program)
    recipe = Recipe(1, 0.01, "constant")
    train(session, Samples(*samples(count)), recipe, accumulate=accumulate)
    return session, model


@pytest.mark.parametrize("count", [3, 5, 10, 11])
def test_a_last_group_of_fewer_samples_moves_the_weights_by_their_sum(count: int) -> None:
    """What the velocities hold at the end of the samples, rounded to nearest, is applied."""
    optimizer = Optimizer(accumulate=4, rounding="nearest")
    stopped, model = run_of(count, optimizer, 1)
    whole, _ = run_of(count, optimizer, model.accumulate)
    assert model.accumulate == 4
    assert stopped.counters().step == count
    assert whole.counters().step == -(-count // 4) * 4
    held, found = trained(stopped, model), trained(whole, model)
    moved = 0
    for name in (name for name in held if f"{name}_velocity" in held):
        unit = 2**8 if name.endswith("_w") else 2**16
        steps = held[f"{name}_velocity"].astype(np.int64)
        wanted = held[name] + (unit // 2 - steps) // unit
        if name.endswith("_w"):
            wanted = np.clip(wanted, -127, 127)
        assert (found[name] == wanted).all(), name
        moved += int((found[name] != held[name]).sum())
    assert moved > 20


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_full_last_group_needs_nothing(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    stopped, model = run_of(8, optimizer, 1)
    whole, _ = run_of(8, optimizer, model.accumulate)
    assert (stopped.weights, stopped.state) == (whole.weights, whole.state)


def test_a_run_in_two_parts_begins_a_new_group() -> None:
    """After 6 samples, completed, 4 more are a group of their own: 12 steps, none missing."""
    session, _ = run_of(6, Optimizer(accumulate=4), 4)
    before = session.weights
    train(session, Samples(*samples(4, seed=2)), Recipe(1, 0.01, "constant"), accumulate=4)
    assert session.counters().step == 12
    assert session.weights != before


# ---- What is left alone --------------------------------------------------------------------------


def test_dead_channels_stay_under_every_option() -> None:
    model = compiled(OPTIMIZERS["all"], dead=2)
    session = HostSession(model.program)
    before = trained(session, model)
    x, y = samples(20)
    for a, label in zip(x, y, strict=True):
        session.train_step(a, int(label), 0.05)
    after = trained(session, model)
    quant = model.infer.graph.tensors["fully_connected_0_w"].quant
    assert quant is not None
    dead = np.array(quant.scale) < max(quant.scale) / 1024
    assert dead.sum() == 2
    for name in before:
        if name.startswith("fully_connected_0_"):
            assert np.array_equal(before[name][dead], after[name][dead]), name
            assert not np.array_equal(before[name][~dead], after[name][~dead]), name


def saturating(session: HostSession) -> None:
    """Makes the scale of the hidden layer's gradient so fine that all of it saturates."""
    header, scales = unpack(session.state)
    scales[1] = scales[1]._replace(gain=-64)
    session.state = pack(header, scales)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_gradient_that_saturates_is_skipped_and_counted(momentum: float) -> None:
    model = compiled(Optimizer(momentum=momentum, saturation_limit=0.1))
    session = HostSession(model.program)
    x, y = samples(3)
    session.train_step(x[0], int(y[0]), 0.02)
    before = trained(session, model)
    saturating(session)
    session.train_step(x[1], int(y[1]), 0.02)
    after = trained(session, model)
    moved = {n for n in before if not np.array_equal(before[n], after[n])}
    assert session.counters().updates_skipped == 2  # weights and biases of the hidden layer
    assert {"fully_connected_1_w", "fully_connected_1_b"} <= moved
    if momentum:  # it coasts
        expected = before["fully_connected_0_b_velocity"] * (round(momentum * 2**15) / 2**15)
        assert np.abs(after["fully_connected_0_b_velocity"] - expected).max() < 1
    else:
        assert not {"fully_connected_0_w", "fully_connected_0_b"} & moved


@pytest.mark.parametrize(
    ("share", "of_hidden", "of_head"), [(0.0, 0, 0), (0.3, 3, 0), (1.0, 12, 3)]
)
def test_the_limit_is_a_share_of_the_gradient(share: float, of_hidden: int, of_head: int) -> None:
    model = compiled(Optimizer(saturation_limit=share))
    assert model.train is not None
    limits = {n.layer: n.descent.clipped_limit for n in model.train.graph.nodes if n.writes}
    assert limits == {"fully_connected_0": of_hidden, "fully_connected_1": of_head}


def test_without_a_limit_nothing_is_skipped() -> None:
    session = HostSession(compiled(Optimizer()).program)
    x, y = samples(1)
    saturating(session)
    session.train_step(x[0], int(y[0]), 0.02)
    assert session.counters().updates_skipped == 0
    assert session.counters().gradients_saturated[1] > 0


def test_rounding_to_nearest_moves_no_weight_by_small_steps() -> None:
    moved = {}
    for rounding in ("stochastic", "nearest"):
        model = compiled(Optimizer(rounding=rounding))  # type: ignore[arg-type]
        session = HostSession(model.program)
        before = trained(session, model)["fully_connected_0_w"]
        x, y = samples(200)
        for a, label in zip(x, y, strict=True):
            session.train_step(a, int(label), 0.0005)
        moved[rounding] = np.mean(before != trained(session, model)["fully_connected_0_w"])
    assert moved["nearest"] == 0
    assert moved["stochastic"] > 0.2


# ---- What the bits depend on ---------------------------------------------------------------------


def renamed(graph: Graph) -> Graph:
    def new(names: dict[str, str]) -> dict[str, str]:
        return {role: f"other.{name}" for role, name in names.items()}

    tensors = {f"other.{n}": replace(t, name=f"other.{n}") for n, t in graph.tensors.items()}
    nodes = tuple(
        replace(
            n,
            name=f"other.{n.name}",
            layer=n.layer and f"other.{n.layer}",
            inputs=new(dict(n.inputs)),
            outputs=new(dict(n.outputs)),
        )
        for n in graph.nodes
    )
    ports = [replace(p, tensor=f"other.{p.tensor}") for p in (graph.input, graph.output)]
    return replace(
        graph,
        tensors=tensors,
        nodes=nodes,
        input=ports[0],
        output=ports[1],
        logits=f"other.{graph.logits}",
    )


def test_names_change_no_bit() -> None:
    scheme = Scheme((Rule(weights=1.0, bias=True),), optimizer=OPTIMIZERS["all"])
    x, y = samples(30)
    ends = []
    for graph in (network(), renamed(network())):
        session = HostSession(compile_model(graph, scheme).program)
        for a, label in zip(x, y, strict=True):
            session.train_step(a, int(label), 0.05)
        ends.append(session.weights)
    assert ends[0] == ends[1]


def test_a_rate_of_a_group_is_a_rate() -> None:
    """The head at twice the rate, alone: the same bytes as the whole at twice the rate."""
    x, y = samples(30)
    ends = []
    for rates, rate in ((Rates(), 0.04), (Rates(head=2.0), 0.02)):
        graph = network()
        optimizer = Optimizer(momentum=0.9, weight_decay=0.1)
        scheme = Scheme(optimizer=optimizer, rates=rates)
        session = HostSession(compile_model(graph, scheme).program)
        for a, label in zip(x, y, strict=True):
            session.train_step(a, int(label), rate)
        ends.append(session.weights)
    assert ends[0] == ends[1]


def test_the_report_says_what_the_bytes_are_for() -> None:
    report = make_report(compiled(OPTIMIZERS["all"]))
    weights, biases = HIDDEN * FEATURES + CLASSES * HIDDEN, 4 * (HIDDEN + CLASSES)
    assert report["weight_bytes"] == weights
    assert report["bias_bytes"] == biases
    assert report["optimizer_bytes"] == 3 * weights + biases
    plain = make_report(compiled(Optimizer()))
    assert (plain["weight_bytes"], plain["optimizer_bytes"]) == (weights, 0)
