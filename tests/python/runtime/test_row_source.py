"""Input that comes by rows: the bytes are the same, and a source that fails changes none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.support.row_graphs import row_graph
from tinyflash.runtime.host._tinyflash import ffi, lib  # type: ignore[import-not-found]

from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.lower import lower
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import Plan
from tinyflash.errors import InternalError
from tinyflash.runtime.host import HostSession

SEED = 5
RATE = 0.05


def compiled(row_source: bool) -> Compiled:
    graph, scheme = row_graph(SEED)
    return compile_model(graph, scheme, seed=1, row_source=row_source)


def samples(model: Compiled, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-128, 128, (count, model.program.input_bytes), dtype=np.int8)


def test_rows_from_a_source_give_the_same_bytes() -> None:
    model = compiled(row_source=True)
    by_rows, plain = HostSession(model.program), HostSession(compiled(row_source=False).program)
    assert by_rows.state == plain.state
    for x in samples(model, 4):
        assert by_rows.train_step(x, 1, RATE) == plain.train_step(x, 1, RATE)
        assert np.array_equal(by_rows.infer(x), plain.infer(x))
    assert by_rows.weights == plain.weights
    assert by_rows.state == plain.state


def test_a_guard_reads_its_samples_through_a_source() -> None:
    model = compiled(row_source=True)
    sessions = HostSession(model.program), HostSession(compiled(row_source=False).program)
    x = samples(model, 8)
    y = np.arange(8) % model.program.classes
    for session in sessions:
        session.start_guard(x[:4], y[:4], 2, 0)
        for sample, label in zip(x, y.tolist(), strict=True):
            session.train_step(sample, label, RATE)
    a, b = sessions
    assert a.guard_report() == b.guard_report()
    assert a.weights == b.weights


def test_such_a_model_has_no_place_for_an_input() -> None:
    session = HostSession(compiled(row_source=True).program)
    assert lib.tiny_infer_input(session._session) == ffi.NULL
    assert lib.tiny_train_input(session._session) == ffi.NULL


@dataclass
class Source:
    """Gives rows of noise, and fails at one; remembers which rows it was asked for."""

    fails_at: int
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def callback(self) -> Any:
        def give(_: Any, band: Any, rows: Any) -> int:
            self.asked.append((band.first, band.count))
            return int(band.first <= self.fails_at < band.first + band.count)

        return ffi.callback("int(void *, tiny_band, uint8_t *)", give)


def _text(error: int) -> str:
    return str(ffi.string(lib.tiny_error_text(error)).decode())


@pytest.mark.parametrize("train", [False, True])
def test_a_failing_source_ends_the_step_and_changes_nothing(train: bool) -> None:
    model = compiled(row_source=True)
    session = HostSession(model.program)
    session.train_step(samples(model, 1)[0], 1, RATE)  # leaves a label and a rate behind
    before = session.weights, session.state
    source = Source(fails_at=0)
    callback = source.callback
    for set_source, text in (
        (
            lambda: lib.tiny_set_source(session._session, callback, ffi.NULL),
            "row source failed",
        ),
        (lambda: lib.tiny_set_source(session._session, ffi.NULL, ffi.NULL), "no row source"),
    ):
        _check_failure(session, set_source, text, train)
        assert (session.weights, session.state) == before
    assert len(source.asked) == 1
    assert source.asked[0][0] == 0


def _check_failure(
    session: HostSession, set_source: Callable[[], None], text: str, train: bool
) -> None:
    set_source()
    if train:
        error = lib.tiny_train(session._session, 0, [40000, -20])
        assert text in _text(error)
    else:
        assert lib.tiny_infer(session._session) == ffi.NULL


def test_a_plan_that_reads_rows_after_the_loss_is_refused() -> None:
    model = compiled(row_source=True)
    assert model.train is not None
    graph, plan = model.train.graph, model.train.plan
    source = next(c for c in plan.calls if graph.nodes[c.node].op == "source")
    late = (*(c for c in plan.calls if c is not source), source)
    broken = Plan(plan.placements, plan.arena_bytes, plan.lower_bound, plan.peak_step, late)
    with pytest.raises(InternalError, match="read after the loss"):
        lower(model.infer, Planned(graph, broken))
