"""Reads int8 .tflite files: one rule per operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tinyflash.errors import ModelError
from tinyflash.graph import Graph, Node
from tinyflash.layers import last_layer
from tinyflash.quantize.curves import CURVES
from tinyflash.read.endings import Ending, unread
from tinyflash.read.outputs import MOST_ENDS, Chosen
from tinyflash.read.tflite import batches, ends, maps, pointwise, takes, weighted
from tinyflash.read.tflite.batches import undone
from tinyflash.read.tflite.flat import FlatModel, FlatOperator, load
from tinyflash.read.tflite.folding import FOLDABLE, fold
from tinyflash.read.tflite.importing import Importer, Layer
from tinyflash.read.tflite.instead import WITH_WEIGHTS, instead
from tinyflash.read.tflite.legacy import modernised
from tinyflash.read.tflite.selecting import output_of, selected

Rule = Callable[[Layer], None]

# Operator of the file -> (its name in layer names, its rule).
_RULES: dict[str, tuple[str, Rule]] = {
    "ABS": ("abs", pointwise.lookup),
    "ADD": ("add", pointwise.add),
    "AVERAGE_POOL_2D": ("average_pool", maps.average_pool),
    "BATCH_TO_SPACE_ND": ("batch_to_space", batches.refuse),
    "BROADCAST_TO": ("broadcast", takes.broadcast_to),
    "CONCATENATION": ("concatenate", maps.concatenate),
    "CONV_2D": ("conv2d", weighted.conv2d),
    "DEPTHWISE_CONV_2D": ("depthwise", weighted.depthwise),
    "DEQUANTIZE": ("dequantize", ends.dequantize),
    "ELU": ("elu", pointwise.lookup),
    "EXPAND_DIMS": ("reshape", maps.reshape),
    "FULLY_CONNECTED": ("fully_connected", weighted.fully_connected),
    "GELU": ("gelu", pointwise.lookup),
    "HARD_SWISH": ("hard_swish", pointwise.lookup),
    "LEAKY_RELU": ("leaky_relu", pointwise.lookup),
    "LOGISTIC": ("logistic", pointwise.lookup),
    "MAX_POOL_2D": ("max_pool", maps.max_pool),
    "MAXIMUM": ("maximum", pointwise.choose),
    "MEAN": ("mean", maps.mean),
    "MINIMUM": ("minimum", pointwise.choose),
    "MUL": ("mul", pointwise.mul),
    "PAD": ("pad", maps.pad),
    "PADV2": ("pad", maps.pad),
    "PRELU": ("prelu", pointwise.prelu),
    "QUANTIZE": ("quantize", ends.quantize),
    "REDUCE_MAX": ("reduce_max", maps.reduce_max),
    "RELU": ("relu", pointwise.lookup),
    "RELU6": ("relu6", pointwise.lookup),
    "RESIZE_NEAREST_NEIGHBOR": ("resize", takes.resize_nearest),
    "RESHAPE": ("reshape", maps.reshape),
    "SLICE": ("slice", takes.cut),
    "SOFTMAX": ("softmax", pointwise.softmax),
    "LOG_SOFTMAX": ("log_softmax", pointwise.log_softmax),
    "SPACE_TO_BATCH_ND": ("space_to_batch", batches.refuse),
    "SPLIT": ("split", takes.split),
    "SPLIT_V": ("split", takes.split_v),
    "SQUEEZE": ("reshape", maps.reshape),
    "STRIDED_SLICE": ("slice", takes.strided_slice),
    "SUB": ("sub", pointwise.sub),
    "TANH": ("tanh", pointwise.lookup),
    "TRANSPOSE_CONV": ("transpose_conv", weighted.transpose_conv),
    "TRANSPOSE": ("transpose", maps.transpose),
    **{f"{pointwise.OWN}{name}": (name, pointwise.own) for name in CURVES},
}


def read_tflite(path: Path, output: Chosen = None) -> Graph:
    """Reads the untrained network of a .tflite file. Layer names are operator and index in the
    file.

    output: which output, if there are several, by number or name; or any tensor or layer inside by
    its name, where the network then ends.
    """
    file, model = str(path), modernised(undone(load(path)))
    if output is None and 1 < len(model.outputs) <= MOST_ENDS and _one_end(file, model):
        output = 0
    layers = {_name(o): o.outputs[0] for o in model.operators if o.outputs}
    return _read(file, model, output_of(file, model, layers, output))


def _one_end(file: str, model: FlatModel) -> bool:
    """Whether all outputs are made of one tensor by operators that cannot be read."""
    before = set()
    for output in model.outputs:
        importer, end = _imported(file, selected(model, output))
        before.add(end.before(importer.activations, WITH_WEIGHTS) if output in end.lost else None)
    return len(before) == 1 and None not in before


def _read(file: str, model: FlatModel, output: int) -> Graph:
    """Reads what computes one tensor, or as much of it as a scheme with a new head leaves."""
    importer, end = _imported(file, selected(model, output))
    if output not in end.lost:
        return _graph(importer)
    before = end.before(importer.activations, WITH_WEIGHTS)
    if before is None:
        raise ModelError(end.reason)
    try:
        graph = _graph(_imported(file, selected(model, before))[0])
    except ModelError:
        raise ModelError(end.reason) from None
    layer = last_layer(graph)
    if layer is None:
        raise ModelError(end.reason)
    name = next(_name(o) for o in model.operators if before in o.outputs)
    return replace(graph, unread=unread(end.reason, name))


def _imported(file: str, model: FlatModel) -> tuple[Importer, Ending[int]]:
    importer, end = Importer(file, model), Ending[int]()
    ends.open_input(importer)
    for part, name in takes.parts_to_read(model.operators, _name):
        layer = Layer(importer, part, name)
        end.take(part.code, part.inputs, part.outputs, partial(_import, layer))
    return importer, end


def _name(operator: FlatOperator) -> str:
    """The operator's name in layer names, and its index in the file."""
    short, _ = _RULES.get(operator.code, ("_".join(operator.code.lower().split()), None))
    return f"{short}_{operator.index}"


def _import(layer: Layer) -> None:
    code = layer.operator.code
    if code not in _RULES and code not in FOLDABLE:
        layer.fail(f"is not supported; {instead(code)}")
    layer.require(not layer.operator.refused, layer.operator.refused)
    layer.claim()
    if fold(layer):
        return
    if code not in _RULES:
        layer.fail("is supported on constants only, as in the arithmetic of shapes")
    _RULES[code][1](layer)


def _graph(importer: Importer) -> Graph:
    source, sink = ends.close_output(importer)
    graph = Graph(
        name=importer.model.name,
        tensors=importer.tensors,
        nodes=tuple(importer.nodes),
        input=source,
        output=sink,
    )
    return graph.with_nodes(_used(graph.nodes, sink.tensor))


def _used(nodes: tuple[Node, ...], output: str) -> list[Node]:
    """Returns the nodes that the output depends on, in order: of some only the shape was read."""
    needed, used = {output}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs.values()):
            needed.update(node.inputs.values())
            used.append(node)
    return used[::-1]
