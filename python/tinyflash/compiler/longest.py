"""The longest call of a table in instructions, and tables in which no call exceeds a bound.

Between two calls, firmware can do other work (tiny_run). A call is cut by rows, which changes no
result: only kernels of forward layers, and those of sums and masks, compute any rows of a map.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyflash.compiler.kernels.instructions import M4, instructions
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import Effort, check
from tinyflash.compiler.plan.calls import Call, Order
from tinyflash.compiler.plan.planner import placed
from tinyflash.compiler.plan.rows import rows
from tinyflash.errors import ModelError
from tinyflash.graph import Node
from tinyflash.program import SOURCE, Row
from tinyflash.program import Call as TableCall


@dataclass(frozen=True)
class Bound:
    """The most instructions that a call may take, on a core of kernels/instructions.py."""

    instructions: int
    core: str = M4


@dataclass(frozen=True)
class LongCall:
    """A call, and the most instructions that it takes."""

    node: Node
    first: int
    count: int
    instructions: int


@dataclass(frozen=True)
class Counted:
    """A plan, and the table rows that its nodes became, for a core."""

    planned: Planned
    table: Mapping[int, tuple[Row, ...]]  # by node
    core: str

    @staticmethod
    def of(
        planned: Planned, table: Sequence[Row], calls: Sequence[TableCall], core: str
    ) -> Counted:
        found: dict[int, dict[int, Row]] = {}
        for call in calls:
            if table[call.op].kernel != SOURCE:  # the caller's own
                found.setdefault(call.node, {})[call.op] = table[call.op]
        rows_of = {node: tuple(by_op.values()) for node, by_op in found.items()}
        return Counted(planned, rows_of, core)

    def of_row(self, row: Row, node: int, count: int) -> int | None:
        """Returns the most that a table row takes for `count` rows of its node; None: unknown."""
        graph = self.planned.graph
        name, kernel = row.kernel_set, row.kernel
        return instructions(self.core, name, kernel, graph, graph.nodes[node], count)

    def instructions(self, node: int, count: int) -> int:
        """Returns the most that a call for `count` rows of a node takes. Raises ModelError for
        kernels that were not counted."""
        most = 0
        for row in self.table.get(node, ()):
            found = self.of_row(row, node, count)
            if found is None:
                raise ModelError(
                    f"longest call: the instructions of {row.kernel} of the kernel set "
                    f"{row.kernel_set} are not known for a {self.core}; choose others with "
                    "--kernels, or leave out the bound"
                )
            most = max(most, found)
        return most

    def longest(self) -> LongCall | None:
        """Returns the longest call, the first of equals; None if some kernel was not counted."""
        graph, best = self.planned.graph, None
        try:
            for call in self.planned.plan.calls:
                found = self.instructions(call.node, call.count)
                if best is None or found > best.instructions:
                    best = LongCall(graph.nodes[call.node], call.first, call.count, found)
        except ModelError:
            return None
        return best


def bounded(tables: Mapping[str, Counted], limit: Bound, effort: Effort) -> dict[str, Planned]:
    """Returns the plans of tables with their calls cut, so that none takes more than a bound.
    Raises ModelError if one cannot be cut that far: of all tables, for the call that takes most."""
    bound = limit.instructions
    lengths = {
        name: [_most_rows(counted, call, bound) for call in counted.planned.plan.calls]
        for name, counted in tables.items()
    }
    for name in sorted(tables, key=lambda name: -_least_bound(tables[name])):
        if 0 in lengths[name]:
            raise _refusal(tables[name], bound)
    return {name: _cut(tables[name], lengths[name], effort) for name in tables}


def _cut(counted: Counted, lengths: Sequence[int], effort: Effort) -> Planned:
    """lengths: the most rows of each call."""
    graph, plan = counted.planned.graph, counted.planned.plan
    pieces = (_pieces(call, most) for call, most in zip(plan.calls, lengths, strict=True))
    calls = tuple(piece for some in pieces for piece in some)
    if calls == plan.calls:
        return counted.planned
    result = placed(graph, Order(calls, plan.rings), effort)
    check(graph, result)
    return Planned(graph, result)


def _most_rows(counted: Counted, call: Call, bound: int) -> int:
    """Returns the most rows of a call that one call may compute; 0: not one row."""
    if counted.instructions(call.node, call.count) <= bound:
        return call.count
    graph = counted.planned.graph
    if not rows(graph, graph.nodes[call.node]).cut:
        return 0
    counts = range(1, call.count + 1)
    return bisect_right(counts, bound, key=lambda count: counted.instructions(call.node, count))


def _pieces(call: Call, most: int) -> Iterator[Call]:
    """Cuts a call into as few pieces as possible, of about the same length."""
    pieces = -(-call.count // most)
    ends = [call.count * (i + 1) // pieces for i in range(pieces)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield Call(call.node, call.first + start, end - start)


def _least(counted: Counted, call: Call) -> int:
    """Returns the most instructions of a call for the fewest rows that it can compute."""
    graph = counted.planned.graph
    is_cut = rows(graph, graph.nodes[call.node]).cut
    return counted.instructions(call.node, 1 if is_cut else call.count)


def _least_bound(counted: Counted) -> int:
    """Returns the lowest bound that a table can keep."""
    return max(_least(counted, call) for call in counted.planned.plan.calls)


def _refusal(counted: Counted, bound: int) -> ModelError:
    graph = counted.planned.graph
    call = max(counted.planned.plan.calls, key=lambda call: _least(counted, call))
    node = graph.nodes[call.node]
    part = "one row" if rows(graph, node).cut else "which cannot be cut"
    return ModelError(
        f"longest call: {node.op} {node.name}, {part}, takes up to {_least(counted, call):,} "
        f"instructions on a {counted.core}, more than {bound:,}; allow as many{_or_else(node)}"
    )


def _or_else(node: Node) -> str:
    if node.operator.updates:
        return ", or train fewer channels of this layer"
    return ", or train no layer before it" if node.layer else ""
