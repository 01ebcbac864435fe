"""The most instructions of a call, as the compiler states them, hold in the emulator; and a bound
cuts calls without a change of any byte."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.agree.test_rows import check_alike
from tests.lib.calls import counted_calls
from tests.support.commands import refused, tinyflash

from tinyflash.boards import Board, load_board
from tinyflash.compiler import Prepared, compile_model, prepare
from tinyflash.compiler.longest import Bound
from tinyflash.demo import task as tasks
from tinyflash.errors import ModelError
from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Rule, Scheme, scheme
from tinyflash.scheme.rules import ALL_LAYERS
from tinyflash.show.report.summary import longest_call
from tinyflash.zoo.networks import path_of

NETWORKS = ("digits", "activity", "person")
BOARDS = [load_board(f"qemu_{name}") for name in ("stm32f405", "mps2_an505", "mps3_an547")]
CLOSE = 3  # of the longest call: what the compiler states, to what it takes


@cache
def graph_of(name: str) -> Graph:
    return tasks.load_task(0)[0] if name == "person" else read(path_of(name))


@cache
def network(name: str) -> Prepared:
    """A network of the zoo with the scheme of its task; the activity network trains more, and its
    channels are judged."""
    if name == "activity":
        rules = (Rule(last=3, weights=0.5, bias=True),)
        return prepare(graph_of(name), Scheme(rules=rules, fisher=ALL_LAYERS))
    return prepare(graph_of(name), scheme("person_faces" if name == "person" else name))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_no_call_takes_more_than_stated(board: Board, name: str, tmp_path: Path) -> None:
    calls = counted_calls(compile_model(network(name), kernels=board.kernels), board, tmp_path)
    above = [call for call in calls if call.stated is None or call.took > call.stated]
    assert not above, [(c.row.symbol, c.node.name, c.took, c.stated) for c in above]
    longest = max(call.took for call in calls)
    stated = max(call.stated or 0 for call in calls)
    print(f"{board.name} {name}: {longest:,} instructions, {stated:,} stated")
    assert stated <= CLOSE * longest


HEAD = (Rule(last=1, weights=1.0, bias=True),)
BIASES = (Rule(last=4, weights=0.0, bias=True), *HEAD)
# Networks, the rules that they are trained by, and whether they read their input by rows.
CUT = {
    "digits, inference": ("digits", (), False),
    "person, the head": ("person", HEAD, False),
    "person by rows, biases": ("person", BIASES, True),
}


@pytest.mark.parametrize("name", CUT)
def test_a_bound_holds_and_changes_no_byte(name: str, tmp_path: Path) -> None:
    """The lowest one that the calls which cannot be cut allow."""
    board, (model, rules, by_rows) = BOARDS[0], CUT[name]
    graph, head = graph_of(model), network(model).scheme.head
    prepared = prepare(graph, Scheme(rules=rules, head=head) if rules else None)
    options = {"row_source": by_rows, "kernels": board.kernels}
    plain = compile_model(prepared, **options)
    limit = least(prepared, **options)
    cut = compile_model(prepared, longest_call=Bound(limit), **options)
    before, after = (len(c.program.infer_calls + c.program.train_calls) for c in (plain, cut))
    assert after > before
    assert cut.program.hash == plain.program.hash
    took = [
        max(c.took for c in counted_calls(one, board, tmp_path / n))
        for n, one in (("plain", plain), ("cut", cut))
    ]
    print(f"{name}: at most {limit:,}, {took[1]:,} instead of {took[0]:,}, {before} calls, {after}")
    assert took[1] <= limit < took[0]
    if rules:
        check_alike(cut.program, plain.program, seed=1)
    else:
        x = np.random.default_rng(1).integers(-128, 128, plain.program.input_bytes, dtype=np.int8)
        first, second = (HostSession(one.program).infer(x) for one in (plain, cut))
        assert np.array_equal(first, second)


def least(prepared: Prepared, **options) -> int:
    """The lowest bound that the calls allow, as the refusal of a lower one says."""
    with pytest.raises(ModelError, match=r"longest call: .* takes up to") as caught:
        compile_model(prepared, longest_call=Bound(1), **options)
    found = re.search(r"takes up to ([\d,]+) instructions", str(caught.value))
    assert found is not None
    return int(found[1].replace(",", ""))


def test_what_cannot_be_cut_is_named() -> None:
    """Kernels of the backward part compute all rows at once."""
    with pytest.raises(ModelError, match=r"_(update|backward_input) \S+, which cannot be cut"):
        compile_model(network("digits"), longest_call=Bound(100_000))


def test_kernels_that_were_not_counted() -> None:
    with pytest.raises(ModelError, match="are not known for a cortex-m0; choose others"):
        compile_model(network("digits"), longest_call=Bound(10**9, "cortex-m0"))
    assert longest_call(compile_model(network("digits")), "cortex-m0") is None


def test_the_command_says_what_the_longest_call_is(tmp_path: Path) -> None:
    model = path_of("digits")
    result = tinyflash("compile", model, "-o", tmp_path / "out")
    pattern = r"The longest call, (\S+ \S+) in the table to infer, takes up to ([\d,]+) instruc"
    found = re.search(pattern, result.stdout)
    assert found is not None, result.output
    most = int(found[2].replace(",", ""))
    bound = ("--longest-call", most // 2)
    assert tinyflash("compile", model, *bound, "-o", tmp_path / "cut").exit_code == 0
    said = refused("compile", model, "--longest-call", 10, "-o", tmp_path / "cut")
    assert re.match(r"longest call: \S+ \S+, (one row|which cannot be cut), takes up to", said), (
        said
    )
