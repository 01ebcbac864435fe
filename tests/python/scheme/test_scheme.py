"""The scheme file: what it accepts, what it refuses in one line, and what it means for a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.graphs import Net, same

from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, Window
from tinyflash.scheme import LayerUpdate, Scheme, load_scheme, parse_scheme, resolve
from tinyflash.scheme.loss import Loss
from tinyflash.scheme.optimizer import Optimizer


def chain() -> Graph:
    """Two convolutions, a depthwise one, and a classifier."""
    net = Net(np.random.default_rng(0))
    x = net.input((6, 6, 3))
    x = net.conv2d(x, 8, same((6, 6, 3), 3))
    x = net.depthwise(x, same((6, 6, 8), 3))
    x = net.conv2d(x, 4, Window((1, 1)))
    x = net.reshape(x, (1, 144))
    return net.graph(net.fully_connected(x, 3))


def test_the_classifier_is_trained_without_being_named() -> None:
    assert resolve(parse_scheme(""), chain()) == {"fully_connected_4": LayerUpdate(144, 144, True)}


def test_rules_apply_in_order() -> None:
    text = """
        [[update]]
        last = 3
        bias = true
        [[update]]
        last = 2
        operator = "conv2d"
        weights = 0.3
        [[update]]
        layers = ["conv2d_0", "fully_connected_4"]
        bias = false
    """
    assert resolve(parse_scheme(text), chain()) == {
        "depthwise_1": LayerUpdate(0, 8, True),
        "conv2d_2": LayerUpdate(2, 8, True),
        "fully_connected_4": LayerUpdate(144, 144, False),
    }


def test_rates_multiply() -> None:
    text = """
        [rates]
        head = 2.0
        bias = 0.5
        [[update]]
        last = 1
        weights = 1
        rate = 0.25
        bias = true
        [[update]]
        layers = ["depthwise_1"]
        bias = true
    """
    assert resolve(parse_scheme(text), chain()) == {
        "depthwise_1": LayerUpdate(0, 8, True, 1.0, 0.5),
        "conv2d_2": LayerUpdate(8, 8, True, 0.25, 0.125),
        "fully_connected_4": LayerUpdate(144, 144, True, 2.0, 1.0),
    }


def test_an_optimizer_is_read_as_python_says_it() -> None:
    text = """
        [optimizer]
        momentum = 0.9
        weight_decay = 1e-4
        accumulate = 4
        master = true
        rounding = "nearest"
        saturation_limit = 0.01
    """
    assert parse_scheme(text).optimizer == Optimizer(0.9, 1e-4, 4, True, "nearest", 0.01)
    assert parse_scheme("").optimizer == Optimizer()


def test_a_rule_without_layers_means_all_before_the_classifier() -> None:
    updates = resolve(parse_scheme("[[update]]\nweights = 0.01"), chain())
    assert {name: u.kept for name, u in updates.items()} == {
        "conv2d_0": 1,
        "depthwise_1": 1,
        "conv2d_2": 1,
        "fully_connected_4": 144,
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("head = ", "not a TOML file"),
        ("head = 1", "head must be a whole number from 2"),
        ("head = true", "head must be a whole number"),
        ("head = 2\nhead_range = 0", "head_range must be a number from 1e-06 to 1e[+]06"),
        ("head = 2\nhead_range = nan", "head_range must be a number"),
        ("head = 2\nhead_range = true", "head_range must be a number"),
        ("head_range = 2.0", "head_range needs a new classifier: head = number of classes"),
        ("heads = 2", "unknown key 'heads'; known: dead_channels, fisher, head"),
        ("update = 3", "write rules as"),
        ("[[update]]\nlast = 2", "sets none of weights, bias, rate and channels"),
        ("loss = 'hinge'", "loss must be one of cross_entropy, mean_squared_error"),
        ("label_smoothing = 1.0", "label_smoothing is 1.0; it must be from 0 to below 1"),
        ("label_smoothing = true", "label_smoothing must be a number"),
        ("loss = 'mean_squared_error'\nlabel_smoothing = 0.1", "needs labels"),
        ("[[update]]\nlast = -1\nbias = true", "last must be a whole number"),
        ("[[update]]\nweights = 1.5", "fraction of input channels from 0 to 1"),
        ("[[update]]\nweights = nan", "fraction of input channels from 0 to 1"),
        ("[[update]]\nbias = 1", "bias must be true or false"),
        ("[[update]]\noperator = 'add'\nbias = true", "operator must be one of conv2d"),
        ("[[update]]\nlayers = 'conv2d_0'\nbias = true", "list of layer names"),
        ("[[update]]\nbias = true\nrate = 0", "update 1: rate is 0"),
        ("[[update]]\nbias = true\nrate = 'x'", "update 1: rate must be a number from 0 to 1000"),
        ("optimizer = 3", r"write \[optimizer\] as a table"),
        ("[optimizer]\nbeta = 1", "optimizer: unknown key 'beta'; known: accumulate"),
        ("[optimizer]\nmomentum = 1", "momentum must be a number from 0 to 0.999"),
        ("[optimizer]\nmomentum = true", "momentum must be a number"),
        ("[optimizer]\nweight_decay = -1e-4", "weight_decay must be a number from 0 to 1"),
        ("[optimizer]\naccumulate = 0", "accumulate must be a whole number from 1 to 65535"),
        ("[optimizer]\naccumulate = 2.0", "accumulate must be a whole number"),
        ("[optimizer]\nmaster = 1", "master must be true or false"),
        ("[optimizer]\nrounding = 'up'", "rounding must be one of stochastic, nearest"),
        ("[optimizer]\nsaturation_limit = inf", "saturation_limit must be a number from 0 to 1"),
        ("[[update]]\nchannels = 'last'", "update 1: channels must be first or largest, or a list"),
        (
            "[[update]]\nchannels = [1, 1]",
            "a list of channels has different whole numbers",
        ),
        ("[[update]]\nchannels = [-1]", "a list of channels has different whole numbers"),
        ("fisher = -1", "fisher must be a whole number from 0"),
        ("recompute = 1", "recompute must be true or false"),
        ("dead_channels = 'revive'", "dead_channels must be remove or keep"),
        ("[rates]\nhead = 0", "rates: head is 0: to train nothing"),
        ("[rates]\nbias = 1001", "rates: bias must be a number from 0 to 1000"),
    ],
)
def test_what_is_no_scheme_ends_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(SchemeError, match=complaint) as caught:
        parse_scheme(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[update]]\nlayers = ['conv_9']\nbias = true", "no layer 'conv_9'.*it has conv2d_0"),
        ("[[update]]\nlast = 4\nbias = true", "last = 4, but the model has 3 layers"),
        ("[[update]]\nlast = 0\nbias = true", "update 1 selects no layer of this model"),
        (
            "[[update]]\nlast = 1\nbias = true\n"
            "[[update]]\noperator = 'fully_connected'\nweights = 0.5",
            "update 2 selects no layer of this model",
        ),
    ],
)
def test_a_scheme_for_another_model_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SchemeError, match=complaint):
        resolve(parse_scheme(text), chain())


def test_a_rule_that_trains_nothing_may_find_nothing() -> None:
    """So that one scheme, or a budget's, serves several networks."""
    text = "[[update]]\noperator = 'fully_connected'\nweights = 0.0\nbias = false\nrate = 0.5"
    assert resolve(parse_scheme(text), chain()) == resolve(Scheme(), chain())


