"""tinyflash infer: runs a model on this computer or on a board; both give the same bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import BinaryIO

import click
import numpy as np

from tinyflash.boards import kernels_for, load_board
from tinyflash.cli import options
from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.plan import Effort
from tinyflash.files import write_atomically
from tinyflash.read import read
from tinyflash.runtime.units import decode
from tinyflash.scheme import load_scheme
from tinyflash.show.console import counting, say
from tinyflash.show.words import counted
from tinyflash.training.open import Ready, Running, open_session
from tinyflash.training.samples import load_inputs


@click.command(cls=options.Command)
@options.model
@click.argument("samples", type=options.PATH, metavar="X.npy")
@options.chosen
@options.scheme
@options.rows
@options.effort
@options.where
@options.running(required=False)
@options.as_json
@options.output_file("The .npy file to write the outputs to.")
def infer(
    model: Path,
    samples: Path,
    chosen: str | None,
    scheme: Path | None,
    rows: bool,
    effort: Effort,
    board: str,
    running: Running | None,
    as_json: bool,
    output: Path,
) -> None:
    """Run MODEL over the samples of X.npy.

    The first axis of X.npy is the sample. Inputs have the input type of MODEL. Outputs are raw:
    stored integers, or floats if the output of MODEL is float.

    With --board, starts the board's emulator. With --port, runs on a board with all that it has
    learned so far; give the --scheme and --rows that MODEL was compiled with.
    """
    prepared = prepare(read(model, output=chosen), load_scheme(scheme) if scheme else None)
    network = prepared.whole
    x = load_inputs(samples, network.input)
    target = None if board == "host" else load_board(board)
    sets = kernels_for(target)
    compiled = compile_model(prepared, row_source=rows, effort=effort, kernels=sets)
    ready = Ready.of(compiled, target)
    stored = np.empty((len(x), *network.output.shape[1:]), dtype=np.int8)
    with (
        tempfile.TemporaryDirectory(prefix="tinyflash-") as private,
        open_session(ready, Path(private), running=running) as session,
        counting("infer", len(x)) as listen,
    ):
        for index, sample in enumerate(x):
            stored[index] = session.infer(sample).reshape(stored.shape[1:])
            listen(index + 1)
    y = decode(network.output, stored)

    def write(file: BinaryIO) -> None:
        np.save(file, y)

    write_atomically(output, write)
    if as_json:
        about = {"output": str(output), "shape": y.shape, "dtype": str(y.dtype)}
        click.echo(json.dumps(about, indent=2))
    say(f"wrote {output}: {counted(len(y), 'output')}")
