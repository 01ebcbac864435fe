"""What of a file is read: the operators that one output needs."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.errors import ModelError
from tinyflash.read.outputs import Chosen, chosen, needed
from tinyflash.read.tflite.flat import FlatModel


def output_of(file: str, model: FlatModel, layers: dict[str, int], wanted: Chosen) -> int:
    """Returns the tensor that ends the network. layers: the output of each, by its name."""
    count = len(model.tensors)
    for index in model.outputs:
        if not 0 <= index < count:
            raise ModelError(f"{file}: its output is tensor {index}, which is not there")
    names = {t.name: t.index for t in reversed(model.tensors) if t.name}
    outputs = [(index, model.tensors[index].name) for index in model.outputs]
    found = {k: index for k, index in {**layers, **names}.items() if 0 <= index < count}
    return chosen(file, outputs, found, wanted)


def selected(model: FlatModel, output: int) -> FlatModel:
    """Returns the model without what the output does not need: operators, outputs of operators,
    inputs."""
    operators = needed(model.operators, output)
    read = {output, *(index for operator in operators for index in operator.inputs)}
    kept = tuple(replace(o, unread=frozenset(o.outputs) - read) for o in operators)
    inputs = tuple(index for index in model.inputs if index in read) or model.inputs
    return replace(model, operators=kept, inputs=inputs, outputs=(output,))
