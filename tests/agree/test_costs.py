"""Sets chosen by measured costs come close to the best choice, on emulated cores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.lib.costs import cases, counted

from tinyflash.boards import kernels_for, load_board
from tinyflash.boards.packs import PACKS, find_pack
from tinyflash.compiler.kernels import chosen_set, kernel_sets
from tinyflash.sources import AUTO

HERE = find_pack(PACKS["cmsis_nn"]) is not None
BOARDS = {
    "qemu_stm32f405": ("cmsis_nn", "dsp", "ref") if HERE else ("dsp", "ref"),
    "qemu_mps3_an547": ("cmsis_nn", "mve", "ref") if HERE else ("mve", "ref"),
}


@pytest.mark.parametrize("name", BOARDS)
def test_the_cheapest_is_found(name: str) -> None:
    """Of layers that the factors were not fitted to."""
    board = replace(load_board(name), kernels=BOARDS[name])
    names = kernels_for(board)
    drawn = cases(seed=2, count=5)
    found = counted(drawn, board)
    sets = kernel_sets((AUTO, *names))
    chosen = [chosen_set(c.row.kernel, c.graph, c.node, sets) for c in drawn]
    spent = sum(
        numbers[s] / min(numbers.values()) for s, numbers in zip(chosen, found, strict=True)
    )
    print(name, f"{spent / len(found):.3f} of the least, on average")
    assert spent <= 1.08 * len(found)
    by_order = [
        sum(n[next(s for s in order if s in n)] / min(n.values()) for n in found)
        for order in (names, (*reversed(names[:-1]), "ref"))
    ]
    assert spent <= min(by_order)
