"""examples/beside misses no reading of its sensor if its calls are bounded, and some if not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.lib.build import ROOT, build_for_board, run

from tinyflash.boards import load_board
from tinyflash.compiler import compile_model
from tinyflash.compiler.longest import Bound
from tinyflash.read import read
from tinyflash.scheme import load_scheme
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model
from tinyflash.zoo.networks import path_of

EXAMPLE = ROOT / "examples" / "beside"
BOARD = load_board("qemu_stm32f405")
COUNTED = ("-icount", "shift=0")


@pytest.mark.parametrize("bound", [None, Bound(110_000)], ids=["unbounded", "bounded"])
def test_readings_of_the_sensor(bound: Bound | None, tmp_path: Path) -> None:
    scheme = load_scheme(EXAMPLE / "scheme.toml")
    compiled = compile_model(
        read(path_of("digits")), scheme, kernels=BOARD.kernels, longest_call=bound
    )
    write_model(compiled, tmp_path)
    sources = [*library_sources(ROOT), EXAMPLE / "main.c", tmp_path / "model.c"]
    outcome = run(build_for_board(sources, tmp_path, BOARD), tmp_path, BOARD, options=COUNTED)
    assert outcome.status == 0, outcome.text
    said = {k: int(v) for k, v in re.findall(r"^([a-z ]+): (\d+)$", outcome.text, re.MULTILINE)}
    print(said)
    assert said["training steps"] == 4
    assert said["readings taken"] > 10
    assert (said["readings missed"] == 0) == (bound is not None)
