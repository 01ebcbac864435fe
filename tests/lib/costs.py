"""Measures what kernels cost, and fits the table of compiler/kernels/costs.py to it.

    python -m tests.lib.costs qemu_stm32f405 qemu_mps3_an547        prints the table

Instructions of single kernels in the emulator. CMSIS-NN's pack must be there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.lib.build import count_on_board
from tests.lib.case import Case
from tests.lib.cases import conv2d, depthwise, fully_connected, pool
from tests.lib.emit import batches, write_batch
from tests.lib.subject import Build, Data, Shape, subject
from tests.support.graphs import Layer, Net

from tinyflash.boards import Board, kernels_for, load_board
from tinyflash.compiler.kernels.costs import KERNELS, features
from tinyflash.graph import Clip, Window


def shapes(seed: int, count: int) -> Iterator[tuple[str, Build, Shape]]:
    """Layers as networks have them, of each kernel: its name, how to build one, the shape of x."""
    rng = np.random.default_rng(seed)
    for kernel in KERNELS:
        for _ in range(count):
            side = int(rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12)))
            channels = int(rng.choice((1, 3, 4, 7, 8, 16, 21, 32, 48, 96)))
            taps, stride = int(rng.choice((2, 3, 3, 5, 7))), int(rng.choice((1, 1, 2)))
            out = int(rng.choice((2, 5, 8, 16, 24, 40)))
            if kernel == "conv2d_forward":
                channels = min(channels, 32)
            yield kernel, _build(kernel, side, channels, taps, stride, out), (side, side, channels)


def _build(kernel: str, side: int, channels: int, taps: int, stride: int, out: int) -> Build:
    half = taps // 2
    window = Window((taps, taps), (stride, stride), (1, 1), (half, half, half, half))
    if taps == 2 or kernel.endswith("pool_forward"):
        taps = min(taps, side)
        window = Window((taps, taps), (stride, stride))
    return {
        "conv2d_forward": conv2d(window, Layer(), out),
        "depthwise_forward": depthwise(window, Layer()),
        "fully_connected_forward": fully_connected(Layer(), out),
        "add_forward": _two("add", channels),
        "mul_forward": _two("mul", channels),
        "average_pool_forward": pool("average_pool", window, Clip()),
        "max_pool_forward": pool("max_pool", window, Clip()),
    }[kernel]


def _two(op: str, channels: int) -> Build:
    def build(net: Net, x: str) -> str:
        other = net.conv2d(x, channels, Window((1, 1)), Layer())
        return net.add(x, other) if op == "add" else net.mul(x, other)

    return build


def cases(seed: int, count: int) -> list[Case]:
    """One case for each shape, of its kernel."""
    found = []
    for number, (kernel, build, shape) in enumerate(shapes(seed, count)):
        one = subject(f"{kernel} {number}", build, shape, 0)
        found.append(next(c for c in reversed([*one.cases(Data())]) if c.row.kernel == kernel))
    return found


def counted(wanted: Sequence[Case], board: Board) -> list[dict[str, int]]:
    """The instructions of each case, by the sets that suit it."""
    sets = kernels_for(board)
    mine = [(i, s, case) for i, c in enumerate(wanted) for s in sets if (case := _of(c, s))]
    numbers: list[int] = []
    with tempfile.TemporaryDirectory() as private:
        for index, batch in enumerate(batches(case for _, _, case in mine)):
            write_batch(batch, Path(private, str(index)))
            numbers += count_on_board(Path(private, str(index)), board)
    found: list[dict[str, int]] = [{} for _ in wanted]
    for (i, name, _), number in zip(mine, numbers, strict=True):
        found[i][name] = number
    return found


def _of(case: Case, name: str) -> Case | None:
    return case if name == "ref" else case.by(name)


def fit(wanted: Sequence[Case], found: Sequence[dict[str, int]]) -> Iterator[str]:
    """The lines of the table: factors of the features, none of them negative, that come closest."""
    for kernel in KERNELS:
        rows = [(c, n) for c, n in zip(wanted, found, strict=True) if c.row.kernel == kernel]
        for name in sorted({name for _, numbers in rows for name in numbers}):
            own = [(features(name, kernel, c.graph, c.node), n[name]) for c, n in rows if name in n]
            factors = ", ".join(f"{f:.2f}" for f in _least_squares(own))
            yield f'    ("{name}", "{kernel}"): ({factors}),'


def _least_squares(own: Sequence[tuple[tuple[int, ...], int]]) -> list[float]:
    """Relative errors count. Features with a negative factor are left out, the worst one first."""
    matrix = np.array([[x / y for x in features] for features, y in own])
    kept = list(range(matrix.shape[1]))
    while True:
        factors, *_ = np.linalg.lstsq(matrix[:, kept], np.ones(len(own)), rcond=None)
        if factors.min() >= 0:
            return [
                float(factors[kept.index(i)]) if i in kept else 0.0 for i in range(matrix.shape[1])
            ]
        del kept[int(factors.argmin())]


if __name__ == "__main__":
    for board_name in sys.argv[1:]:
        own = load_board(board_name)
        one = replace(own, kernels=("cmsis_nn", *own.kernels))
        drawn = cases(seed=1, count=30)
        print(f"# {board_name}", *fit(drawn, counted(drawn, one)), sep="\n")