def test_a_loss_with_targets_takes_one_output() -> None:
    scheme = parse_scheme("head = 1\nloss = 'binary_cross_entropy'")
    assert (scheme.head, scheme.loss) == (1, Loss("binary_cross_entropy"))
    assert parse_scheme("label_smoothing = 0.1").loss == Loss(smoothing=0.1)


def wide() -> Graph:
    """Three groups of two channels, then three output channels for each of six."""
    net = Net(np.random.default_rng(0))
    x = net.conv2d(net.input((4, 4, 6)), 6, same((4, 4), 3), groups=3)
    x = net.depthwise(x, same((4, 4), 3), multiplier=3)
    return net.graph(net.fully_connected(net.mean(x, (0, 1)), 2))


def test_a_depthwise_layer_trains_whole_input_channels() -> None:
    text = "[[update]]\noperator = 'depthwise'\nweights = {}"
    kept = {r: resolve(parse_scheme(text.format(r)), wide())["depthwise_1"] for r in (0.1, 0.5, 1)}
    assert kept == {0.1: LayerUpdate(3, 18, False)} | {
        0.5: LayerUpdate(9, 18, False),
        1: LayerUpdate(18, 18, False),
    }


def test_a_layer_in_groups_trains_all_of_its_weights_or_none() -> None:
    text = "[[update]]\noperator = 'conv2d'\nweights = {}"
    assert "conv2d_0" not in resolve(parse_scheme(text.format(0)), wide())
    assert resolve(parse_scheme(text.format(1)), wide())["conv2d_0"] == LayerUpdate(2, 2, False)
    with pytest.raises(SchemeError, match=r"'conv2d_0' has 3 groups.*not 0\.5 of them"):
        resolve(parse_scheme(text.format(0.5)), wide())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemeError, match="no such scheme file"):
        load_scheme(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemeError, match="cannot be read as text"):
        load_scheme(tmp_path / "binary.toml")
