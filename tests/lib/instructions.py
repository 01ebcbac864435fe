"""Measures what calls of kernels take, and fits compiler/kernels/instructions.csv to it.

    python -m tests.lib.instructions --counts build/counts [NAME.tflite NAME.toml ...]

Counts the calls of networks in the emulator, on a board of each core: of random ones, and of those
that are named with their schemes. A kernel that these call rarely is also fitted to the cases of
the kernel tests, many of which are made to be difficult. Prints the table: factors such that no
call took more than they say, and as close as such factors come. A folder of counts is gone on with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.lib.bands import banded
from tests.lib.calls import counted_calls
from tests.lib.case import Case, height_of
from tests.lib.cases import (
    all_cases,
    conv2d,
    joined,
    maximum_of_maps,
    minimum_of_maps,
    sloped,
    softmax,
)
from tests.lib.costs import counted
from tests.lib.random_subjects import FAMILIES, Draw, random_subject
from tests.lib.subject import Build, Data, Shape, Subject, subject
from tests.support.compilers import path_of_stand_ins
from tests.support.graphs import Layer, Net
from tests.support.row_graphs import row_graph

from tinyflash.boards import load_board
from tinyflash.compiler import Prepared, compile_model, prepare
from tinyflash.compiler.costs import multiply_adds
from tinyflash.compiler.kernels.instructions import M4, M55, features
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.compiler.plan.rows import rows
from tinyflash.graph import Window
from tinyflash.program import Space
from tinyflash.read import read
from tinyflash.scheme import load_scheme

BOARDS = {M4: load_board("qemu_stm32f405"), M55: load_board("qemu_mps3_an547")}
SETS = {M4: (("dsp", "ref"), ("ref",)), M55: (("mve", "ref"), ("ref",))}
RANDOM = 6  # networks
MANY = 40  # calls of a kernel in networks, which then suffice
CASE_BYTES = 36_000  # of memory of a case, so that the smaller board holds it
SMALL_BYTES = 2500
MOST_CASES = 36  # of each kernel, as many small ones and large ones
MOST_PRODUCTS = 600_000  # of one layer
DRAWS = 24  # of each family
MARGIN = 1.1  # for calls that are not among the counted ones
ROUNDS = 8  # of the fit
LARGE = 0.25  # power of a count: how much more large ones weigh
FAR = 1.5  # power of its distance: how much less a call weighs that is far below

Pair = tuple[Sequence[float], int]
Counts = dict[str, list[Pair]]  # by set and kernel


def networks(named: Sequence[Path]) -> Iterator[tuple[str, Prepared]]:
    for seed in range(RANDOM):
        yield f"random {seed}", prepare(*row_graph(seed))
    for model, scheme in zip(named[::2], named[1::2], strict=True):
        yield model.stem, prepare(read(model), load_scheme(scheme))


def count(core: str, network: Prepared) -> Counts:
    """The features and the instructions of each call, by set and kernel; none of a network that the
    board has no room for."""
    found: Counts = defaultdict(list)
    for sets in SETS[core]:
        with tempfile.TemporaryDirectory() as folder:
            compiled = compile_model(network, kernels=sets)
            try:
                calls = counted_calls(compiled, BOARDS[core], Path(folder))
            except AssertionError as error:
                if "will not fit" not in str(error):
                    raise
                continue
        for call in calls:
            name = f"{call.row.kernel_set} {call.row.kernel}"
            found[name].append((features(call.graph, call.node, call.rows), call.took))
    return found


def fit(pairs: Sequence[Pair]) -> list[float]:
    """Factors, none of them negative, whose sums are nowhere below the counts, and close to most of
    them, above all to the large ones. A call that data or padding spare most of the work counts
    little, since it is far below."""
    counts = np.array([count for _, count in pairs], float)
    matrix = np.array([x for x, _ in pairs], float) / counts[:, None]
    scales = matrix.max(0)
    used = scales > 0
    scaled = matrix[:, used] / scales[used]
    weights = counts**LARGE
    for _ in range(ROUNDS):
        found = _covering(scaled, weights @ scaled)
        weights = counts**LARGE / (scaled @ found) ** FAR
    factors = np.zeros(len(scales))
    factors[used] = found / (scaled @ found).min() / scales[used]
    return [float(f * MARGIN) for f in factors]


def _covering(matrix: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Returns the f >= 0 with matrix f >= 1 whose costs f are least: the prices of the dual, z >= 0
    with z matrix <= costs and the largest sum, which the simplex method solves from z = 0."""
    rows, columns = matrix.shape
    table = np.zeros((columns + 1, rows + columns + 1))
    table[:-1, :rows], table[:-1, rows:-1] = matrix.T, np.eye(columns)
    table[:-1, -1], table[-1, :rows] = costs / costs.max(), -1
    for step in range(20_000):
        gains = np.flatnonzero(table[-1, :-1] < -1e-9)
        if len(gains) == 0:
            return table[-1, rows:-1].copy()
        # the largest gain; after a while the first one, which cannot run in circles
        column = int(np.argmin(table[-1, :-1])) if step < 2_000 else int(gains[0])
        ratios = np.full(columns, np.inf)
        positive = table[:-1, column] > 1e-12
        ratios[positive] = table[:-1, -1][positive] / table[:-1, column][positive]
        row = int(np.argmin(ratios))
        table[row] /= table[row, column]
        others = np.arange(columns + 1) != row
        table[others] -= np.outer(table[others, column], table[row])
    raise AssertionError("the fit does not end")


# ---- Cases of single kernels --------------------------------------------------------------------


