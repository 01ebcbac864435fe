"""tinyflash export: writes a trained network as a .tflite file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.compiler import compile_model
from tinyflash.files import write_bytes
from tinyflash.read import read
from tinyflash.runtime.learned import load_learned
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.show.console import say
from tinyflash.write.tflite import write_tflite


@click.command(cls=options.Command)
@options.model
@options.chosen
@options.scheme
@options.rows
@click.option(
    "--learned",
    type=options.LEARNED,
    help="The learned.npz of a run with this scheme, or its folder.",
)
@options.as_json
@options.output_file("The .tflite file to write.", options.Network())
def export(
    model: Path,
    chosen: str | None,
    scheme: Path | None,
    rows: bool,
    learned: Path | None,
    as_json: bool,
    output: Path,
) -> None:
    """Write MODEL, with its trained weights, as an int8 .tflite file.

    TensorFlow Lite Micro computes bit-equal outputs from it. MODEL, --scheme and --rows must be the
    same as in the training. Without --learned, writes the network before training.
    """
    graph = read(model, output=chosen)
    if scheme or learned:
        rules = load_scheme(scheme) if scheme else Scheme()
        compiled = compile_model(graph, rules, row_source=rows)
        start = compiled.program.weights
        graph = compiled.learned(
            load_learned(learned, compiled.program).weights if learned else start
        )
    write_bytes(output, write_tflite(graph))
    size = output.stat().st_size
    if as_json:
        click.echo(json.dumps({"output": str(output), "bytes": size}, indent=2))
    say(f"wrote {output}: {size:,} bytes")
