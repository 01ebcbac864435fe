"""Every operator has an entry in every table that needs one, and no table has another one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import networks
from tests.support.random_graphs import NEWER, random_graph

from tinyflash.bench.accuracy import operators as in_torch
from tinyflash.compiler import compile_model
from tinyflash.compiler.lower import rules as lowering
from tinyflash.compiler.passes import differentiate
from tinyflash.compiler.plan import rows
from tinyflash.compiler.plan.check import _BANDED, _MAY_OVERWRITE, _ROW_BY_ROW, _VIEWS, _WINDOWS
from tinyflash.compiler.verify import operands, shapes
from tinyflash.operators import NETWORK, OPERATORS, WEIGHTED, Operator
from tinyflash.paths import source_root
from tinyflash.program import SOURCE
from tinyflash.quantize import floatgraph
from tinyflash.quantize.floatgraph import run as in_float
from tinyflash.read import read
from tinyflash.reference import environment
from tinyflash.reference import operators as reference
from tinyflash.write import tflite

ALL = set(OPERATORS)
IN_A_FILE = set(NETWORK) - {"source"}  # which row_source adds
# Of the random networks: together they have every operator.
SEEDS = (12, 29, 33, 56, *(NEWER + n for n in (5, 6, 10, 14, 42)))


def those(holds: Callable[[Operator], object]) -> set[str]:
    """Names of the operators that a fact holds of."""
    return {name for name, operator in OPERATORS.items() if holds(operator)}


def roles(operator: Operator) -> set[str]:
    """All roles, bare."""
    return {role.strip("[]?*") for role in f"{operator.inputs} {operator.outputs}".split()}


# ---- The table itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
def test_facts_agree_with_each_other(name: str) -> None:
    facts = OPERATORS[name]
    assert facts.weighted or not facts.depthwise
    assert facts.clipped or not facts.saturates
    assert facts.same_unit or not facts.moves
    assert not facts.weighted or {"w", "w_frozen", "b"} <= roles(facts)
    assert {*facts.in_place, *([facts.view_of] if facts.view_of else [])} <= roles(facts)
    assert not (facts.view_of and (facts.in_place or facts.banded))
    assert facts.stage in ("network", "saved") or not facts.banded
    assert ("dx" in roles(facts)) == (facts.stage == "gradient")
    assert facts.has_effect == (facts.stage in ("loss", "update"))


def test_derived_operators_are_named_after_their_forward_operator() -> None:
    suffix = {"gradient": "backward_input", "update": "update"}
    for name in those(lambda o: o.forward):
        facts = OPERATORS[name]
        assert name == f"{facts.forward}_{suffix[facts.stage]}"
        assert facts.forward in IN_A_FILE
    assert those(lambda o: o.stage == "gradient" and not o.forward) == {"gradient_add"}
    assert those(lambda o: o.stage == "update" and not o.forward) == {
        *("advance", "bias_update", "fisher")
    }


def test_operands() -> None:
    assert OPERATORS["conv2d"].operands(1) == ("x",)
    assert OPERATORS["add"].operands(2) == ("a", "b")
    assert OPERATORS["concatenate"].operands(3) == ("x0", "x1", "x2")


# ---- The compiler's tables -----------------------------------------------------------------------


def test_every_operator_of_a_network_has_a_gradient() -> None:
    assert set(differentiate.RULES) == IN_A_FILE
    derived = {facts.forward for facts in OPERATORS.values() if facts.stage == "gradient"}
    # The gradient of a sum is that of both operands; a log-softmax passes none.
    assert IN_A_FILE - derived == {"add", "log_softmax"}
    assert {f.forward for f in OPERATORS.values() if f.stage == "update"} - {""} == set(WEIGHTED)


def test_every_operator_is_lowered() -> None:
    assert set(lowering.RULES) == ALL


def test_every_operator_that_is_streamed_says_which_rows_it_reads() -> None:
    assert those(lambda o: o.banded) - {"source"} <= set(rows.RULES) <= ALL


def test_every_kernel_is_called_and_declared() -> None:
    text = (source_root() / "include/tinyflash/ops.h").read_text()
    declared = set(re.findall(r"TINY_OP\((\w+)\);", text))
    called, made = set(), set()
    for seed in SEEDS:
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, row_source=seed == SEEDS[0])
        assert compiled.train is not None
        called |= {row.kernel for row in (*compiled.program.infer, *compiled.program.train)}
        made |= {n.op for p in (compiled.infer, compiled.train) for n in p.graph.nodes}
    assert made == ALL
    assert called == declared | {SOURCE}


# ---- Files, and float networks -------------------------------------------------------------------


def test_every_operator_of_a_network_is_read_and_written(tmp_path: Path) -> None:
    found = set()
    for make in networks.NETWORKS.values():
        (tmp_path / "net.tflite").write_bytes(make())
        found |= {node.op for node in read(tmp_path / "net.tflite").nodes}
    assert found == IN_A_FILE
    assert set(tflite.RULES) == IN_A_FILE


def test_every_operator_of_a_network_runs_in_float() -> None:
    assert set(in_float.RULES) == set(floatgraph.graph.OPERATORS)
    assert set(in_torch.RULES) == IN_A_FILE


# ---- The judges: they say by themselves what they hold the compiler to ---------------------------


def test_the_judges_take_nothing_but_roles_from_the_table() -> None:
    package = source_root() / "python" / "tinyflash"
    verify, reference = (package / f for f in ("compiler/verify", "reference"))
    files = [*verify.rglob("*.py"), *reference.rglob("*.py")]
    assert len(files) > 10
    for file in (package / "compiler" / "plan" / "check.py", *files):
        taken = set(re.findall(r"\.operator\.(\w+)", file.read_text()))
        assert taken <= {"inputs", "outputs"}, file
        assert "WEIGHTED" not in file.read_text(), file


def test_verify_knows_every_operator() -> None:
    assert set(shapes.RULES) == ALL
    assert set(operands._BIASED) == those(lambda o: "b" in roles(o) and "a" not in roles(o))
    assert set(operands._TABLES) == those(lambda o: "table" in roles(o))


def test_the_reference_computes_every_operator() -> None:
    assert set(reference.FORWARD) == set(NETWORK)
    assert set(reference.OPERATORS) == ALL
    assert set(environment.LAYERS) == set(WEIGHTED)


def test_the_check_of_plans_allows_what_the_planner_does() -> None:
    in_place = {name: set(OPERATORS[name].in_place) for name in those(lambda o: o.in_place)}
    assert in_place == _MAY_OVERWRITE
    assert {n: OPERATORS[n].view_of for n in those(lambda o: o.view_of)} == _VIEWS
    assert set(_BANDED) == those(lambda o: o.banded)
    assert set(_ROW_BY_ROW) | set(_WINDOWS) <= set(rows.RULES)
