"""Reads int8 .tflite files: one rule per operator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinyflash.errors import ModelError
from tinyflash.graph import Graph, Node
from tinyflash.read.tflite import batches, ends, maps, pointwise, takes, weighted
from tinyflash.read.tflite.batches import undone
from tinyflash.read.tflite.flat import load
from tinyflash.read.tflite.folding import FOLDABLE, fold
from tinyflash.read.tflite.importing import Importer, Layer

Rule = Callable[[Layer], None]

# Operator of the file -> (its name in layer names, its rule).
_RULES: dict[str, tuple[str, Rule]] = {
    "ADD": ("add", pointwise.add),
    "AVERAGE_POOL_2D": ("average_pool", maps.average_pool),
    "BATCH_TO_SPACE_ND": ("batch_to_space", batches.refuse),
    "BROADCAST_TO": ("broadcast", takes.broadcast_to),
    "CONCATENATION": ("concatenate", maps.concatenate),
    "CONV_2D": ("conv2d", weighted.conv2d),
    "DEPTHWISE_CONV_2D": ("depthwise", weighted.depthwise),
    "DEQUANTIZE": ("dequantize", ends.dequantize),
    "EXPAND_DIMS": ("reshape", maps.reshape),
    "FULLY_CONNECTED": ("fully_connected", weighted.fully_connected),
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
    "QUANTIZE": ("quantize", ends.quantize),
    "REDUCE_MAX": ("reduce_max", maps.reduce_max),
    "RELU": ("relu", pointwise.lookup),
    "RELU6": ("relu6", pointwise.lookup),
    "RESIZE_NEAREST_NEIGHBOR": ("resize", takes.resize_nearest),
    "RESHAPE": ("reshape", maps.reshape),
    "SLICE": ("slice", takes.cut),
    "SOFTMAX": ("softmax", pointwise.softmax),
    "SPACE_TO_BATCH_ND": ("space_to_batch", batches.refuse),
    "SPLIT": ("split", takes.split),
    "SPLIT_V": ("split", takes.split_v),
    "SQUEEZE": ("reshape", maps.reshape),
    "STRIDED_SLICE": ("slice", takes.strided_slice),
    "SUB": ("sub", pointwise.sub),
    "TANH": ("tanh", pointwise.lookup),
    "TRANSPOSE_CONV": ("transpose_conv", weighted.transpose_conv),
    "TRANSPOSE": ("transpose", maps.transpose),
}


def read_tflite(path: Path) -> Graph:
    """Reads the untrained network of a .tflite file. Layer names are operator and index in the
    file."""
    importer = Importer(str(path), undone(load(path)))
    ends.open_input(importer)
    for operator in importer.model.operators:
        short, _ = _RULES.get(operator.code, ("_".join(operator.code.lower().split()), None))
        for part in takes.parts_of(operator):
            which = f".{part.options['Part']}" if "Part" in part.options else ""
            _import(Layer(importer, part, f"{short}_{operator.index}{which}"))
    return _graph(importer)


def _import(layer: Layer) -> None:
    code = layer.operator.code
    if code not in _RULES and code not in FOLDABLE:
        layer.fail(f"is not supported; supported are {', '.join(sorted(_RULES))}")
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
    used = _used(graph.nodes, sink.tensor)
    if not used:
        raise ModelError(f"{importer.file}: no layer makes its output; it returns its input")
    return graph.with_nodes(used)


def _used(nodes: tuple[Node, ...], output: str) -> list[Node]:
    """Returns the nodes that the output depends on, in order."""
    needed, used = {output}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs.values()):
            needed.update(node.inputs.values())
            used.append(node)
    return used[::-1]
