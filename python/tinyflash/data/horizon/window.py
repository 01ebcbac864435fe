"""Which window to read for each lead, and what a network that reads it costs on a board."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinyflash.boards import Board, counted_core, kernels_for
from tinyflash.boards.fits import measure
from tinyflash.compiler import Compiled, compile_model, prepare
from tinyflash.data.horizon.networks import GRU, HIDDEN
from tinyflash.data.horizon.question import OWN
from tinyflash.data.horizon.study import MARGIN, RIDGE, Study
from tinyflash.errors import ModelError
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph import FloatGraph, FloatNode, Source, Weights

_INF = float("inf")


@dataclass(frozen=True)
class Cost:
    """Of one inference in int8. instructions: at most; None if a kernel was not counted on this
    core. sram_bytes: with firmware and stack; None without a board."""

    arena_bytes: int
    flash_bytes: int
    instructions: int | None
    sram_bytes: int | None


@dataclass(frozen=True)
class Window:
    """For one lead: the smallest window whose score is within MARGIN of the best. steps: of its
    history. baseline: the best score of the target's own past. cost: None of a predictor that no
    board runs."""

    lead: int
    steps: int
    modality: str
    predictor: str
    score: float
    baseline: float
    cost: Cost | None


def recommended(found: Study, board: Board | None) -> tuple[Window, ...]:
    """Returns a window for each lead at which something foresees more than chance, of a predictor
    that boards run, if there is one."""
    costs: dict[tuple[int, str], Cost | None] = {}
    result = []
    for place, lead in enumerate(found.series.question.leads):
        _, _, steps, modality, predictor, score = _smallest(found, place)
        if not score > found.series.chance + MARGIN:
            continue
        numbers = steps * _channels(found, modality)
        key = numbers, predictor
        if key not in costs:
            outputs = found.series.outputs
            costs[key] = None if predictor == GRU else cost(numbers, predictor, outputs, board)
        baseline = max(float(maps[OWN].mean[:, place].max()) for maps in found.maps.values())
        result.append(Window(lead, steps, modality, predictor, score, baseline, costs[key]))
    return tuple(result)


_Cell = tuple[int, int, int, str, str, float]  # numbers, order of the predictor, steps, ...


def _smallest(found: Study, place: int) -> _Cell:
    runnable = [name for name in found.maps if name != GRU] or list(found.maps)
    cells: list[_Cell] = []
    for order, predictor in enumerate(runnable):
        for modality, one in found.maps[predictor].items():
            for steps, score in zip(
                found.series.question.histories, one.mean[:, place], strict=True
            ):
                numbers = steps * _channels(found, modality)
                cells.append((numbers, order, steps, modality, predictor, float(score)))
    best = max(cell[-1] for cell in cells)
    return min(cell for cell in cells if cell[-1] >= best - MARGIN)


def _channels(found: Study, modality: str) -> int:
    if modality == OWN:
        return int(found.series.stretches[0].own.shape[1])
    return len(found.series.question.modalities[modality])


def cost(numbers: int, predictor: str, outputs: int, board: Board | None) -> Cost:
    """Plans a network that reads a window of so many numbers: one layer (ridge), or the layers of
    the perceptron. What it has learned changes no cost, so its weights are drawn."""
    sizes = [numbers, *([] if predictor == RIDGE else [HIDDEN, HIDDEN]), outputs]
    random = np.random.default_rng(0)
    nodes, before = [], "window"
    for layer, (given, made) in enumerate(pairwise(sizes), 1):
        w = random.normal(0, 1 / np.sqrt(given), (made, given)).astype(np.float32)
        bounds = (-_INF, _INF) if layer == len(sizes) - 1 else (0.0, _INF)
        weights = Weights(w, np.zeros(made, np.float32))
        name = f"layer{layer}"
        nodes.append(
            FloatNode("fully_connected", name, (before,), (1, made), weights=weights, bounds=bounds)
        )
        before = name
    source = Source("window", (numbers,), (0,), (1, numbers))
    network = FloatGraph("window", source, tuple(nodes), before)
    samples = random.normal(0, 1, (64, numbers)).astype(np.float32)
    compiled = compile_model(prepare(quantize(network, samples)), kernels=kernels_for(board))
    fit = None if board is None else measure(compiled.program, board)
    return Cost(
        compiled.program.arena_bytes,
        len(compiled.program.flash),
        _instructions(compiled, counted_core(board)),
        None if fit is None else fit.sram_bytes,
    )


def _instructions(compiled: Compiled, core: str) -> int | None:
    counted = compiled.counted(core)["infer"]
    try:
        calls = counted.planned.plan.calls
        return sum(counted.instructions(call.node, call.count) for call in calls)
    except ModelError:
        return None
