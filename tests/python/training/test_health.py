"""Health of a run, from its counters: shares between two looks, and what is said of them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Net, same

from tinyflash.compiler import compile_model
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Counters
from tinyflash.scheme import parse_scheme
from tinyflash.training.health import (
    Anatomy,
    Head,
    Stretch,
    complaints,
    stretches,
    weights_at_limit,
)
from tinyflash.training.health_plot import draw_health

ANATOMY = Anatomy(("d_logits", "d_body"), (10, 990), weights=500, updates=4)


def look(step, saturated=0, clamped=0, skipped=0, exponent=-9):
    return Counters(step, clamped, skipped, (-15, exponent), (0, saturated))


def test_shares_are_those_between_two_looks():
    counters = [look(5), look(15, 100, 50, 4), look(15, 100, 50, 4), look(25, 100, 50, 4)]
    first, second = stretches(counters, ANATOMY)
    assert first == Stretch(5, 15, 10_000.0, 10_000.0, 10.0)
    assert second == Stretch(15, 25, 0.0, 0.0, 0.0)
    assert first.steps == 10


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (look(100), ()),
        (look(100, saturated=499, clamped=49, skipped=39), ()),
        (
            look(100, saturated=600),
            ("6,000 ppm of the gradient elements saturated, most in d_b",),
        ),
        (look(100, clamped=100), ("2,000 ppm of the weight updates saturated at",)),
        (look(100, skipped=80), ("20 % of the updates were skipped",)),
        (look(100, exponent=15), ("training diverges; lower the rate",)),
        (look(100, 600, 100), ("gradient elements saturated", "weight updates saturated")),
    ],
)
def test_what_is_said(last, said):
    found = complaints([look(0), look(50), last], ANATOMY)
    assert len(found) == len(said)
    for line, text in zip(found, said, strict=True):
        assert text in line
        assert "\n" not in line


HEAD = replace(ANATOMY, head=Head(100, 200, 0.75, ((0, 100), (200, 300)), 200))


@pytest.mark.parametrize(
    ("at_limit", "clamped", "said"),
    [
        (2, 0, ()),
        (2, 100, ("lower the rate",)),  # it is other layers' weights that saturate
        (7, 0, ("7 % of the new classifier's weights are at their ends, +-0.75: ",)),
        (7, 100, ("+-0.75: set head_range = 1.5 in the scheme",)),  # and nothing of the rate
        (70, 100, ("+-0.75: lower the rate; if they are still there, set head_range = 1.5",)),
    ],
)
def test_a_narrow_head_is_told_from_a_high_rate(at_limit, clamped, said):
    weights = np.full(300, 127, np.int8)
    weights[100:200] = 5
    weights[110 : 110 + at_limit] = np.resize([127, -127], at_limit)
    found = complaints([look(0), look(100, clamped=clamped)], HEAD, weights.tobytes())
    assert len(found) == len(said)
    for line, text in zip(found, said, strict=True):
        assert text in line


def test_the_rate_is_named_if_more_of_the_other_weights_are_at_their_ends():
    weights = np.full(300, 127, np.int8)
    others = replace(HEAD.head, compiled=199)
    found = complaints(
        [look(0), look(100, clamped=100)], replace(HEAD, head=others), weights.tobytes()
    )
    assert len(found) == 2
    assert "set head_range" in found[0] and "updates saturated at +-127: lower" in found[1]


def test_only_a_new_classifier_is_a_head():
    net = Net(np.random.default_rng(6))
    x = net.mean(net.conv2d(net.input((4, 4, 2)), 8, same((4, 4, 2), 3)), (0, 1))
    graph = net.graph(net.fully_connected(x, 4))
    all_biases = "[[update]]\nlast = 1\nbias = true\nweights = 1.0"
    assert Anatomy.of(compile_model(graph, parse_scheme(all_biases))).head is None
    text = f"head = 3\nhead_range = 2.5\n{all_biases}"
    compiled = compile_model(graph, parse_scheme(text))
    head = Anatomy.of(compiled).head
    assert head is not None
    assert head.end - head.first == 3 * 8
    assert head.reach == pytest.approx(2.5)
    session = HostSession(compiled.program)
    session.train_step(np.full(32, 100, np.int8), 1, 1e3)  # throws only the head's weights about
    moved = np.frombuffer(session.weights, np.int8) != np.frombuffer(
        compiled.program.weights, np.int8
    )
    assert moved[head.first : head.end].any()
    assert head.share(session.weights) > 0.5
    spans = [(head.first, head.end), *head.others]
    assert sum(end - first for first, end in spans) == Anatomy.of(compiled).weights
    assert len({*spans}) == 2


def test_nothing_is_said_of_no_steps():
    assert complaints([look(0)], ANATOMY) == complaints([], ANATOMY) == ()
    assert complaints([look(3), look(3)], ANATOMY) == ()


def test_anatomy_of_a_model():
    net = Net(np.random.default_rng(5))
    x = net.conv2d(net.input((6, 6, 2)), 8, same((6, 6, 2), 3))
    x = net.conv2d(x, 4, same((6, 6, 8), 3))
    graph = net.graph(net.fully_connected(net.reshape(x, (1, 144)), 4))
    compiled = compile_model(
        graph, parse_scheme("[[update]]\nlast = 2\nweights = 0.5\nbias = true")
    )
    anatomy = Anatomy.of(compiled)
    assert anatomy.elements == (4, 144, 288)
    assert anatomy.weights == 4 * 144 + 4 * 9 * 4 + 8 * 9
    assert anatomy.updates == 6
    at_limit = np.abs(np.frombuffer(compiled.program.weights, np.int8)) == 127
    assert 0 < weights_at_limit(compiled.program.weights, compiled.program) <= at_limit.sum()


def test_a_picture_of_one_step_and_of_skipped_updates(tmp_path):
    for counters in ([look(0), look(1)], [look(0), look(9, 5, 3, 30)]):
        draw_health(tmp_path / "h.png", "health", counters, ANATOMY)
        assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
