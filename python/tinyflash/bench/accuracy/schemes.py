"""The compared schemes, each derived from a task's network and its sparse scheme."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.errors import SchemeError
from tinyflash.layers import last_layer
from tinyflash.scheme import Rule, Scheme, resolve
from tinyflash.zoo.task import Task


@dataclass(frozen=True)
class Memory:
    """The SRAM of a scheme, in bytes."""

    arena: int
    trainable: int
    state: int

    @property
    def total(self) -> int:
        return self.arena + self.trainable + self.state


def sparse(task: Task) -> Scheme:
    return replace(task.scheme, head=task.classes)


def head_only(task: Task) -> Scheme:
    return replace(sparse(task), rules=())


def full(task: Task) -> Scheme:
    """Trains all layers that the gradient reaches."""
    reached = _reached(task)
    rule = Rule(layers=reached, weights=1.0, bias=True)
    return replace(sparse(task), rules=(rule,) if reached else ())


def biases(task: Task, deep: bool) -> Scheme:
    """Trains the biases of every layer; without `deep`, from the sparse scheme's first layer on."""
    layers = _reached(task)
    if not deep:
        trained = resolve(sparse(task), prepare(task.graph, sparse(task)).forward)
        first = next(i for i, name in enumerate(layers) if name in trained)
        layers = layers[first:]
    return replace(sparse(task), rules=(Rule(layers=layers, bias=True),))


def last(task: Task, count: int) -> Scheme:
    """Trains all weights and biases of the last layers, and the classifier."""
    rule = Rule(last=count, weights=1.0, bias=True)
    return replace(sparse(task), rules=(rule,) if count else ())


def longest_last(task: Task) -> int:
    """Trains as many last layers completely as fit into the SRAM of the sparse scheme."""
    budget = memory(task, sparse(task)).total
    count = 0
    try:
        while memory(task, last(task, count + 1)).total <= budget:
            count += 1
    except SchemeError:  # there are no more layers
        pass
    return count


def memory(task: Task, scheme: Scheme) -> Memory:
    program = compile_model(task.graph, scheme).program
    return Memory(program.arena_bytes, len(program.weights), len(program.state))


def _reached(task: Task) -> tuple[str, ...]:
    """Returns the layers before the classifier that the gradient reaches, in order."""
    forward = prepare(task.graph, sparse(task)).forward
    graph, head = differentiate(forward), last_layer(forward)
    assert head is not None
    updated = {n.layer for n in graph.nodes if n.operator.updates} - {head.name}
    return tuple(n.name for n in graph.nodes if n.operator.weighted and n.name in updated)
