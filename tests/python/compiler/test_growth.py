"""What compiling takes grows with the number of layers, not with its square.

Counted, not timed: the lines of the package that are executed, each round of a loop as one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from tests.support.graphs import Net

import tinyflash
from tinyflash.compiler import compile_model
from tinyflash.compiler.passes import order as passes_order
from tinyflash.graph import Graph, Window
from tinyflash.scheme import Rule, Scheme

PACKAGE = str(Path(tinyflash.__file__).parent)
BLOCKS = 15  # of the smaller network; the larger one has twice as many
LARGEST_GROWTH = 2.08
STACK = 100  # frames, fewer than the larger network has nodes: none calls itself for each of them

SAME = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
POINT = Window((1, 1))
SCHEMES = {
    "none": None,
    "all": Scheme((Rule(weights=1.0, bias=True),)),
    "last": Scheme((Rule(last=6, weights=0.5, bias=True),)),
    "largest": Scheme((Rule(operator="depthwise", weights=0.5, channels="largest"),)),
}


def chain(blocks: int) -> Graph:
    """Blocks of a pointwise, a depthwise and a pointwise layer, each with a sum around it."""
    net = Net(np.random.default_rng(1))
    x = net.conv2d(net.input((6, 6, 3)), 4, SAME)
    for _ in range(blocks):
        y = net.depthwise(net.conv2d(x, 8, POINT), SAME)
        x = net.add(x, net.conv2d(y, 4, POINT))
    return net.graph(net.fully_connected(net.mean(x, (0, 1)), 5))


def lines_executed(job: Callable[[], object]) -> int:
    """Lines of the package that a job executes."""
    count = 0

    def inside(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return inside

    def enter(frame: FrameType, _: str, __: Any) -> Any:
        return inside if frame.f_code.co_filename.startswith(PACKAGE) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        job()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("scheme", SCHEMES)
def test_twice_the_layers_take_about_twice_as_long(scheme: str) -> None:
    small, large = (
        lines_executed(partial(compile_model, chain(blocks), SCHEMES[scheme]))
        for blocks in (BLOCKS, 2 * BLOCKS)
    )
    assert large < LARGEST_GROWTH * small


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_function_calls_itself_for_each_layer(scheme: str) -> None:
    graph, before = chain(2 * BLOCKS), sys.getrecursionlimit()
    assert len(graph.nodes) > STACK
    sys.setrecursionlimit(len(inspect.stack(0)) + STACK)
    try:
        compile_model(graph, SCHEMES[scheme])
    finally:
        sys.setrecursionlimit(before)


def test_many_branches_side_by_side_do_not_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that has taken enough steps goes on with few of the orders found so far."""
    net, steps = Net(np.random.default_rng(2)), 0
    x = net.input((4, 4, 4))
    y = net.conv2d(x, 4, POINT)
    for _ in range(39):
        y = net.add(y, net.conv2d(x, 4, POINT))
    monkeypatch.setattr(passes_order, "MOST", 20_000)
    run = passes_order._Problem.run

    def counted(problem: Any, state: Any, index: int) -> Any:
        nonlocal steps
        steps += 1
        return run(problem, state, index)

    monkeypatch.setattr(passes_order._Problem, "run", counted)
    assert len(passes_order.order(net.graph(y)).nodes) == 79
    assert 20_000 < steps < 160_000
