"""Makes the program of planned graphs: tables, calls, records and memory images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tinyflash.compiler.lower.calls import lower_calls
from tinyflash.compiler.lower.context import Context, Lowering
from tinyflash.compiler.lower.forms import port_form, tensor_form
from tinyflash.compiler.lower.layout import lay_out
from tinyflash.compiler.lower.names import named
from tinyflash.compiler.lower.notes import contents, port_note, tensor_note
from tinyflash.compiler.lower.rules import RULES
from tinyflash.compiler.plan import Plan
from tinyflash.compiler.plan.calls import rows_of
from tinyflash.errors import InternalError
from tinyflash.graph import Graph
from tinyflash.paths import source_root
from tinyflash.program import Call, Program, Row
from tinyflash.sources import REFERENCE, kernels_of


@dataclass(frozen=True)
class Planned:
    """A graph and its memory plan."""

    graph: Graph
    plan: Plan


def lower(
    infer: Planned, train: Planned | None, seed: int = 0, kernels: Sequence[str] = (REFERENCE,)
) -> Program:
    """Returns the program of an infer graph and, if given, its train graph.

    kernels: kernel sets, preferred first. Each row uses the first set that has its kernel.
    """
    train_graph = train.graph if train is not None else None
    layout = lay_out(infer.graph, train_graph, seed)
    own = {name: kernels_of(source_root(), name) for name in kernels}
    lowering = Lowering(layout, train_graph, kernels=own)
    train_rows, train_calls = _table(lowering, train) if train is not None else ((), ())
    infer_rows, infer_calls = _table(lowering, infer)
    graph, plan = infer.graph, infer.plan
    place = train if train is not None else infer
    target = place.graph.tensors.get(place.graph.target)
    sample = graph.tensors[graph.input.tensor]
    from_source = graph.producer(sample.name) is not None
    return Program(
        name=graph.name,
        infer=infer_rows,
        infer_calls=infer_calls,
        train=train_rows,
        train_calls=train_calls,
        records=named(lowering.drafts),
        flash=layout.flash,
        weights=layout.weights,
        state=layout.state,
        arena_bytes=max(plan.arena_bytes, place.plan.arena_bytes),
        input=None if from_source else layout.buffer(graph, plan, sample.name),
        output=layout.buffer(graph, plan, graph.output.tensor),
        train_input=None if from_source else layout.buffer(place.graph, place.plan, sample.name),
        input_bytes=sample.nbytes,
        output_bytes=graph.tensors[graph.output.tensor].nbytes,
        classes=place.graph.tensors[place.graph.logits].size if train and not target else 0,
        target=layout.buffer(place.graph, place.plan, target.name) if target else None,
        target_bytes=target.nbytes if target else 0,
        row_bytes=sample.nbytes // rows_of(graph, sample.name) if from_source else 0,
        input_form=port_form(graph, graph.input),
        output_form=port_form(graph, graph.output),
        target_form=tensor_form(target) if target else None,
        input_note=port_note(graph, graph.input),
        output_note=port_note(graph, graph.output),
        target_note=tensor_note(target) if target else "",
        contents=contents(layout, [graph, *([train_graph] if train_graph else [])]),
    )


def _table(lowering: Lowering, planned: Planned) -> tuple[tuple[Row, ...], tuple[Call, ...]]:
    graph, plan = planned.graph, planned.plan
    rows: list[list[Row]] = []  # rows of each node
    for node in graph.nodes:
        rule = RULES.get(node.op)
        if rule is None:
            raise InternalError(f"no kernel for operator {node.op} ({node.name})")
        rows.append(rule(Context(lowering, graph, plan, node)))
    return tuple(chain.from_iterable(rows)), lower_calls(graph, plan, rows, lowering.drafts)
