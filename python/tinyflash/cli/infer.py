"""tinyflash infer: runs a model on this computer, bit-equal to a device."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click
import numpy as np

from tinyflash.cli import options
from tinyflash.compiler import compile_model
from tinyflash.files import write_atomically
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode
from tinyflash.show.console import counting, say
from tinyflash.training.samples import load_inputs


@click.command(cls=options.Command)
@options.model
@click.argument("samples", type=options.PATH, metavar="X.npy")
@options.chosen
@options.output_file("The .npy file to write the outputs to.")
def infer(model: Path, samples: Path, chosen: str | None, output: Path) -> None:
    """Run MODEL on this computer over the samples of X.npy.

    The first axis of X.npy is the sample. Inputs have the input type of MODEL. Outputs are raw:
    stored integers, or floats if the output of MODEL is float.
    """
    graph = read(model, output=chosen)
    x = load_inputs(samples, graph.input)
    session = HostSession(compile_model(graph, None).program)
    stored = np.empty((len(x), *graph.output.shape[1:]), dtype=np.int8)
    with counting("infer", len(x)) as listen:
        for index, sample in enumerate(x):
            stored[index] = session.infer(sample).reshape(stored.shape[1:])
            listen(index + 1)
    y = decode(graph.output, stored)

    def write(file: BinaryIO) -> None:
        np.save(file, y)

    write_atomically(output, write)
    say(f"wrote {output}: {len(y):,} outputs")
