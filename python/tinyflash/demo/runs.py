"""The runs that the demo compares with the board: the same run on the host, and only the
classifier."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.compiler import compile_model
from tinyflash.demo.task import HEAD_ONLY_RATES, recipe
from tinyflash.graph import Graph
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.show.console import watching
from tinyflash.training.job import Job, Trained
from tinyflash.training.loop import evaluate, train
from tinyflash.training.open import Ready
from tinyflash.training.run import run


def run_on_host(ready: Ready, job: Job) -> Trained:
    """Repeats the run on the host."""
    return run(job, HostSession(ready.compiled.program), ready, "this computer: ")


def head_only_accuracy(graph: Graph, job: Job, seed: int) -> float:
    """Returns the held-out accuracy if only the new classifier learns from the same samples.

    Uses the rate that is best on the held-out samples themselves, so this accuracy is optimistic.
    """
    program = compile_model(graph, scheme("head_only"), seed=seed).program
    accuracies = []
    for rate in HEAD_ONLY_RATES:
        session, alone = HostSession(program), replace(job, recipe=recipe(seed, rate))
        with watching(f"head only, rate {rate}", alone.steps) as listen:
            train(session, alone.train, alone.recipe, listen)
        accuracies.append(evaluate(session, alone.held_out).score)
    return max(accuracies)
