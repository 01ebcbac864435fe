"""Reads float .tflite files, also those with float16 or int8 weights: one rule per operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph import FloatGraph, Source
from tinyflash.quantize.floatgraph.simplify import simplify
from tinyflash.read.endings import Ending, ends_in_layer, unread
from tinyflash.read.outputs import Chosen
from tinyflash.read.tflite import takes
from tinyflash.read.tflite.flat import FlatModel, FlatOperator, load
from tinyflash.read.tflite.floating import maps, rules
from tinyflash.read.tflite.floating.importing import FloatImporter, FloatLayer
from tinyflash.read.tflite.floating.takes import of_reals, reduce_max
from tinyflash.read.tflite.folding import FOLDABLE, fold
from tinyflash.read.tflite.instead import WITH_WEIGHTS, instead
from tinyflash.read.tflite.selecting import output_of, selected

Rule = Callable[[FloatLayer], None]

RULES: Mapping[str, Rule] = {
    "ABS": rules.function("abs"),
    "ADD": rules.add,
    "AVERAGE_POOL_2D": maps.pool("average_pool"),
    "BROADCAST_TO": of_reals(takes.broadcast_to),
    "CONCATENATION": maps.concatenate,
    "CONV_2D": rules.conv2d,
    "DEPTHWISE_CONV_2D": rules.depthwise,
    "DIV": rules.div,
    "ELU": rules.elu,
    "EXPAND_DIMS": maps.reshape,
    "FULLY_CONNECTED": rules.fully_connected,
    "GELU": rules.gelu,
    "HARD_SWISH": rules.function("hard_swish"),
    "LEAKY_RELU": rules.leaky_relu,
    "LOGISTIC": rules.function("logistic"),
    "MAXIMUM": rules.choose("maximum"),
    "MAX_POOL_2D": maps.pool("max_pool"),
    "MEAN": maps.mean,
    "MINIMUM": rules.choose("minimum"),
    "MUL": rules.mul,
    "NEG": rules.negate,
    "PAD": maps.pad,
    "PADV2": maps.pad,
    "PRELU": rules.prelu,
    "REDUCE_MAX": reduce_max,
    "RELU": rules.bounded(0.0, math.inf),
    "RELU6": rules.bounded(0.0, 6.0),
    "RELU_0_TO_1": rules.bounded(0.0, 1.0),
    "RELU_N1_TO_1": rules.bounded(-1.0, 1.0),
    "RESHAPE": maps.reshape,
    "RESIZE_NEAREST_NEIGHBOR": of_reals(takes.resize_nearest),
    "SLICE": of_reals(takes.cut),
    "SOFTMAX": rules.softmax,
    "LOG_SOFTMAX": rules.log_softmax,
    "SPLIT": of_reals(takes.split),
    "SPLIT_V": of_reals(takes.split_v),
    "SQUEEZE": maps.reshape,
    "STRIDED_SLICE": of_reals(takes.strided_slice),
    "SUB": rules.sub,
    "SUM": maps.total,
    "TANH": rules.function("tanh"),
    "TRANSPOSE": maps.transpose,
}


def is_float(path: Path) -> bool:
    """Whether the layers with weights of a .tflite file read float maps."""
    return _is_float(load(path))


def _is_float(model: FlatModel) -> bool:
    """As the first operator of the network says that reads no constant alone."""
    types = {t.index: t.type for t in model.tensors if t.data is None}
    read = [types.get(i, "") for o in model.operators for i in o.inputs if o.code != "QUANTIZE"]
    return "FLOAT32" in read and not {"INT8", "UINT8", "INT16"}.intersection(read)


def read_float_tflite(path: Path, output: Chosen = None) -> FloatGraph:
    """Reads the network of a float .tflite file. output: as in `read_tflite`."""
    file, model = str(path), load(path)
    if not _is_float(model):
        raise ModelError(f"{file}: is quantized, or mostly so; all other commands read it as it is")
    layers = {_name(o): o.outputs[0] for o in model.operators if o.outputs}
    return _read(file, model, output_of(file, model, layers, output))


def _read(file: str, model: FlatModel, output: int) -> FloatGraph:
    importer, end = _imported(file, selected(model, output))
    if output not in end.lost:
        return _graph(importer, output)
    before = end.before(importer.held, WITH_WEIGHTS)
    if before is None:
        raise ModelError(end.reason)
    try:
        graph = _graph(_imported(file, selected(model, before))[0], before)
    except ModelError:
        raise ModelError(end.reason) from None
    if not ends_in_layer(graph):
        raise ModelError(end.reason)
    name = next(_name(o) for o in model.operators if before in o.outputs)
    return replace(graph, unread=unread(end.reason, name))


def _imported(file: str, model: FlatModel) -> tuple[FloatImporter, Ending[int]]:
    importer, end = FloatImporter(file, model), Ending[int]()
    _open_input(importer)
    for part, name in takes.parts_to_read(model.operators, _name):
        layer = FloatLayer(importer, part, name)
        end.take(part.code, part.inputs, part.outputs, partial(_import, layer))
    return importer, end


def _name(operator: FlatOperator) -> str:
    return f"{'_'.join(operator.code.lower().split())}_{operator.index}"


def _open_input(to: FloatImporter) -> None:
    if len(to.model.inputs) != 1:
        raise ModelError(f"{to.file}: has {len(to.model.inputs)} inputs; exactly one is supported")
    index = to.model.inputs[0]
    if not 0 <= index < len(to.model.tensors):
        raise ModelError(f"{to.file}: its input is tensor {index}, which is not there")
    end = FloatLayer(to, FlatOperator(-1, "input of the network", (index,), (), {}), "input")
    flat = end.flat_input(0)
    end.require(flat.type == "FLOAT32", f"is {flat.type}; float32 is supported")
    end.require(flat.data is None, "is a constant")
    shape = end.shape(flat)
    batch, given = (shape[0], shape[1:]) if len(shape) > 1 else (1, shape)
    end.require(batch == 1, f"batch {batch}; only batch 1 is supported")
    end.require(1 <= len(given) <= 3, f"has {len(given)} dimensions; 1 to 3 are supported")
    held = (1, *given)
    to.source = Source("input", given, tuple(range(len(given))), held)
    to.held[index] = "input"
    to.shapes["input"] = held


def _import(layer: FloatLayer) -> None:
    code = layer.operator.code
    if code not in RULES and code not in FOLDABLE and code != "DEQUANTIZE":
        layer.fail(f"is not supported; {instead(code)}")
    made = layer.flat_output.index in layer.to.held
    layer.require(not made, f"computes tensor {layer.flat_output.index} again")
    layer.claim()
    if code == "DEQUANTIZE":
        layer.require(layer.is_constant(0), "reads integers computed at run time")
        layer.to.constants[layer.flat_output.index] = layer.reals(0)[0]
        return
    if fold(layer):
        return
    if code not in RULES:
        layer.fail("is supported on constants only, as in the arithmetic of shapes")
    RULES[code](layer)


def _graph(to: FloatImporter, output: int) -> FloatGraph:
    if output not in to.held or to.source is None:
        raise ModelError(f"{to.file}: its output, tensor {output}, does not come from its input")
    if not to.made:
        raise ModelError(f"{to.file}: computes nothing: its output is its input")
    network = FloatGraph(to.model.name, to.source, tuple(to.made), to.held[output])
    return simplify(network)
