"""Candidates for a choice on the board: what the judge judges, and what the tables say of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Net

from tinyflash.choices import ALL
from tinyflash.compiler import prepare
from tinyflash.compiler.plan import NONE
from tinyflash.errors import SchemeError, TinyflashWarning
from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.reference import choose as reference
from tinyflash.runtime.host.choose import HostChooser
from tinyflash.scheme import Rule, Scheme
from tinyflash.search.candidates import CompiledChoices, compile_choices
from tinyflash.search.fisher import FisherGains, read_judgement
from tinyflash.search.space import Space
from tinyflash.zoo.networks import path_of

HEAD = 2


def scheme(*layers: str, weights: float = 1.0, head: int | None = HEAD) -> Scheme:
    return Scheme((Rule(layers=layers, weights=weights, bias=True),), head=head)


@pytest.fixture(scope="module")
def digits() -> Graph:
    return read(path_of("digits"))


@pytest.fixture(scope="module")
def small() -> Graph:
    """Of three layers, a, b and c, and a classifier."""
    net = Net(np.random.default_rng(1))
    x = net.reshape(net.input((1, 1, 12)), (1, 12))
    for size in (8, 10, 6):
        x = net.fully_connected(x, size)
    return net.graph(net.fully_connected(x, 3))


@pytest.fixture(scope="module")
def compiled(digits: Graph) -> CompiledChoices:
    """Whole layers, first channels, and channels that are chosen, also of a layer's whole."""
    chosen = Rule(layers=("conv2d_6",), weights=0.25, bias=True, channels=(30, 3, 17))
    return compile_choices(
        digits,
        {
            "early": scheme("conv2d_1", "conv2d_2"),
            "late": scheme("conv2d_8", weights=0.1875),
            "both": Scheme((chosen, Rule(layers=("conv2d_4",), weights=0.5)), head=HEAD),
            "input": scheme("conv2d_0", weights=1.0),
        },
        effort=NONE,
    )


def judged(compiled: CompiledChoices, seed: int = 0) -> HostChooser:
    """A chooser whose classifier has learned, and which has seen 24 samples."""
    random = np.random.default_rng(seed)
    y = np.arange(24) % HEAD
    x = (random.integers(0, 60, (24, 64)) + 60 * y[:, None]).astype(np.int8)
    chooser = HostChooser(compiled.choices)
    for rate in (0.1, 0.1, 0.0):
        chooser.begin()
        for sample, label in zip(x, y, strict=True):
            chooser.session.train_step(sample, int(label), rate)
    return chooser


def test_scores_are_the_gains_of_the_host(compiled: CompiledChoices, digits: Graph) -> None:
    """Of whole numbers, and of real ones that another module sums up."""
    chooser = judged(compiled)
    scores = chooser.scores()
    assert scores == reference.scores(compiled.choices, chooser.session.weights)
    judgement = read_judgement(compiled.judge, chooser.session.weights, 24)
    gains = FisherGains(Space.of(prepare(digits, Scheme(head=HEAD))), judgement)
    d = judgement.d
    late = d["add_7.y"][:6].sum() / d["add_7.y"].sum()  # the first 6 channels that conv2d_8 reads
    parts = d["conv2d_5.y"]
    # The 8 channels that are trained: those that are listed, and then the first ones.
    six = parts[[3, 17, 30, 0, 1, 2, 4, 5]].sum() / parts.sum()
    four = d["add_3.y"][:8].sum() / d["add_3.y"].sum()
    p = {name: gains.of_layer(name, 1.0) for name in gains.scores}
    expected = [
        p["conv2d_1"] + p["conv2d_2"],
        p["conv2d_8"] * late,
        p["conv2d_6"] * six + p["conv2d_4"] * four,
        p["conv2d_0"],
    ]
    assert min(expected) > 0
    assert np.allclose(np.array(scores) / scores[0], np.array(expected) / expected[0], rtol=1e-3)
    assert chooser.choose() == int(np.argmax(expected))


def test_only_maps_that_tell_are_judged(compiled: CompiledChoices) -> None:
    names = {found.name for found in compiled.choices.maps}
    made = {f"conv2d_{n}.y" for n in (0, 1, 2, 4, 5, 6, 8)}
    assert names == made | {"add_3.y", "add_7.y"}
    channels = {found.name: found.channels for found in compiled.choices.maps}
    assert channels["conv2d_8.y"] == 48 and channels["add_3.y"] == 16
    statistic = sum(4 + 4 * count for count in channels.values())
    assert len(compiled.judge.program.weights) == 2 * 48 + 2 * 4 + statistic


