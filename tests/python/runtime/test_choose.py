"""The choice among candidates: library and reference alike, to the letter of SPEC 16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.support.learner import learner

from tinyflash.choices import ALL, Candidate, Choices, JudgedLayer, JudgedMap
from tinyflash.errors import TinyflashError
from tinyflash.program import Factor, Program
from tinyflash.reference import choose as reference
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.choose import HostChooser
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.table import Table

ONE = Factor(1 << 15, -15)  # a scale of 1
Statistic = Sequence[int]  # d: the unit's number, then the channels


def given(*statistics: Statistic, squares: Sequence[Factor] = ()) -> tuple[Choices, bytes]:
    """Maps with these statistics, and a candidate for each that trains the whole layer before."""
    program, at, maps = learner().program, 0, []
    for i, d in enumerate(statistics):
        square = squares[i] if squares else ONE
        maps.append(JudgedMap(f"map{i}", at, len(d) - 1, square))
        at += 4 * len(d)
    weights = np.array([n for d in statistics for n in d], "<u4").tobytes()
    judge = replace(program, weights=weights)
    layers = [JudgedLayer(f"layer{i}", i) for i in range(len(maps))]
    return Choices(judge, tuple(maps), candidates(program, *([one] for one in layers))), weights


def candidates(program: Program, *layers: Sequence[JudgedLayer]) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"c{i}", program, tuple(one)) for i, one in enumerate(layers))


def both(choices: Choices, weights: bytes) -> tuple[int, list[int]]:
    """What library and reference choose, which is the same."""
    chooser = HostChooser(choices)
    scores = chooser.scores()
    assert scores == reference.scores(choices, weights)
    assert chooser.choose() == reference.choose(choices, weights)
    assert chooser.session.weights == weights  # nothing has changed
    return chooser.choose(), scores


def test_the_layer_that_matters_most_is_chosen() -> None:
    assert both(*given([90, 5, 5], [90, 3, 8]))[0] == 1
    assert both(*given([91, 5, 5], [90, 3, 8]))[0] == 0  # a unit twice as large
    squares = [Factor(1 << 15, -13), ONE]
    assert both(*given([90, 5, 5], [90, 3, 8], squares=squares))[0] == 0


def test_the_first_of_equals_is_chosen() -> None:
    choices, weights = given([90, 4, 4], [91, 2, 2], [89, 0, 16])
    chosen, scores = both(choices, weights)
    assert chosen == 0 and scores[0] == scores[1] == scores[2] == 2**31
    backwards = replace(choices, candidates=choices.candidates[::-1])
    assert both(backwards, weights)[0] == 0


def test_nothing_judged_is_the_first() -> None:
    assert both(*given([0, 0, 0], [0, 0, 0])) == (0, [0, 0])
    assert both(*given([0, 0, 0], [7, 0, 1]))[0] == 1
    choices, weights = given([0, 5], [0, 6])
    nothing = replace(choices, candidates=candidates(choices.judge, [], []))
    assert both(nothing, weights) == (0, [0, 0])


def test_a_layer_far_below_the_largest_adds_nothing() -> None:
    choices, weights = given([40, 1], [40 + 31, 1], [40 + 32, 1], [40 + 33, 1])
    assert both(choices, weights)[1] == [0, 2**29, 2**30, 2**31]
    close = replace(choices, candidates=choices.candidates[:2])
    assert both(close, weights)[1] == [1, 2**31]  # the last bit that counts


FULL = 2**32 - 1


def test_sums_of_full_channels_do_not_overflow() -> None:
    """Beyond what SPEC 15 leaves, as restored bytes may be."""
    full = [FULL, *[FULL] * 65_536]
    most = Factor(65535, 511)
    choices, weights = given(full, [FULL, FULL], squares=[most, most])
    chosen, scores = both(choices, weights)
    assert chosen == 0 and scores[0] > scores[1] > 0
    layers = [JudgedLayer("layer", 1)] * 20_000  # a score above 2^32
    many = replace(choices, candidates=candidates(choices.judge, layers[:1], layers))
    assert both(many, weights)[1][1] == 20_000 * both(many, weights)[1][0] > 2**32


def test_units_beyond_the_last_are_the_last() -> None:
    choices, weights = given([1024, 5], [1025, 5], [FULL, 5], [1023, 5])
    scores = both(choices, weights)[1]
    assert scores[0] == scores[1] == scores[2] == 2 * scores[3]


# ---- Shares --------------------------------------------------------------------------------------


def shared(d: Statistic, mask: Sequence[bool], share: int = ALL // 4) -> int:
    """The score of a layer with P 2^31 of which the channels of a mask are trained."""
    choices, weights = given([90, 1], d)
    layer = JudgedLayer("layer", 0, share, 1, tuple(mask))
    choices = replace(
        choices, candidates=candidates(choices.judge, [JudgedLayer("all", 0)], [layer])
    )
    whole, part = both(choices, weights)[1]
    assert whole == 2**31
    return part


def test_a_share_is_that_of_its_channels() -> None:
    half = [True, False] * 4
    assert shared([3, *range(8)], half) == 2**15 * (ALL * 12 // 28)
    assert shared([3, *range(8)], [True] * 8) == 2**31
    assert shared([3, *range(8)], [False] * 8) == 0
    assert shared([3, *[0] * 8], half) == 2**29  # nothing was judged: the share of channels
    assert shared([3, *[0] * 7, 9], half) == 0


def test_shares_of_large_sums_are_shifted() -> None:
    for total in (65_535, 65_536, 65_537, 2**17 - 1, 2**31, FULL):
        for part in (0, 1, total // 3, total - 1, total):
            found = shared([0, part, total - part], [True, False])
            n = max(0, total.bit_length() - 16)
            assert found == 2**15 * (ALL * (part >> n) // (total >> n))
    some, all_ = (FULL * n >> 31 for n in (10_000, 30_000))  # of 47 bits
    found = shared([0, *[FULL] * 30_000], [True] * 10_000 + [False] * 20_000)
    assert found == 2**15 * (ALL * some // all_)


def test_a_constant_share() -> None:
    choices, weights = given([90, 1])
    layers = [[JudgedLayer("layer", 0, share)] for share in (ALL, ALL // 3, 1, 0)]
    choices = replace(choices, candidates=candidates(choices.judge, *layers))
    assert both(choices, weights)[1] == [2**31, 2**15 * (ALL // 3), 2**15, 0]


def draws(count: int) -> Iterator[tuple[Choices, bytes]]:
    for seed in range(count):
        random = np.random.default_rng(seed)
        widths = random.integers(1, 40, random.integers(1, 6))
        tops = 2.0 ** random.integers(0, 33, len(widths))
        statistics = [
            [int(random.integers(0, 256)), *(random.random(n) * top).astype(np.int64).tolist()]
            for n, top in zip(widths, tops, strict=True)
        ]
        squares = [
            Factor(int(random.integers(2**15, 2**16)), int(random.integers(-40, 10)))
            for _ in widths
        ]
        choices, weights = given(*statistics, squares=squares)
        yield replace(choices, candidates=_drawn(random, choices)), weights


def _drawn(random: np.random.Generator, choices: Choices) -> tuple[Candidate, ...]:
    def layer() -> JudgedLayer:
        made, part = (int(random.integers(len(choices.maps))) for _ in range(2))
        mask = tuple(bool(b) for b in random.integers(0, 2, choices.maps[part].channels))
        share = int(random.integers(0, ALL + 1))
        return JudgedLayer("layer", made, share, part, mask if random.random() < 0.6 else None)

    drawn = [[layer() for _ in range(random.integers(0, 5))] for _ in range(random.integers(1, 5))]
    return candidates(choices.judge, *drawn)


def test_library_and_reference_agree_on_random_statistics() -> None:
    chosen = [both(*one)[0] for one in draws(50)]
    assert set(chosen) == {0, 1, 2, 3}


# ---- What cannot be chosen -----------------------------------------------------------------------


def test_no_candidates_and_another_session_are_refused() -> None:
    choices, _ = given([90, 1], [90, 2])
    message = "there is nothing to choose from, or the session is not the judge's"
    empty = HostChooser(replace(choices, candidates=()))
    other = HostChooser(choices)
    other.session = HostSession(choices.judge)  # of another table
    for chooser in (empty, other):
        for call in (chooser.begin, chooser.choose):
            with pytest.raises(TinyflashError, match=message):
                call()


def test_begin_clears_the_statistic_and_nothing_else() -> None:
    choices, weights = given([90, 1, 2], [5, 5], [91, FULL])
    two = replace(choices, maps=(choices.maps[0], choices.maps[2]), candidates=())
    two = replace(two, candidates=candidates(choices.judge, [JudgedLayer("layer", 1)]))
    chooser = HostChooser(two)
    chooser.begin()
    assert chooser.session.weights == bytes(12) + weights[12:20] + bytes(8)
    assert chooser.choose() == 0


# ---- One block of memory -------------------------------------------------------------------------


def test_a_block_is_as_large_as_its_spaces_in_words() -> None:
    program = replace(learner().program, weights=learner().program.weights + b"odd")
    table = Table(program)
    sizes = (len(program.weights), len(program.state), program.arena_bytes)
    need = sum(-(-size // 4) * 4 for size in sizes[:2]) + sizes[2]
    block, session = ffi.new("uint32_t[]", need // 4 + 2), ffi.new("tiny_session *")

    def bound(place: object, size: int) -> int:
        return int(lib.tiny_choose_init(session, table.model, place, size))

    for refused in ((ffi.NULL, need), (block, need - 1), (block, 4), (block, 0)):
        assert bound(*refused) == lib.TINY_ERROR_MEMORY
    assert bound(ffi.cast("uint8_t *", block) + 2, need) == lib.TINY_ERROR_MEMORY  # not aligned
    assert session.model == ffi.NULL
    block[need // 4] = 12345
    assert bound(block, need) == lib.TINY_OK
    at = [int(ffi.cast("uintptr_t", session.base[space])) for space in (1, 2, 3)]
    start = int(ffi.cast("uintptr_t", block))
    assert [place - start for place in at] == [0, len(program.weights) + 1, need - sizes[2]]
    assert ffi.buffer(block)[: sizes[0]] == program.weights
    assert ffi.buffer(block)[at[1] - start :][: sizes[1]] == program.state
    lib.tiny_train(session, 0, {"mantissa": 1 << 15, "exponent": -20})
    assert block[need // 4] == 12345  # nothing behind it has changed
