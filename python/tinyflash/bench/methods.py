"""The methods of the table. Each is one way to learn, in one or more variants to choose among."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinyflash.bench import schemes
from tinyflash.bench.learners import FloatLearner, Int8Learner, Learner
from tinyflash.bench.twin import Twin
from tinyflash.compiler import compile_model
from tinyflash.passes.scheme import Scheme, resolve
from tinyflash.samples import Samples
from tinyflash.zoo.task import Task

Arithmetic = Literal["float", "fake", "int8"]


@dataclass(frozen=True)
class Variant:
    """One scheme, learned in one arithmetic. `name` tells variants of a method apart."""

    name: str
    scheme: Scheme


@dataclass(frozen=True)
class Method:
    """`rate`: the middle of the first grid of rates, which grows until the best lies inside."""

    name: str
    title: str
    arithmetic: Arithmetic
    variants: Callable[[Task], tuple[Variant, ...]]
    rate: float = 0.03


def learner(method: Method, variant: Variant, task: Task, train: Samples, seed: int) -> Learner:
    """A fresh network of a task; the exponents of int8 gradients are calibrated on `train`."""
    if method.arithmetic == "int8":
        samples = (train.x, train.y)
        return Int8Learner(
            compile_model(task.graph, variant.scheme, calibration=samples, seed=seed)
        )
    graph = schemes.forward_graph(task)
    fake = method.arithmetic == "fake"
    return FloatLearner(Twin(graph, resolve(variant.scheme, graph), fake))


def _one(scheme: Callable[[Task], Scheme]) -> Callable[[Task], tuple[Variant, ...]]:
    return lambda task: (Variant("", scheme(task)),)


def _biases(task: Task) -> tuple[Variant, ...]:
    return (
        Variant("of the sparse layers", schemes.biases(task, deep=False)),
        Variant("of all layers", schemes.biases(task, deep=True)),
    )


def _last(task: Task) -> tuple[Variant, ...]:
    count = schemes.longest_last(task)
    return (Variant(f"last {count}", schemes.last(task, count)),)


METHODS = (
    Method("float-full", "float, all layers", "float", _one(schemes.full)),
    Method("int8-full", "int8, all layers", "int8", _one(schemes.full)),
    Method("float-sparse", "float, sparse", "float", _one(schemes.sparse)),
    Method("qas", "float master, fake int8, sparse", "fake", _one(schemes.sparse)),
    Method("int8-sparse", "int8, sparse", "int8", _one(schemes.sparse)),
    Method("last", "int8, last layers in as much SRAM", "int8", _last),
    Method("biases", "int8, biases only", "int8", _biases, rate=0.1),
    Method("head", "int8, classifier only", "int8", _one(schemes.head_only), rate=0.5),
)
