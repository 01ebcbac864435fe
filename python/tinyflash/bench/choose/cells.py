"""The cells of a run: tasks, their budgets and methods, the tightest budget of every task first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyflash.bench.choose.data import BUDGETS, FIXED, Data, load, load_few
from tinyflash.bench.choose.methods import METHODS, Method
from tinyflash.bench.choose.run import Bench, Cell, Row, fixed_scheme, opened
from tinyflash.compiler import prepare
from tinyflash.errors import SchemeError
from tinyflash.scheme import scheme
from tinyflash.search.memory import MemoryModel

Tell = Callable[[str], object]


@dataclass
class Cells:
    """load: a task by its name. methods: of its data."""

    every: Sequence[Cell]
    load: Callable[[str], Data]
    methods: Callable[[Data], Mapping[str, Method]]
    done: list[Cell] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.every)

    def run(self, path: Path, processes: int, tell: Tell) -> Iterator[list[Row]]:
        """Yields the rows of each cell, as far as a scheme fits."""
        for cell in self.every:
            tell(f"{cell.task}: loads")
            data = self.load(cell.task)
            said = [""]

            def told(done: int, of: int, said: list[str] = said) -> None:
                tell(f"{said[-1]}, {done} of {of} trainings")

            with opened(cell.task, data, path, processes, told) as bench:
                bench.tell = said.append
                yield self._of(bench, cell, data)
            self.done.append(cell)

    def _of(self, bench: Bench, cell: Cell, data: Data) -> list[Row]:
        found: list[Row] = []
        try:
            for rows in bench.rows(cell.budget, self.methods(data)):
                found += rows
        except SchemeError as error:
            self.failed.append(f"{cell.task}, {cell.budget:,} bytes: {error}")
        return found


def table_cells(
    tasks: Sequence[str],
    budgets: Sequence[int],
    tightest: bool,
    seeds: int,
    methods: Mapping[str, Method],
) -> Cells:
    """Returns the cells of the table, ascending by budget: the tightest of all tasks first."""
    of = {task: sorted(budgets) or BUDGETS[task] for task in tasks}
    rounds = 1 if tightest else max(len(some) for some in of.values())
    every = [Cell(task, of[task][at]) for at in range(rounds) for task in tasks]
    return Cells(every, lambda name: load(name, seeds), lambda _: methods)


def few_cells(tasks: Sequence[str], seeds: int, budgets: Sequence[int]) -> Cells:
    """Returns the cells of the few-shot comparison. Without a budget it is what the fixed scheme
    takes."""

    def methods(data: Data) -> Mapping[str, Method]:
        return {"probes": METHODS["probes"], "fixed": fixed_scheme(data)}

    data = load_few(tasks[0], 1)
    allowed = budgets or (_taken(data),)
    every = [Cell(task, budget) for budget in allowed for task in tasks]
    return Cells(every, lambda name: load_few(name, seeds), methods)


def _taken(data: Data) -> int:
    """Returns the bytes of the fixed scheme, with ten classes."""
    same = replace(scheme(FIXED), head=10)
    return MemoryModel(prepare(data.task.graph, same)).of(same).sram
