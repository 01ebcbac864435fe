"""What of a model is read: the nodes that one output needs."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.read.onnx.file import OnnxModel
from tinyflash.read.outputs import Chosen, chosen, needed


def output_of(file: str, model: OnnxModel, wanted: Chosen) -> str:
    """Returns the name of the value that ends the network, by its own name or that of its node."""
    outputs = [(name, name) for name in model.outputs]
    nodes = {node.name: node.outputs[0] for node in model.nodes if any(node.outputs)}
    values = [*model.outputs, *(name for node in model.nodes for name in node.outputs if name)]
    return chosen(file, outputs, {**nodes, **{name: name for name in values}}, wanted)


def selected(model: OnnxModel, output: str) -> OnnxModel:
    """Returns the model without what the output does not need: nodes, outputs of nodes, inputs."""
    nodes = needed(model.nodes, output)
    read = {output, *(name for node in nodes for name in node.inputs)}
    kept = tuple(
        replace(node, outputs=tuple(name if name in read else "" for name in node.outputs))
        for node in nodes
    )
    inputs = tuple(value for value in model.inputs if value.name in read) or model.inputs
    return replace(model, nodes=kept, inputs=inputs, outputs=(output,))
