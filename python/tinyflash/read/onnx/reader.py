"""Reads ONNX models as float networks, with the scales of already quantized ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from tinyflash.errors import ModelError, printable
from tinyflash.graph import Array
from tinyflash.quantize.floatgraph import FloatGraph, Source
from tinyflash.quantize.floatgraph.simplify import simplify
from tinyflash.read.endings import Ending, ends_in_layer, unread
from tinyflash.read.onnx import (
    codings,
    file,
    functions,
    maps,
    pointwise,
    reductions,
    takes,
    weighted,
)
from tinyflash.read.onnx.attributes import check_attributes
from tinyflash.read.onnx.compare import Reading
from tinyflash.read.onnx.compare import compare as hold_against
from tinyflash.read.onnx.expanding import EXPANSIONS, expanded, named
from tinyflash.read.onnx.file import OnnxInput, OnnxModel, OnnxNode
from tinyflash.read.onnx.folding import FOLDED, fold
from tinyflash.read.onnx.importing import Constant, Importer, Layer
from tinyflash.read.onnx.instead import WITH_WEIGHTS, instead
from tinyflash.read.onnx.selecting import output_of, selected
from tinyflash.read.onnx.shared import warn_of_shared
from tinyflash.read.onnx.views import View, channels_last, dense
from tinyflash.read.outputs import MOST_ENDS, Chosen

Rule = Callable[[Layer], None]
T = TypeVar("T")

_RULES: dict[str, Rule] = {
    "Abs": pointwise.function("abs"),
    "Add": pointwise.add,
    "AveragePool": maps.average_pool,
    "BatchNormalization": weighted.batch_norm,
    "Celu": functions.celu,
    "Clip": pointwise.clip,
    "Concat": maps.concatenate,
    "Conv": weighted.conv,
    "ConvTranspose": weighted.conv_transpose,
    "DequantizeLinear": codings.dequantize,
    "Div": pointwise.divide,
    "Dropout": maps.same,
    "Elu": functions.elu,
    "Erf": pointwise.function("erf"),
    "Expand": takes.expand,
    "Flatten": maps.flatten,
    "Gelu": functions.gelu,
    "Gemm": weighted.gemm,
    "GlobalAveragePool": reductions.global_average,
    "GlobalMaxPool": maps.global_max,
    "HardSigmoid": pointwise.hard_sigmoid,
    "HardSwish": pointwise.function("hard_swish"),
    "Identity": maps.same,
    "LeakyRelu": pointwise.leaky_relu,
    "MatMul": weighted.matmul,
    "Max": pointwise.maximum,
    "MaxPool": maps.max_pool,
    "Min": pointwise.minimum,
    "Mish": pointwise.function("mish"),
    "Mul": pointwise.multiply,
    "Neg": pointwise.negate,
    "PRelu": pointwise.prelu,
    "Pad": maps.pad,
    "QuantizeLinear": codings.quantize,
    "ReduceMax": reductions.reduce_max,
    "ReduceMean": reductions.reduce_mean,
    "ReduceSum": reductions.reduce_sum,
    "Relu": pointwise.relu,
    "Reshape": maps.reshape,
    "Selu": functions.selu,
    "Sigmoid": pointwise.function("logistic"),
    "Resize": takes.resize,
    "Slice": takes.cut,
    "Softmax": pointwise.softmax,
    "LogSoftmax": pointwise.log_softmax,
    "Softplus": pointwise.function("softplus"),
    "Softsign": pointwise.function("softsign"),
    "Split": takes.split,
    "Squeeze": maps.squeeze,
    "Sub": pointwise.subtract,
    "Swish": pointwise.swish,
    "Tanh": pointwise.function("tanh"),
    "Transpose": maps.transpose,
    "Unsqueeze": maps.unsqueeze,
    "Upsample": takes.resize,
}
OPERATORS = frozenset({*_RULES, *FOLDED, *EXPANSIONS})  # folded ones on constants alone
_LOOPS = ("If", "Loop", "Scan", "SequenceMap")
# Operators that read channels-first maps, and operators allowed between them and the input.
_READS_MAPS = (
    "AveragePool",
    "Conv",
    "ConvTranspose",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "MaxPool",
    "Resize",
    "Upsample",
)
_KEEPS_AXES = (
    "Add", "BatchNormalization", "Clip", "DequantizeLinear", "Div", "Identity", "Max", "Min", "Mul",
    "Pad", "QuantizeLinear", "Slice", "Split", "Sub",
)  # fmt: skip


def read_onnx(
    path: Path, samples: Array | None = None, *, output: Chosen = None, compare: bool = True
) -> FloatGraph:
    """Reads an ONNX file as a float network, simplified, channels last.

    output: see `read`. samples: of its input, [n][...] as the model reads them. On a few of them
    the network is compared with an evaluation of the model that shares no code with this reader,
    unless `compare` is False; ModelError names the first tensor that differs. A quantized model
    needs none.
    """
    return checked(str(path), file.load(path), samples, output, compare=compare).network


def parse_onnx(
    content: bytes,
    name: str,
    samples: Array | None = None,
    *,
    output: Chosen = None,
    compare: bool = True,
) -> FloatGraph:
    """Reads an ONNX model in memory."""
    model = file.parse(content, name, name, None)
    return checked(name, model, samples, output, compare=compare).network


def checked(
    name: str, model: OnnxModel, samples: Array | None, output: Chosen, *, compare: bool
) -> Reading:
    """What `read_onnx` returns, and what it was made of."""
    found = reading(name, model, output)
    if compare:
        hold_against(found, samples)
    warn_of_shared(name, found.model)
    return found


def reading(name: str, model: OnnxModel, output: Chosen = None) -> Reading:
    """What computes one output of a model, or as much of that as a scheme with a new head leaves;
    not compared yet."""
    model = expanded(model)
    if output is None and 1 < len(model.outputs) <= MOST_ENDS and _one_end(name, model):
        output = 0
    wanted = output_of(name, model, output)
    importer, end = _imported(name, selected(model, wanted))
    if wanted not in end.lost:
        return _finished(importer)
    before = named(model, end.before(_views(importer), WITH_WEIGHTS))
    if before is None:
        raise ModelError(end.reason)
    try:
        found = _finished(_imported(name, selected(model, before))[0])
    except ModelError:
        raise ModelError(end.reason) from None
    if not ends_in_layer(found.network):
        raise ModelError(end.reason)
    network = replace(found.network, unread=unread(end.reason, before))
    return replace(found, network=network)


def _imported(name: str, model: OnnxModel) -> tuple[Importer, Ending[str]]:
    importer, end = Importer(name, model), Ending[str]()
    _open_input(importer)
    importer.values.update({k: Constant(v) for k, v in model.constants.items()})
    for node in model.nodes:
        operands, results = (filter(None, names) for names in (node.inputs, node.outputs))
        end.take(node.op, operands, results, partial(_take, Layer(importer, node)))
    return importer, end


def _one_end(name: str, model: OnnxModel) -> bool:
    """Whether all outputs are made of one tensor by operators that cannot be read."""
    before = set()
    for output in model.outputs:
        importer, end = _imported(name, selected(model, output))
        lost = output in end.lost
        before.add(end.before(_views(importer), WITH_WEIGHTS) if lost else None)
    return len(before) == 1 and None not in before


def _views(importer: Importer) -> list[str]:
    """What depends on the input."""
    return [name for name, value in importer.values.items() if isinstance(value, View)]


def _finished(importer: Importer) -> Reading:
    raw, output = _closed(importer)
    return Reading(importer, raw, simplify(raw), output)


def _take(layer: Layer) -> None:
    """Reads one node."""
    node = layer.node
    if node.op in _LOOPS:
        layer.fail("is a loop or a branch, which is not supported; export without it")
    layer.require(not node.unusual, f"has {node.unusual}, which is not supported")
    if node.op in OPERATORS:
        check_attributes(layer)
    if fold(layer):
        return
    if node.op not in _RULES:
        layer.fail(f"is not supported; {instead(node.op)}")
    _RULES[node.op](layer)


def _open_input(to: Importer) -> None:
    """Adds the network's input. Channels-first maps become channels last."""
    given = _only(to, to.model.inputs, "input")
    if given.dtype != "float32":
        raise ModelError(
            f"{to.file}: input {printable(given.name)} is {given.dtype}; float32 is supported; "
            "export it so (module.float() in PyTorch)"
        )
    shape = _shape(to, given)
    if len(shape) > 2 and _is_map(to.model, given.name):
        order = (0, *range(2, len(shape)), 1)
        held, view = tuple(shape[i] for i in order), channels_last("input", shape)
    else:
        order = tuple(range(len(shape)))
        held, view = shape, dense("input", shape)
    if len(held) == 3:
        held = (1, 1, *held[1:])
    to.source = Source("input", shape[1:], tuple(i - 1 for i in order[1:]), held)
    to.values[given.name] = view
    to.shapes["input"] = held


