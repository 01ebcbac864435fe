"""tinyflash quantize: converts a float network to an int8 file, the input of all other commands."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.compiler.preconditions import check_sums
from tinyflash.errors import listed, warn
from tinyflash.files import write_bytes, write_json
from tinyflash.graph import Graph
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.error import LayerError, hold_out, layer_errors
from tinyflash.quantize.ranges import RULES, Rule
from tinyflash.read import read, read_floats
from tinyflash.read.endings import reason_of
from tinyflash.show.console import output as terminal
from tinyflash.show.console import say, table
from tinyflash.training.samples import load_calibration
from tinyflash.write.tflite import write_tflite


@click.command("quantize", cls=options.Command)
@options.model
@options.chosen
@click.option(
    "--calibration",
    type=options.PATH,
    help="Calibration samples: an .npy file, or an .npz file with x. First axis: samples. Layout: "
    "as MODEL reads them. An already quantized model needs none.",
)
@click.option(
    "--ranges",
    type=click.Choice(RULES),
    default=Settings.ranges,
    show_default=True,
    help="Rule that chooses ranges.",
)
@click.option(
    "--errors",
    type=options.OUTPUT,
    help="Write the error of every layer to this .json file.",
)
@click.option(
    "--no-compare",
    is_flag=True,
    help="Do not compare what is read of MODEL with ONNX's own evaluation of it. Use it where that "
    "takes too long.",
)
@options.output_file("The int8 network (.tflite).", options.Network())
@options.as_json
def quantize_(
    model: Path,
    chosen: str | None,
    calibration: Path | None,
    ranges: Rule,
    errors: Path | None,
    no_compare: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Convert MODEL, a float .onnx or .tflite file, or a quantized .onnx file, to int8 .tflite.

    All other commands read this file. It is channels-last; its input and output are float. The
    table shows the signal-to-noise ratio of each layer: at 40 dB the error is a hundredth of the
    signal.
    """
    samples = None if calibration is None else load_calibration(calibration)
    network = read_floats(model, samples, output=chosen, compare=not no_compare)
    if network.unread:
        warn(f"{reason_of(network.unread)}; {output} ends before it")
    choose, judge = (None, None) if samples is None else hold_out(samples)
    graph = quantize(replace(network, unread=""), choose, Settings(ranges))
    check_sums(graph)
    write_bytes(output, write_tflite(graph))
    say(f"wrote {output}: {output.stat().st_size:,} bytes")
    about = {"output": str(output), "bytes": output.stat().st_size}
    if choose is None or judge is None:
        if as_json:
            click.echo(json.dumps({**about, "layers": []}, indent=2))
        return
    names = _names(graph, read(output))
    found = [replace(e, layer=names[e.layer]) for e in layer_errors(network, graph, judge)]
    if errors is not None:
        write_json(errors, [asdict(error) for error in found])
        say(f"wrote {errors}")
    if as_json:
        layers = [asdict(error) for error in found]
        click.echo(json.dumps({**about, "layers": layers}, indent=2))
    else:
        _show(graph.name, found, len(judge), apart=judge is not choose)
    constant = [e.layer for e in found if e.constant]
    if constant and len(constant) < len(found):  # else the input has no signal, which is told
        warn(
            f"{model}: the output of {listed(constant)} is the same for every sample measured, so "
            "its range may not suit others; calibrate with samples that differ more"
        )


def _names(graph: Graph, file: Graph) -> dict[str, str]:
    """Returns the layer names in the file, which all other commands use. Some padding is a separate
    layer only in the file."""
    again = iter(file.nodes)
    return {node.name: next(n.name for n in again if n.op == node.op) for node in graph.nodes}


def _show(name: str, errors: list[LayerError], samples: int, *, apart: bool) -> None:
    """Prints the table. apart: whether the samples measured did not choose the ranges."""
    rows = table(f"{name} in int8", "layer", "output", ">scale", ">zero", ">SNR dB", ">at ends")
    for error in errors:
        rows.add_row(
            error.layer,
            "x".join(map(str, error.shape)),
            f"{error.scale:.4g}",
            str(error.zero),
            _ratio(error),
            f"{100 * error.stops:.1f} %",
        )
    which = f"{samples} samples that did not choose" if apart else "samples that also chose"
    rows.caption = (
        f"SNR: signal to noise against float,\non {which} the ranges\n"
        "at ends: values stored as -128 or 127"
    )
    terminal().print(rows)


def _ratio(error: LayerError) -> str:
    if error.constant:
        return "no signal"
    return "exact" if error.snr_db is None else f"{error.snr_db:.1f}"
