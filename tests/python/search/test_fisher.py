"""Fisher information: what judges channels, and the schemes that are made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyflash import program as tables
from tinyflash.compiler import Prepared, compile_model, prepare
from tinyflash.compiler.passes.choose import channel_numbers, choose_channels
from tinyflash.errors import SchemeError
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import layer_spans
from tinyflash.scheme import Rule, Scheme, parse_scheme, resolve
from tinyflash.scheme.text import scheme_text
from tinyflash.search.choose import Chooser, Limits
from tinyflash.search.fisher import (
    FisherGains,
    Judgement,
    few,
    judge_channels,
    judging,
    read_judgement,
    with_best_channels,
)
from tinyflash.search.space import Space
from tinyflash.training.samples import Samples
from tinyflash.zoo.networks import path_of


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(read(path_of("digits")), Scheme(head=2))


@pytest.fixture(scope="module")
def samples() -> Samples:
    y = np.arange(16) % 2
    bright = np.random.default_rng(0).integers(0, 60, (16, 64)) + 60 * y[:, None]
    return Samples(bright.astype(np.int8), y)


@pytest.fixture(scope="module")
def judgement(prepared: Prepared, samples: Samples) -> Judgement:
    return judge_channels(prepared, samples)


def test_a_new_classifier_passes_on_nothing(prepared: Prepared, samples: Samples) -> None:
    compiled = judging(prepared)
    session = HostSession(compiled.program)
    session.train_step(samples.x[0], 0, 0.0)
    found = read_judgement(compiled, session.weights, 1).d
    assert not any(d.any() for name, d in found.items() if name != prepared.forward.logits)


def test_every_layer_is_judged(prepared: Prepared, judgement: Judgement) -> None:
    body = Space.of(prepared).body
    assert all(judgement.of_layer(node) > 0 for node in body)


def test_tinytrain_s_score_is_p_over_shares_of_weights_and_multiply_adds(
    prepared: Prepared, judgement: Judgement
) -> None:
    space = Space.of(prepared)
    plain, priced = (FisherGains(space, judgement, by).scores for by in (False, True))
    tensors = prepared.forward.tensors
    weights, macs = {}, {}
    for node in space.body:
        w, y = tensors[f"{node.name}.w"], tensors[node.outputs["y"]]
        weights[node.name] = int(np.prod(w.shape))
        macs[node.name] = weights[node.name] * int(np.prod(y.shape[:-1]))
    for name, p in plain.items():
        price = weights[name] / max(weights.values()) * macs[name] / max(macs.values())
        assert np.isclose(priced[name], p / price)


def test_nothing_that_is_trained_depends_on_it(prepared: Prepared, samples: Samples) -> None:
    scheme = Scheme((Rule(last=3, weights=0.5, bias=True),), head=2)
    found = []
    for one in (scheme, replace(scheme, fisher=2)):
        compiled = compile_model(prepare(prepared.source, one))
        session = HostSession(compiled.program)
        for x, y in zip(samples.x, samples.y, strict=True):
            session.train_step(x, int(y), 0.1)
        found.append([t.data for t in compiled.learned(session.weights).constants()])
    for plain, judged in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, judged)


def test_weights_end_where_the_statistic_begins(prepared: Prepared) -> None:
    program = judging(prepared).program
    (head,) = layer_spans(program)
    row = next(r for r in program.train if r.kernel == "fully_connected_update")
    w = next(b for b in row.buffers if b is not None and b.space is tables.Space.WEIGHTS)
    assert head[1:] == (w.offset, w.offset + 2 * 48)


def test_few_samples_are_of_all_classes() -> None:
    y = np.repeat([0, 1, 2], [90, 8, 2])
    kept = few(Samples(np.zeros((100, 1), np.int8), y), 12).y
    assert [int((kept == label).sum()) for label in range(3)] == [5, 5, 2]


def test_a_chosen_scheme_fits_and_trains_the_best_channels(
    prepared: Prepared, judgement: Judgement
) -> None:
    space = with_best_channels(Space.of(prepared), judgement)
    limits = Limits(9000)
    (found,) = Chooser(space, limits).by_gains("fisher", FisherGains(space, judgement), 1)
    assert found.size.within(limits)
    assert parse_scheme(scheme_text(found.scheme)) == found.scheme
    node = space.body[0]
    scheme = space.scheme(1, {node.name: 0.25})
    updates = resolve(scheme, prepared.forward)
    chosen = choose_channels(prepared.forward, updates)
    kept = updates[node.name].kept
    first = channel_numbers(chosen, node)[:kept]
    d, numbers = judgement.of_channels(node), channel_numbers(prepared.forward, node)
    assert d is not None
    best = np.argsort(-d, kind="stable")[:kept]
    assert first == sorted(numbers[i] for i in best)


@pytest.mark.parametrize("weights", [0.25, 1.0, 0.0])
def test_channels_that_are_not_there_are_refused(prepared: Prepared, weights: float) -> None:
    """Whether the layer trains some, all or none of its channels."""
    name = Space.of(prepared).body[0].name
    rule = Rule(layers=(name,), weights=weights, bias=True, channels=(999,))
    with pytest.raises(SchemeError, match="has no input channel 999 that can learn"):
        compile_model(prepare(prepared.source, Scheme((rule,), head=2)))
