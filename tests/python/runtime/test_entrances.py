"""What the C library checks where a caller comes in: memory, label, rate, schedule, guard."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.learner import learner, learner_graph

from tinyflash.compiler import compile_model
from tinyflash.program import Program
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.table import Table

OK, MEMORY, LABEL, RATE, NO_TRAIN, SCHEDULE, HELD_OUT = range(0, -7, -1)
ONE = (0x8000, -15)
SPACES = ("weights", "state", "arena")


class Bound:
    """A program in memory that a test may make too small, or move."""

    def __init__(self, program: Program) -> None:
        self.table = Table(program)
        sizes = (len(program.weights), len(program.state), program.arena_bytes)
        self.kept = [ffi.new("int32_t[]", size // 4 + 2) for size in sizes]
        places = [ffi.cast("uint8_t *", memory) for memory in self.kept]
        self.memory = ffi.new("tiny_memory *", [*places, *sizes])
        self.session = ffi.new("tiny_session *")

    def init(self) -> int:
        return int(lib.tiny_init(self.session, self.table.model, self.memory))


@pytest.fixture
def bound() -> Bound:
    found = Bound(learner().program)
    assert found.init() == OK
    return found


@pytest.mark.parametrize("space", SPACES)
def test_a_memory_that_does_not_do(bound: Bound, space: str) -> None:
    before = bytes(ffi.buffer(bound.session))
    size, place = getattr(bound.memory, f"{space}_bytes"), getattr(bound.memory, space)
    for wrong_place, wrong_size in ((place, size - 1), (place + 1, size), (ffi.NULL, size)):
        setattr(bound.memory, space, wrong_place)
        setattr(bound.memory, f"{space}_bytes", wrong_size)
        assert bound.init() == MEMORY
    assert bytes(ffi.buffer(bound.session)) == before


def test_a_model_that_trains_nothing_needs_no_memory_of_weights() -> None:
    bound = Bound(compile_model(learner_graph()).program)
    bound.memory.weights = ffi.NULL
    assert bound.init() == OK
    assert lib.tiny_train(bound.session, 0, ONE) == NO_TRAIN
    assert lib.tiny_train_begin(bound.session, 0, ONE) == NO_TRAIN
    assert lib.tiny_guard_begin(ffi.new("tiny_guard *"), bound.session) == NO_TRAIN


@pytest.mark.parametrize("rate", [(0x7FFF, 0), (1, 0), (0x8000, -513), (0x8000, 512), (0, 512)])
def test_a_rate_that_is_no_factor(bound: Bound, rate: tuple[int, int]) -> None:
    """Nothing has changed, rate and label included."""
    state = lib.tiny_session_state(bound.session)
    before = bytes(ffi.buffer(bound.kept[1]))
    assert lib.tiny_train(bound.session, 1, rate) == RATE
    assert bytes(ffi.buffer(bound.kept[1])) == before
    assert lib.tiny_train_begin(bound.session, 3, ONE) == LABEL
    assert lib.tiny_train_begin(bound.session, 2, (0, 0)) == OK
    assert (state.label, state.rate.mantissa) == (2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": (0x7FFF, 0)},
        {"rate": (0x8000, -513)},
        {"rate": (0x8000, 512)},
        {"drop": (0x8001, -15)},
        {"drop": (0x8000, -14)},
        {"drop": (0x7FFF, -20)},
        {"kind": 3},
        {"steps": 0, "warmup": 0},
        {"steps": 2**31},
        {"warmup": 9},
    ],
    ids=str,
)
def test_a_schedule_out_of_range(changes: dict[str, Any]) -> None:
    sound = {"rate": ONE, "drop": ONE, "steps": 9, "warmup": 8, "kind": 2, "drops": 255}
    assert lib.tiny_schedule_check(ffi.new("tiny_schedule *", sound)) == OK
    for drop in ((0, 0), (0x8000, -16), (0xFFFF, -16)):
        assert lib.tiny_schedule_check(ffi.new("tiny_schedule *", {**sound, "drop": drop})) == OK
    wrong = ffi.new("tiny_schedule *", {**sound, **changes})
    assert lib.tiny_schedule_check(wrong) == SCHEDULE


def guard(bound: Bound, labels: list[int], **changes: Any) -> int:
    """What the library says of a guard with these held-out samples."""
    program = learner().program
    samples = ffi.new("uint8_t[]", max(1, len(labels) * program.input_bytes))
    size = lib.tiny_guard_bytes(bound.table.model)
    snapshot, numbers = ffi.new("uint8_t[]", size), ffi.new("uint16_t[]", labels or [0])
    held_out = {"samples": samples, "labels": numbers, "count": len(labels)}
    sound = {"held_out": held_out, "snapshot": snapshot, "snapshot_bytes": size, "interval": 1}
    sound["held_out"] |= changes.pop("held_out", {})
    found = ffi.new("tiny_guard *", {**sound, **changes})
    return int(lib.tiny_guard_begin(found, bound.session))


def test_a_guard_that_cannot_judge(bound: Bound) -> None:
    size = lib.tiny_guard_bytes(bound.table.model)
    assert guard(bound, [0, 2]) == OK
    assert guard(bound, []) == HELD_OUT
    assert guard(bound, [0, 3]) == HELD_OUT
    assert guard(bound, [0], interval=0) == HELD_OUT
    assert guard(bound, [0], snapshot_bytes=size - 1) == HELD_OUT
    assert guard(bound, [0], held_out={"count": 2**23}) == HELD_OUT


@pytest.mark.parametrize(("field", "value"), [("classes", 0), ("classes", 2), ("output_bytes", 2)])
def test_a_model_that_a_guard_cannot_judge(bound: Bound, field: str, value: int) -> None:
    setattr(bound.table.model, field, value)
    assert guard(bound, [0]) == HELD_OUT


def test_every_error_has_a_text() -> None:
    texts = [ffi.string(lib.tiny_error_text(error)).decode() for error in range(1, -14, -1)]
    assert texts[0] == texts[-1] == "unknown error"
    assert texts[1] == "no error"
    assert len(set(texts)) == len(texts) - 1
    assert all(text and "\n" not in text for text in texts)
