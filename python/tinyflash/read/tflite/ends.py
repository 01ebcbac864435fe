"""The two ends of a network: the file's input and output, and their types and scales."""

from __future__ import annotations

from typing import Literal

from tinyflash.errors import ModelError
from tinyflash.graph import Port, Quant, Tensor
from tinyflash.read.tflite.flat import FlatOperator, FlatTensor
from tinyflash.read.tflite.importing import Importer, Layer
from tinyflash.read.tflite.pointwise import lookup


def open_input(to: Importer) -> None:
    """Adds the network's input. A float input waits for the QUANTIZE that reads it."""
    flat = _only(to, to.model.inputs, "input")
    end = Layer(to, FlatOperator(-1, "input of the network", (flat.index,), (), {}), "input")
    shape = end.shape(flat)
    if len(shape) > 1 and shape[0] != 1:
        end.fail(f"batch {shape[0]}; only batch 1 is supported")
    end.require(flat.data is None, "is a constant")
    end.typed(flat, ("INT8", "UINT8", "FLOAT32"))
    if flat.type != "FLOAT32":
        _set_input(end, flat)


def _set_input(layer: Layer, flat: FlatTensor) -> None:
    """Makes `flat` (int8 or uint8) the graph's input. uint8 is raw bytes to the graph."""
    quant = None if flat.type == "UINT8" else layer.quant(flat)
    x = Tensor("input", layer.shape(flat), "int8", "activation", quant, source_id=flat.index)
    layer.to.activations[flat.index] = layer.to.add(x)
    layer.to.input = _port(x, layer.flat_input(0).type, layer.quant(flat))


def _port(tensor: Tensor, outer: str, quant: Quant) -> Port:
    """Returns the tensor's port in the file: a batch of one sample of type `outer`."""
    types: dict[str, Literal["int8", "uint8", "float32"]] = {
        "INT8": "int8",
        "UINT8": "uint8",
        "FLOAT32": "float32",
    }
    batched = len(tensor.shape) > 1 and tensor.shape[0] == 1
    shape = tensor.shape if batched else (1, *tensor.shape)
    return Port(tensor.name, types[outer], shape, quant)


def quantize(layer: Layer) -> None:
    """From the float input to int8: the edge of the graph. Between bytes: a table."""
    layer.count(1)
    outer, inner = layer.flat_input(0), layer.flat_output
    if outer.type != "FLOAT32" or outer.index != layer.to.model.inputs[0]:
        lookup(layer)
        return
    layer.typed(inner, ("INT8",))
    layer.require(layer.to.input is None, "reads the float input, which is already quantized")
    layer.require(layer.shape(outer) == layer.shape(inner), "changes the shape")
    _set_input(layer, inner)


def dequantize(layer: Layer) -> None:
    """From int8 to the float output: the edge of the graph."""
    layer.count(1)
    outer = layer.flat_output
    if outer.index != layer.to.model.outputs[0]:
        layer.fail("continues in float; only the network's output may be float")
    layer.require(layer.to.output is None, "makes a second output")
    layer.typed(outer, ("FLOAT32",))
    x = layer.activation(0)
    layer.require(layer.shape(layer.flat_input(0)) == layer.shape(outer), "changes the shape")
    layer.to.output = _port(x, outer.type, layer.quant(layer.flat_input(0)))


def close_output(to: Importer) -> tuple[Port, Port]:
    """Adds the ports, after all layers are imported."""
    flat = _only(to, to.model.outputs, "output")
    if not to.model.operators:
        raise ModelError(f"{to.file}: no layer makes its output, tensor {flat.index}")
    if not to.nodes:
        raise ModelError(f"{to.file}: no layer makes its output; it returns its input")
    if to.output is None:
        end = Layer(to, FlatOperator(-1, "output of the network", (flat.index,), (), {}), "output")
        y = end.activation(0, ("INT8", "UINT8"))
        to.output = _port(y, flat.type, end.quant(flat))
    if to.input is None:
        raise ModelError(f"{to.file}: no layer reads its input")
    return to.input, to.output


def _only(to: Importer, indices: tuple[int, ...], what: str) -> FlatTensor:
    if len(indices) != 1:
        raise ModelError(f"{to.file}: has {len(indices)} {what}s; exactly one is supported")
    if not 0 <= indices[0] < len(to.model.tensors):
        raise ModelError(f"{to.file}: its {what} is tensor {indices[0]}, which is not there")
    return to.model.tensors[indices[0]]
