"""The methods of the table. Each is one way to train, with one or more variants to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tinyflash.bench.accuracy import schemes
from tinyflash.bench.accuracy.learners import FloatLearner, Int8Learner, Learner
from tinyflash.bench.accuracy.twin import Twin
from tinyflash.compiler import compile_model, prepare
from tinyflash.scheme import Scheme, resolve
from tinyflash.scheme.optimizer import Optimizer
from tinyflash.training.samples import Samples
from tinyflash.zoo.task import Task

Arithmetic = Literal["float", "fake", "int8"]
FULL_RATE, BODY_RATE, BIAS_RATE, HEAD_RATE = 0.01, 0.025, 0.1, 0.1


@dataclass(frozen=True)
class Variant:
    """A scheme, and the middle of the first grid of rates. The grid grows until the best rate is
    inside.

    `name`: distinguishes the variants of a method.
    """

    scheme: Scheme
    rate: float
    name: str = ""


@dataclass(frozen=True)
class Method:
    """A row of the table."""

    name: str
    title: str
    arithmetic: Arithmetic
    variants: Callable[[Task], tuple[Variant, ...]]


def learner(method: Method, variant: Variant, task: Task, train: Samples, seed: int) -> Learner:
    """Returns a fresh network of a task. Calibrates the exponents of int8 gradients on `train`."""
    if method.arithmetic == "int8":
        samples = (train.x, train.y)
        return Int8Learner(
            compile_model(task.graph, variant.scheme, calibration=samples, seed=seed)
        )
    graph = prepare(task.graph, variant.scheme).forward
    fake = method.arithmetic == "fake"
    return FloatLearner(Twin(graph, resolve(variant.scheme, graph), fake))


def _full(task: Task) -> tuple[Variant, ...]:
    return (Variant(schemes.full(task), FULL_RATE),)


def _sparse(task: Task) -> tuple[Variant, ...]:
    return (Variant(schemes.sparse(task), BODY_RATE),)


def _master(task: Task) -> tuple[Variant, ...]:
    return (Variant(replace(schemes.sparse(task), optimizer=Optimizer(master=True)), BODY_RATE),)


def _nearest(task: Task) -> tuple[Variant, ...]:
    rule = Optimizer(rounding="nearest")
    return (Variant(replace(schemes.sparse(task), optimizer=rule), BODY_RATE),)


def _last(task: Task) -> tuple[Variant, ...]:
    count = schemes.longest_last(task)
    rate = BODY_RATE if count else HEAD_RATE
    return (Variant(schemes.last(task, count), rate, f"last {count}"),)


def _biases(task: Task) -> tuple[Variant, ...]:
    return (
        Variant(schemes.biases(task, deep=False), BIAS_RATE, "of the sparse layers"),
        Variant(schemes.biases(task, deep=True), BIAS_RATE, "of all layers"),
    )


def _head(task: Task) -> tuple[Variant, ...]:
    return (Variant(schemes.head_only(task), HEAD_RATE),)


def _plain_head(task: Task) -> tuple[Variant, ...]:
    return (Variant(replace(schemes.head_only(task), head_range=1.0), HEAD_RATE),)


METHODS = (
    Method("float-full", "float, all layers", "float", _full),
    Method("int8-full", "int8, all layers", "int8", _full),
    Method("float-sparse", "float, sparse", "float", _sparse),
    Method("qas", "float master, fake int8, sparse", "fake", _sparse),
    Method("int8-sparse", "int8, sparse", "int8", _sparse),
    Method("master", "int8, sparse, 16-bit weights kept", "int8", _master),
    Method("nearest", "int8, sparse, rounded to nearest", "int8", _nearest),
    Method("last", "int8, last layers in as much SRAM", "int8", _last),
    Method("biases", "int8, biases only", "int8", _biases),
    Method("float-head", "float, classifier only", "float", _head),
    Method("head", "int8, classifier only", "int8", _head),
    Method("head-1", "int8, classifier only, weights to ±1", "int8", _plain_head),
)
