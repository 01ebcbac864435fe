"""The numeric preconditions of lib/SPEC.md 10: refuses, by layer, what breaks one.

Kernels cannot fail, so whatever they rely on is checked here, on the graphs that are lowered: once
for each node that runs. Each precondition has the number of its paragraph in SPEC 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinyflash.compiler.preconditions import layers, others, programs, training
from tinyflash.errors import ModelError, SchemeError, TinyflashError
from tinyflash.graph import Graph, Node
from tinyflash.operators import OPERATORS, WEIGHTED
from tinyflash.program import Program

Broken = Callable[[Graph, Node], str]  # what breaks it; "" if nothing does


@dataclass(frozen=True)
class Precondition:
    """A paragraph of SPEC 10, for the operators that it applies to."""

    number: str
    operators: tuple[str, ...]
    broken: Broken
    error: type[TinyflashError] = ModelError


_UPDATES = tuple(f"{op}_update" for op in WEIGHTED)
_GRADIENTS = tuple(f"{op}_backward_input" for op in WEIGHTED)
_POOLS = ("average_pool", "max_pool")
_SLIDING = ("conv2d", "depthwise", *_POOLS)
_MOVING = (
    *_POOLS,
    *("concatenate", "pad", "transpose", "reshape", "keep", "take", "minimum", "maximum"),
)
_CLIPPED = (*WEIGHTED, *_POOLS, "add", "sub", "mul", "prelu", "pad", "mask")

PRECONDITIONS = (
    Precondition("10.1", tuple(OPERATORS), others.rows),
    Precondition("10.2", (*_SLIDING, "pad", "take"), others.map_sides),
    Precondition("10.3", _SLIDING, others.window),
    Precondition("10.4", ("transpose",), others.transposed),
    Precondition("10.5", WEIGHTED, layers.terms_of_sum),
    Precondition("10.6", WEIGHTED, layers.requantized),
    Precondition("10.7", WEIGHTED, layers.biases),
    Precondition("10.8", ("add", "sub"), others.common_scale),
    Precondition("10.9", ("mul", "prelu"), others.product),
    Precondition("10.10", ("mean",), others.averaged),
    Precondition("10.11", ("softmax", "log_softmax"), others.classes_of_softmax),
    Precondition("10.12", ("softmax", "log_softmax"), others.exponentials),
    Precondition("10.13", ("average_pool_backward_input",), training.reciprocals),
    Precondition("10.14", ("lookup_backward_input",), training.slope),
    Precondition("10.15", ("mul_backward_input",), training.rows_of_product),
    Precondition("10.16", _UPDATES, training.positions),
    Precondition("10.17", ("bias_update",), training.bias_positions),
    Precondition("10.18", (*_UPDATES, "bias_update"), training.rates, SchemeError),
    Precondition("10.19", (*_UPDATES, "bias_update"), training.rule, SchemeError),
    Precondition("10.20", ("softmax_loss",), training.classes, SchemeError),
    Precondition("10.21", ("squared_loss", "sigmoid_loss"), training.targets, SchemeError),
    Precondition("10.22", ("squared_loss", "sigmoid_loss"), training.loss_exponent),
    Precondition("10.23", ("advance",), training.headroom, SchemeError),
    Precondition("10.24", ("take",), others.steps),
    Precondition("10.25", ("take_backward_input",), training.readers_of_an_element),
    Precondition("10.26", _POOLS, others.covered),
    Precondition("10.27", _MOVING, others.of_one_unit),
    Precondition("10.28", _CLIPPED, others.clip),
    Precondition("10.29", ("softmax",), others.beta),
    Precondition("10.30", (*_UPDATES, "bias_update"), training.source_numbers),
    Precondition("10.31", ("softmax_loss",), training.smoothing, SchemeError),
    Precondition("10.32", ("advance",), training.gradients, SchemeError),
    Precondition("10.33", tuple(OPERATORS), others.elements),
    Precondition("10.34", _GRADIENTS, training.terms_of_gradient),
    Precondition("10.37", ("fisher",), training.judged_positions, SchemeError),
)

# Of the whole program, by number.
OF_PROGRAMS: Mapping[str, Callable[[Program], str]] = {
    "10.35": programs.spaces,
    "10.36": programs.tables,
}


# Sums and products that every runtime computes in 32 bits, whatever else it supports.
_SUMS = ("10.5", "10.6", "10.8", "10.9", "10.10")


def check_sums(graph: Graph) -> None:
    """Checks those preconditions that a network for other runtimes must keep, too. Raises
    ModelError, which names layer and paragraph, for a broken one."""
    _check(graph, [p for p in PRECONDITIONS if p.number in _SUMS])


def check_preconditions(graph: Graph) -> None:
    """Raises ModelError or SchemeError, which names layer and paragraph, for a broken one."""
    _check(graph, PRECONDITIONS)


def _check(graph: Graph, preconditions: Sequence[Precondition]) -> None:
    for node in graph.nodes:
        for precondition in preconditions:
            if node.op in precondition.operators:
                text = precondition.broken(graph, node)
                if text:
                    name = node.layer or node.name
                    raise precondition.error(
                        f"layer {name}: {text} (lib/SPEC.md {precondition.number})"
                    )


def check_arena(name: str, arena_bytes: int) -> None:
    """10.35 of a plan, before it is checked byte by byte. Raises ModelError."""
    text = programs.space("ARENA", arena_bytes)
    if text:
        raise ModelError(f"{name}: {text} (lib/SPEC.md 10.35)")


def check_program(program: Program) -> None:
    """Raises ModelError, which names the model and the paragraph, for a broken one."""
    for number, broken in OF_PROGRAMS.items():
        text = broken(program)
        if text:
            raise ModelError(f"{program.name}: {text} (lib/SPEC.md {number})")
