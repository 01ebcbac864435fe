"""What a network costs on a board, with what its training adds: the real planner says it.

Weights are random: sizes and instructions do not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinyflash.boards import Board, counted_core, kernels_for
from tinyflash.boards.fits import measure
from tinyflash.compiler import Compiled, compile_uncalibrated, prepare
from tinyflash.errors import ModelError
from tinyflash.graph import Graph, Quant
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.scheme import Rule, Scheme
from tinyflash.search.designs.layers import Network, float_graph, random_weights

NAME = "design"  # of the networks
_CLIPPED = Quant((float(np.float32(6 / 255)),), -128)
_LINEAR = Quant((1 / 16,), 0)
_READ = Quant((1 / 32,), 0)
_SHARE = 0.25  # of the input channels of convolutions


@dataclass(frozen=True)
class Cost:
    """macs: of an inference. sram: arena, trained weights, state, firmware, stack. rom: constants
    in flash. rows: of the model's tables, which code in flash grows with. instructions: of an
    inference, and of a training step, at most; None if a kernel was not counted on the board's
    core. problem: why it cannot be compiled; "" if it can."""

    macs: int
    sram: int = 0
    rom: int = 0
    rows: int = 0
    instructions: int | None = None
    step: int | None = None
    problem: str = ""

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Cost:
        return Cost(**fields)


@dataclass(frozen=True)
class Limits:
    """The most that a network may take, in bytes and instructions of a training step (None: any
    number), and what the firmware's code takes of the flash: `code` bytes, and `row` more for each
    row of a table."""

    sram: int
    flash: int
    step: int | None = None
    code: float = 0.0
    row: float = 0.0

    def flash_of(self, cost: Cost) -> int:
        """Returns the flash of an image, which linking measures to the byte."""
        return round(cost.rom + self.code + self.row * cost.rows)

    def allow(self, cost: Cost) -> bool:
        """Whether a network fits. One whose instructions are unknown does not fit a bound."""
        slow = self.step is not None and (cost.step is None or cost.step > self.step)
        small = cost.sram <= self.sram and self.flash_of(cost) <= self.flash
        return small and not slow and not cost.problem


def scheme_for(design: Network) -> Scheme:
    """Returns what a network is planned to train before one is chosen for its data: the classifier,
    the biases of the later half of all layers, and a quarter of their convolutions' channels."""
    last = sum(layer.has_weights for layer in design.layers) // 2
    return Scheme((Rule(last=last, bias=True), Rule(last=last, operator="conv2d", weights=_SHARE)))


def untrained(design: Network) -> Graph:
    """Returns the network in int8 with random weights."""
    layers = design.layers
    weights = random_weights(design.shape, layers, seed=0)
    network = float_graph(NAME, design.shape, layers, weights)
    return quantize(replace(network, codings=_codings(network)))


def _codings(network: FloatGraph) -> dict[str, Quant]:
    """Returns plausible scales: those of a mean are those of its input, as calibration has them."""
    found = {network.source.name: _READ}
    for node in network.nodes:
        if node.op in ("average_pool", "mean"):
            found[node.name] = found[node.inputs[0]]
        else:
            found[node.name] = _CLIPPED if node.bounds == (0.0, 6.0) else _LINEAR
    return found


def compiled(design: Network, board: Board) -> Compiled:
    """Compiles an untrained network, with its scheme, for a board."""
    prepared = prepare(untrained(design), scheme_for(design))
    return compile_uncalibrated(prepared, kernels=kernels_for(board))


def cost_of(design: Network, board: Board) -> Cost:
    """Returns what a network costs on a board."""
    try:
        made = compiled(design, board)
    except ModelError as error:
        return Cost(design.macs, problem=str(error))
    return measured(design.macs, made, board)


def measured(macs: int, made: Compiled, board: Board) -> Cost:
    """Returns what a compiled network costs."""
    fit = measure(made.program, board)
    rows = len(made.program.infer) + len(made.program.train)
    infer, step = (_instructions(made, table, counted_core(board)) for table in ("infer", "train"))
    return Cost(macs, fit.sram_bytes, fit.rom_bytes, rows, infer, step)


def _instructions(made: Compiled, table: str, core: str) -> int | None:
    counted = made.counted(core)[table]
    try:
        calls = counted.planned.plan.calls
        return sum(counted.instructions(call.node, call.count) for call in calls)
    except ModelError:  # a kernel was not counted on this core
        return None