class Large(Draw):
    """Shapes of the layers of networks, rather than of corner cases."""

    def shape(self) -> Shape:
        side = self.one_of(4, 6, 8, 12, 16, 24, 32)
        channels = self.one_of(3, 8, 10, 16, 24, 32, 48, 64, 96)
        return side, self.one_of(side, side, 1 + side // 2), channels


def _others(draw: Draw) -> Iterator[tuple[str, Build, Shape]]:
    """Layers of kernels that no family draws."""
    shape = draw.shape()
    flat = (shape[0], 1, shape[2])
    yield "softmax", softmax(1.0), flat
    yield "log_softmax", Net.log_softmax, flat
    yield "prelu", sloped(draw.one_of(1, 3)), shape
    yield "minimum", minimum_of_maps, shape
    yield "maximum", maximum_of_maps, shape
    yield "parts", joined(draw.number(0, 2)), shape
    yield "pad", lambda net, x: net.pad(x, (1, 1, 0), (1, 1, 0)), shape
    yield "transpose", lambda net, x: net.transpose(x, (2, 0, 1)), shape


def _subjects() -> Iterator[Subject]:
    for name, family in FAMILIES.items():
        for number in range(DRAWS):
            for kind in (Draw, Large):
                title = f"instructions of {name} {number} {kind.__name__}"
                yield random_subject(family, kind(title), title)
    for number in range(DRAWS // 2):
        for name, build, shape in _others(Large(f"others {number}")):
            yield subject(f"{name} {number}", build, shape)


def _judged() -> Iterator[Case]:
    """Maps whose channels are judged, which no family draws. Gradients of any exponent: a unit that
    grows halves all channels, most often in the first step, from zeros on."""
    for number in range(DRAWS):
        draw = Large(f"judged {number}")
        height, width, _ = draw.shape()
        build = conv2d(Window((1, 1)), Layer(), draw.one_of(1, 2, 6, 8, 16, 24, 32, 48, 64, 96))
        one = subject(f"judged {number}", build, (height, width, 2), judged=True)
        data = Data(draw.one_of("random", "largest"), e_dy=draw.one_of(-14, -9, -4, 15))
        for case in one.cases(data, "fisher"):
            yield case
            yield replace(case, before={**case.before, Space.WEIGHTS: _zeros(case)})


def _zeros(case: Case) -> bytes:
    return bytes(len(case.before[Space.WEIGHTS]))


def _is_moderate(one: Subject) -> bool:
    graph = one.graph
    most = max(multiply_adds(graph, node) for node in graph.nodes)
    return most <= MOST_PRODUCTS and sum(t.nbytes for t in graph.tensors.values()) < 4 * CASE_BYTES


def cases() -> list[Case]:
    """Those of the kernel tests, and layers as networks have them, whole and in bands."""
    found = list(all_cases())
    for one in filter(_is_moderate, _subjects()):
        ops = {node.op for node in one.graph.nodes} - {"concatenate"}  # which is several copies
        found += one.cases(Data(), *ops)
        found += banded(one)
    found += _judged()
    kinds: dict[tuple[str, bool], list[Case]] = defaultdict(list)
    for case in found:
        size = len(case.flash) + case.scratch + sum(map(len, case.before.values()))
        if size < CASE_BYTES:
            kinds[case.row.kernel, size < SMALL_BYTES].append(case)
    return [case for some in kinds.values() for case in some[:: -(-len(some) // MOST_CASES)]]


def _work(case: Case) -> tuple[float, ...]:
    """The features of a case. A kernel without bands computes all rows, whatever its band says."""
    total = rows_computed(case.graph, case.node)
    in_part = rows(case.graph, case.node).cut and height_of(dict(case.record.fields)) == total
    return features(case.graph, case.node, case.band[1] if in_part else total)


def count_cases(core: str) -> Counts:
    """As `count`, of cases."""
    found: Counts = defaultdict(list)
    wanted = cases()
    numbers = counted(wanted, replace(BOARDS[core], kernels=SETS[core][0]))
    for case, by_set in zip(wanted, numbers, strict=True):
        for name, number in by_set.items():
            found[f"{name} {case.row.kernel}"].append((_work(case), number))
    return found


# ---- The table ----------------------------------------------------------------------------------


def table(core: str, counts: Mapping[str, Sequence[Pair]]) -> Iterator[str]:
    """The lines of a core. Prints how far above the counts they are."""
    for name, pairs in sorted(counts.items()):
        factors = fit(pairs)
        ratios = np.array([np.dot(factors, x) / y for x, y in pairs])
        text = f"{ratios.min():.2f}, {np.median(ratios):.2f}, {ratios.max():.1f}"
        print(f"{core} {name}: {len(pairs)} calls, {text}", file=sys.stderr)
        yield ",".join((core, *name.split(), *(f"{f:.4g}" for f in factors)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", type=Path)
    parser.add_argument("--counts", type=Path, required=True)
    parser.add_argument("--core", choices=BOARDS, action="append")
    asked = parser.parse_args()
    for core in asked.core or BOARDS:
        called: Counts = defaultdict(list)
        with tempfile.TemporaryDirectory() as compilers:
            os.environ["PATH"] = path_of_stand_ins(Path(compilers, "bin"))
            for name, network in networks(asked.networks):
                path = asked.counts / f"{core} {name}.json"
                if not path.exists():
                    path.write_text(json.dumps(count(core, network)))
                    print(core, name, file=sys.stderr, flush=True)
                for kernel, pairs in json.loads(path.read_text()).items():
                    called[kernel] += pairs
            path = asked.counts / f"{core} cases.json"
            if not path.exists():
                path.write_text(json.dumps(count_cases(core)))
            single = json.loads(path.read_text())
        rare = {kernel for kernel in single if len(called[kernel]) < MANY}
        every = {k: called[k] + (single[k] if k in rare else []) for k in single}
        print(*table(core, every), sep="\n", flush=True)


if __name__ == "__main__":
    main()
