"""Kernel cases made for single roundings: values upon and beside the ties of the SPEC."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tests.lib.case import Case, capture

from tinyflash.graph import DenseAttrs, Graph, LossAttrs, NoAttrs, Node, Port, Quant, Tensor
from tinyflash.reference.arith import Ints, ints
from tinyflash.reference.constants import loss_table
from tinyflash.reference.environment import Environment

# Exact in float32, and their product is 2^30 + 1: a Q31 multiplier with its lowest bit set.
X_SCALE, W_SCALE = 80581.0, 13325.0
LARGEST_BIAS = 2**31 - 2**16
SHIFTS = range(-24, 2)


def ties() -> Iterator[Case]:
    """Every case of this file."""
    yield _requantize()
    yield _loss()
    yield _faint_loss()


def _requantize() -> Case:
    """SPEC 1.1 and 1.2: zero weights, so that biases are the sums, one for each tie and shift."""
    sums, scales = [], []
    for shift in SHIFTS:
        for y in (-100.5, -3.5, -1.5, -0.5, 0.5, 1.5, 2.5, 99.5):
            tie = round(y * 2 ** (1 - shift))
            beside = [tie + i for i in (-2, -1, 0, 1, 2) if abs(tie) < LARGEST_BIAS]
            sums += beside
            scales += [W_SCALE * 2.0 ** (shift - 31)] * len(beside)
    out = len(sums)
    w = np.zeros((out, 1), np.int8)
    tensors = [
        Tensor("x", (1, 1), "int8", "activation", Quant((X_SCALE,))),
        Tensor("w", w.shape, "int8", "constant", Quant(tuple(scales)), w),
        Tensor("b", (out,), "int32", "constant", None, np.array(sums, np.int32)),
        Tensor("y", (1, out), "int8", "activation", Quant((1.0,))),
    ]
    inputs = {"x": "x", "w_frozen": "w", "b": "b"}
    node = Node("fully_connected", "ties", inputs, {"y": "y"}, DenseAttrs())
    return _capture(tensors, node, ints([[5]]), "fully_connected, ties at every shift")


def _loss() -> Case:
    """SPEC 4.7: two logits one apart, at a scale that makes G = 127.5 * 2^7 exactly."""
    logits = Tensor("x", (1, 2), "int8", "activation", Quant((2.0**-7,)))
    table = loss_table(logits).astype(np.uint16)
    tensors = [
        logits,
        Tensor("table", (256,), "uint16", "constant", None, table),
        Tensor("dy", (1, 2), "int8", "gradient"),
    ]
    node = Node("softmax_loss", "ties", {"x": "x", "table": "table"}, {"dy": "dy"}, LossAttrs())
    return _capture(tensors, node, ints([[1, 0]]), "softmax_loss, between two exponents")


def _faint_loss() -> Case:
    """SPEC 4.8: an error so small that the lowest exponent holds it in few bits."""
    quant = Quant((float(np.float32(1e-12)),))
    target = np.array([[-128, 127, 3]], np.int8)
    tensors = [
        Tensor("x", (1, 3), "int8", "activation", quant),
        Tensor("target", (1, 3), "int8", "constant", quant, target),
        Tensor("dy", (1, 3), "int8", "gradient"),
    ]
    node = Node("squared_loss", "ties", {"x": "x", "target": "target"}, {"dy": "dy"}, NoAttrs())
    return _capture(tensors, node, ints([[127, -128, 4]]), "squared_loss, at the lowest exponent")


def _capture(tensors: list[Tensor], node: Node, x: Ints, name: str) -> Case:
    port = Port("x", "int8", tensors[0].shape, tensors[0].quant)
    graph = Graph("ties", {t.name: t for t in tensors}, (node,), port, port)
    env = Environment(graph)
    env.values["x"] = x
    return capture(env, node, name)
