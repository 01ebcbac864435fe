"""One run of the task, the same on a board and on the host, so that the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.compiler import Compiled, compile_model
from tinyflash.console import counting, watching
from tinyflash.demo.task import HEAD_ONLY_RATES, Task, recipe, scheme
from tinyflash.host import Session as HostSession
from tinyflash.session import Session
from tinyflash.training import Evaluation, History, Recipe, evaluate, train


@dataclass(frozen=True)
class Run:
    """Everything that a session said, and what it had learned at the end."""

    before: Evaluation
    history: History
    after: Evaluation
    weights: bytes
    state: bytes

    def agrees(self, other: Run) -> bool:
        """Bit for bit: weights, state, the logits of all held-out samples, every training step."""
        return (
            self.weights == other.weights
            and self.state == other.state
            and self.before.logits.tobytes() == other.before.logits.tobytes()
            and self.after.logits.tobytes() == other.after.logits.tobytes()
            and self.history == other.history
        )


def run_task(session: Session, task: Task, how: Recipe, where: str) -> Run:
    """Evaluates, trains, evaluates, and reads back what was learned."""
    before = _evaluate(session, task, f"{where}: evaluate")
    with watching(f"{where}: train", how.epochs * len(task.train)) as hear:
        history = train(session, task.train, how, hear)
    after = _evaluate(session, task, f"{where}: evaluate again")
    return Run(before, history, after, session.weights, session.state)


def _evaluate(session: Session, task: Task, text: str) -> Evaluation:
    with counting(text, len(task.held_out)) as listen:
        return evaluate(session, task.held_out, listen)


def run_on_host(compiled: Compiled, task: Task, how: Recipe) -> Run:
    """The same run without a board."""
    return run_task(HostSession(compiled.program), task, how, "this computer")


def head_only_accuracy(task: Task, seed: int) -> float:
    """Held-out accuracy where only the new classifier learns from the same samples.

    It is given the rate that suits it best, judged on the held-out samples themselves: the figure
    flatters it.
    """
    program = compile_model(task.graph, scheme("head_only"), seed=seed).program
    accuracies = []
    for rate in HEAD_ONLY_RATES:
        session, how = HostSession(program), recipe(seed, rate)
        with watching(f"head only, rate {rate}", how.epochs * len(task.train)) as hear:
            train(session, task.train, how, hear)
        accuracies.append(evaluate(session, task.held_out).accuracy)
    return max(accuracies)