def _shape(to: Importer, given: OnnxInput) -> tuple[int, ...]:
    """Returns the input's shape with a batch of 1."""
    where = f"{to.file}: input {printable(given.name)}"
    if not 2 <= len(given.shape) <= 4:
        raise ModelError(
            f"{where} has {len(given.shape)} dimensions; 2 to 4 are supported, batch first"
        )
    batch, *sides = given.shape
    if isinstance(batch, int) and batch not in (0, 1):
        raise ModelError(f"{where} has a batch of {batch}; export with a batch of 1")
    if not all(isinstance(d, int) and 0 < d < 2**16 for d in sides):
        raise ModelError(
            f"{where} has shape {list(given.shape)}; only the batch may vary; export with "
            "fixed sides below 65536"
        )
    return (1, *(int(d) for d in sides))


def _is_map(model: OnnxModel, name: str) -> bool:
    """Whether the first operators that depend on the axes of the input read it as a map."""
    names, found = {name}, False
    for node in model.nodes:
        if names.isdisjoint(node.inputs):
            continue
        if node.op in _KEEPS_AXES:
            names.update(node.outputs)
        elif node.op in _READS_MAPS:
            found = True
        elif node.op != "Shape":
            return False
    return found


def _closed(to: Importer) -> tuple[FloatGraph, View]:
    """The network, and how its output tensor holds the model's output."""
    output = _only(to, to.model.outputs, "output")
    value = to.values.get(output)
    if not isinstance(value, View) or not to.nodes:
        raise ModelError(
            f"{to.file}: its output {printable(output)!r} does not come from its input"
        )
    end = Layer(
        to, OnnxNode(len(to.model.nodes), "output", printable(output), (output,), (), {}, "")
    )
    moved = any(len(axis) > 1 for axis in value.axes)  # flattened from maps in another layout
    held, _ = end.compacted(value, range(len(value.shape)) if moved else value.order)
    assert to.source is not None
    graph = FloatGraph(to.model.name, to.source, tuple(to.nodes), held.tensor, to.codings)
    return graph, held


def _only(to: Importer, found: tuple[T, ...], what: str) -> T:
    if len(found) != 1:
        raise ModelError(f"{to.file}: has {len(found)} {what}s; exactly one is supported")
    return found[0]
