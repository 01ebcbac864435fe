"""The kernel cases of bands, rings and overlapping maps: every operator that goes by rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lib.bands import banded, overlapping
from tests.lib.case import Case
from tests.lib.cases import (
    conv2d,
    depthwise,
    difference,
    excited,
    fully_connected,
    function,
    grouped,
    joined,
    maximum_of_maps,
    minimum_of_maps,
    pool,
    product_of_maps,
    residual,
    sloped,
    softmax,
)
from tests.lib.subject import Build, Subject, subject
from tests.support.graphs import Layer, Net, same
from tests.support.shapes import MAX_POOLS, WINDOWS

from tinyflash.graph import Clip, Steps, Window

HALF = Steps(0, 1, 2)


def row_cases() -> Iterator[Case]:
    """Every case, in an order that does not change."""
    for one in _streams():
        yield from banded(replace(one, layer=""))
    for one in _streams():
        yield from overlapping(replace(one, layer=""))


def _streams() -> Iterator[Subject]:
    """Every operator that goes by rows, on maps of several."""
    for rule in (conv2d, depthwise):
        for name, (shape, window) in WINDOWS.items():
            yield subject(f"{name} by rows", rule(window, Layer()), shape, shape[2] // 2 + 1)
    shape = (6, 3, 4)
    yield subject("2 groups by rows", grouped(same(shape, 3), Layer(), 6, 2), shape)
    yield subject("multiplier 3 by rows", depthwise(same(shape, 3), Layer(), 3), shape)
    yield subject("1x1 by rows", conv2d(Window((1, 1)), Layer(), 70), shape, 3)
    yield subject("dense by rows", fully_connected(Layer()), shape, 3)
    for op in ("average_pool", "max_pool"):
        for name, (size, window) in MAX_POOLS.items():
            yield subject(f"{op} {name} by rows", pool(op, window, Clip(-90, 90)), size)
    builds: dict[str, Build] = {
        "padded": lambda net, x: net.pad(x, (2, 1, 1), (1, 0, 2)),
        "slice": lambda net, x: net.take(x, (3, 2, 5), Steps(1, 2), Steps(1), Steps()),
        "enlarged": lambda net, x: net.take(x, (15, 6, 5), Steps(1, 6, 14), HALF, Steps()),
        "excited": excited,
        "product": product_of_maps,
        "slopes": sloped(1),
        "slopes of rows": sloped(2),
        "slopes of elements": sloped(3),
        "minimum": minimum_of_maps,
        "maximum": maximum_of_maps,
        "sum": residual,
        "difference": difference,
        "softmax": softmax(1.0),
        "log-softmax": Net.log_softmax,
        "function": function("tanh"),
        "parts": joined(2),
    }
    for name, build in builds.items():
        yield subject(f"{name} by rows", build, (7, 3, 5), 3)
