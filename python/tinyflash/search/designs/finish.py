"""From the best description to a network that learns on the board: link, train, quantize, choose
what is trained."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflash.boards import Board, kernels_for
from tinyflash.boards.firmware import build_firmware, can_compile, firmware_size
from tinyflash.boards.fits import check_fits, measure
from tinyflash.compiler import Compiled, Prepared, compile_model, prepare
from tinyflash.compiler.preconditions import check_sums
from tinyflash.errors import BoardError
from tinyflash.graph import Graph
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph.graph import Weights
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import encode
from tinyflash.scheme import Scheme
from tinyflash.search.budget import choose_scheme
from tinyflash.search.choose import Finalist
from tinyflash.search.designs.cost import NAME, Cost, Limits, compiled, measured
from tinyflash.search.designs.design import Design
from tinyflash.search.designs.layers import Network, float_graph
from tinyflash.search.designs.stage2 import Tried
from tinyflash.search.designs.task import Part, Task
from tinyflash.search.probes import Judged
from tinyflash.training.loop import evaluate
from tinyflash.training.samples import Samples
from tinyflash.write.model import write_model

_CALIBRATION = 256  # training samples

Say = Callable[[str], None]


@dataclass(frozen=True)
class Linked:
    """Bytes of an image, as the linker made it."""

    flash: int
    sram: int


def linked(made: Compiled, board: Board, work: Path) -> Linked:
    """Links firmware with a model, and measures it. work: a folder for objects, which later calls
    use again. Raises BoardError if it does not fit the board."""
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as name:
        folder = Path(name)
        write_model(made, folder)
        size = firmware_size(build_firmware(folder, board, folder, work=work))
    return Linked(size.flash_bytes, size.sram_bytes)


def with_code(limits: Limits, board: Board, designs: Iterable[Design], work: Path) -> Limits:
    """Returns the limits with what code takes, as two linked images show: its flash grows with the
    rows of a model's tables. Without the board's compiler, only constants count."""
    if not can_compile(board):
        return limits
    points = []
    for design in designs:
        made = compiled(design, board)
        cost = measured(design.macs, made, board)
        try:
            points.append((cost.rows, linked(made, board, work).flash - cost.rom))
        except BoardError:  # the smallest board takes not even this
            continue
    if not points:
        return limits
    (low, base), (high, more) = min(points), max(points)
    row = (more - base) / (high - low) if high > low else 0.0
    return Limits(limits.sram, limits.flash, limits.step, base - row * low, row)


def first_linked(
    ranked: Iterable[Tried], limits: Limits, board: Board, work: Path, say: Say
) -> Tried:
    """Returns the first network whose untrained image is within the limits. Raises BoardError if
    none is."""
    if not can_compile(board):
        return next(iter(ranked))
    problem = ""
    for one in ranked:
        try:
            size = linked(compiled(one.design, board), board, work)
        except BoardError as error:
            problem = str(error)
            continue
        problem = complaint(size, limits)
        if not problem:
            return one
        say(f"left out a network: {problem}")
    raise BoardError(f"design: no network that was trained fits when it is linked; {problem}")


def complaint(size: Linked, limits: Limits) -> str:
    """Returns which limit an image is above; "" if it is within all."""
    if size.sram > limits.sram:
        return f"its image takes {size.sram:,} bytes of SRAM, the limit is {limits.sram:,}"
    if size.flash > limits.flash:
        return f"its image takes {size.flash:,} bytes of flash, the limit is {limits.flash:,}"
    return ""


def in_int8(design: Network, weights: dict[str, Weights], task: Task) -> Graph:
    """Returns a trained network in int8, calibrated with training samples."""
    network = float_graph(NAME, design.shape, design.layers, weights)
    step = max(1, len(task.train) // _CALIBRATION)
    graph = quantize(network, task.train.x[::step][:_CALIBRATION])
    check_sums(graph)
    return graph


def accuracy(graph: Graph, part: Part) -> float:
    """Returns the percentage of samples that the network in int8 tells right."""
    made = compile_model(graph)
    samples = Samples(encode(made.graph.input, part.x), part.y.astype(np.int64))
    return evaluate(HostSession(made.program), samples).score


@dataclass(frozen=True)
class Trainable:
    """What the network trains within the limits, and what all of it takes. method: who proposed
    that. image: None if the board's compiler is missing. compared: the schemes that were, the
    lowest held-out loss first."""

    scheme: Scheme
    method: str
    made: Compiled
    cost: Cost
    image: Linked | None
    judged: Judged | None = None
    compared: tuple[Finalist, ...] = ()

    @property
    def trained_bytes(self) -> int:
        """Of weights and biases."""
        tensors = self.made.infer.graph.tensors.values()
        return sum(t.nbytes for t in tensors if t.kind == "trainable")


def with_scheme(
    graph: Graph, design: Design, limits: Limits, board: Board, work: Path, say: Say
) -> Trainable:
    """Returns the network with the largest scheme within the limits, as --budget has it, checked by
    linking it."""
    base, budget = prepare(graph, Scheme()), limits.sram
    while True:
        choice = choose_scheme(base, board, budget)
        made = compile_model(base.under(choice.scheme), kernels=kernels_for(board))
        cost = measured(design.macs, made, board)
        image, over = _image(made, cost, limits, board, work)
        if not over:
            return Trainable(choice.scheme, "ladder", made, cost, image)
        say(f"trains less: {over}")
        budget = measure(made.program, board).sram_bytes - 1


def first_fitting(
    ranked: Iterable[Finalist],
    base: Prepared,
    design: Design,
    limits: Limits,
    board: Board,
    work: Path,
    say: Say,
) -> Trainable | None:
    """Returns the network with the first of the schemes whose image is within the limits; None if
    none is."""
    compared = tuple(ranked)
    for one in compared:
        made = compile_model(base.under(one.scheme), kernels=kernels_for(board))
        cost = measured(design.macs, made, board)
        image, over = _image(made, cost, limits, board, work)
        if not over:
            return Trainable(one.scheme, one.method, made, cost, image, one.judged, compared)
        say(f"left out what {one.method} would train: {over}")
    return None


def _image(
    made: Compiled, cost: Cost, limits: Limits, board: Board, work: Path
) -> tuple[Linked | None, str]:
    """Returns the linked image, and which limit it is above; "" if it is within all."""
    if limits.step is not None and (cost.step is None or cost.step > limits.step):
        return None, f"a training step takes {cost.step or 'unknown'} instructions"
    try:
        check_fits(made, board)
        image = linked(made, board, work) if can_compile(board) else None
    except BoardError as error:  # a region, or all of the flash
        return None, str(error)
    return image, complaint(image, limits) if image else ""
