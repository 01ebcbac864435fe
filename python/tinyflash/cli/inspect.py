"""tinyflash inspect: lists a model's layers and their training costs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.compiler.costs import LayerCost, layer_costs, totals
from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.show.console import output, table


@click.command(cls=options.Command)
@options.model
@options.chosen
@options.as_json
def inspect(model: Path, chosen: str | None, as_json: bool) -> None:
    """List the layers of MODEL and the cost of training each.

    To train all of a layer, its weights and biases must be in RAM, and its input is saved for the
    backward pass. Every layer after a trained one needs a mask of one bit per output element.
    """
    graph = read(model, output=chosen)
    costs = layer_costs(graph)
    if as_json:
        click.echo(json.dumps(_content(graph, costs), indent=2))
        return
    rows = table(
        f"{graph.name}: {graph.input.dtype}{list(graph.input.shape)} -> "
        f"{graph.output.dtype}{list(graph.output.shape)}",
        "layer",
        "output",
        ">MAC",
        ">weights",
        ">biases",
        ">input",
        ">mask",
    )
    for cost in costs:
        rows.add_row(cost.name, "x".join(map(str, cost.shape)), *_numbers(asdict(cost)))
    rows.add_section()
    rows.add_row("total", "", *_numbers(totals(costs)))
    rows.caption = "weights, biases, input, mask: bytes of RAM that training the layer takes"
    output().print(rows)


def _numbers(row: dict[str, int]) -> list[str]:
    columns = ("macs", "weight_bytes", "bias_bytes", "saved_bytes", "mask_bytes")
    return [f"{row[column]:,}" if row[column] else "-" for column in columns]


def _content(graph: Graph, costs: tuple[LayerCost, ...]) -> dict[str, object]:
    return {
        "name": graph.name,
        "input": {"dtype": graph.input.dtype, "shape": graph.input.shape},
        "output": {"dtype": graph.output.dtype, "shape": graph.output.shape},
        "layers": [asdict(cost) for cost in costs],
        "total": totals(costs),
    }