def test_a_judge_trains_the_classifier_alone(compiled: CompiledChoices) -> None:
    before = compiled.judge.program.weights
    after = judged(compiled).session.weights
    head = 2 * 48 + 2 * 4
    end = min(found.at for found in compiled.choices.maps)
    assert end == head and before[:head] != after[:head]
    kernels = {row.kernel for row in compiled.judge.program.train}
    assert "conv2d_update" not in kernels and "fisher" in kernels


def test_masks_are_in_the_order_of_the_judge(compiled: CompiledChoices) -> None:
    layers = {c.name: c.layers for c in compiled.choices.candidates}
    assert all(layer.mask is None and layer.share == ALL for layer in layers["early"])
    (late,) = layers["late"]
    assert late.mask == (True,) * 6 + (False,) * 26 and late.share == ALL * 6 // 32
    both = {layer.name: layer for layer in layers["both"]}
    mask = both["conv2d_6"].mask
    assert mask is not None and set(np.flatnonzero(mask)) == {0, 1, 2, 3, 4, 5, 17, 30}


def test_depthwise_layers_are_parts_of_what_they_make() -> None:
    graph = read(path_of("activity"))
    schemes = {
        "some": scheme("depthwise_6", weights=0.5, head=None),
        "all": scheme("conv2d_0", weights=0.5, head=None),
    }
    compiled = compile_choices(graph, schemes, effort=NONE)
    some, whole = (candidate.layers for candidate in compiled.choices.candidates)
    (layer,) = some
    assert layer.made == layer.part and layer.mask == (True,) * 24 + (False,) * 24
    (first,) = whole  # reads the input, which is not judged
    assert first.mask is None and first.share == ALL // 2


def test_what_all_train_alike_is_not_judged(small: Graph) -> None:
    """The classifier, and a layer that is trained in each."""
    one, two, three = names(small)
    schemes = {"one": scheme(one, three), "two": scheme(two, three)}
    compiled = compile_choices(small, schemes)
    assert {found.name for found in compiled.choices.maps} == {made(small, one), made(small, two)}
    trained = [[layer.name for layer in c.layers] for c in compiled.choices.candidates]
    assert trained == [[one], [two]]


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if node.operator.weighted][:-1]


def made(graph: Graph, name: str) -> str:
    return next(node.outputs["y"] for node in graph.nodes if node.name == name)


A = "fully_connected_1"  # of small
B = "fully_connected_2"
EARLY, LATE = scheme(A), scheme(B, weights=0.25)


@pytest.mark.parametrize(
    ("schemes", "message"),
    [
        ({}, "a board chooses among two schemes or more"),
        ({"early": EARLY}, "a board chooses among two schemes or more"),
        ({"early": EARLY, "9": LATE}, "candidate '9': its name becomes a part of names in C"),
        ({"early": EARLY, "judge": LATE}, "candidate 'judge': its name"),
        ({"early": EARLY, "a__b": LATE}, "candidate 'a__b': its name"),
        ({"early": EARLY, "Early": LATE}, "two have the same name in capitals"),
        ({"early": EARLY, "late": replace(LATE, head=3)}, "head of 'late' is not that of 'early'"),
        ({"a": replace(EARLY, rules=()), "b": replace(LATE, rules=())}, "all train the same"),
        ({"a": EARLY, "b": scheme("nothing")}, "candidate 'b': scheme: no layer 'nothing'"),
    ],
)
def test_what_cannot_be_candidates(schemes: dict[str, Scheme], message: str, small: Graph) -> None:
    with pytest.raises(SchemeError, match=message) as caught:
        compile_choices(small, schemes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (EARLY, scheme(A, B)),
        (scheme(B, weights=0.25), scheme(B, weights=0.5)),
        (scheme(B, weights=0.5), scheme(B)),
        (replace(EARLY, rules=()), EARLY),
    ],
)
def test_a_candidate_within_another_is_warned_of(
    inner: Scheme, outer: Scheme, small: Graph
) -> None:
    for schemes in ({"in": inner, "out": outer}, {"out": outer, "in": inner}):
        with pytest.warns(TinyflashWarning, match="'in' trains nothing that 'out' does not"):
            compile_choices(small, schemes)
