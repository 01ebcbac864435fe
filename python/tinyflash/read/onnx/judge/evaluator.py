"""Evaluates an ONNX model sample by sample, all of its tensors if asked."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.read.onnx.judge.corrected import corrected
from tinyflash.read.onnx.judge.integers import without_integers

_OPTIONAL = ("BatchNormalization", "Dropout", "MaxPool")  # whose second results are
_CODING = ("QuantizeLinear", "DequantizeLinear")
_SILENT = 4  # ONNX Runtime tells of nothing but fatal errors

Run = Callable[[Numbers], list[Numbers]]


@dataclass(frozen=True)
class Evaluator:
    """Computes the tensors of these names; `by`: whose code it is, for a message."""

    by: str
    names: tuple[str, ...]
    run: Run

    def values(self, samples: Numbers) -> dict[str, Numbers]:
        """Each tensor for all samples [n][...], each a batch of 1."""
        rows = [self.run(sample[np.newaxis]) for sample in samples]
        return {name: np.stack([row[i] for row in rows]) for i, name in enumerate(self.names)}


def evaluator(content: bytes, folder: Path | None, names: Sequence[str], by: str = "") -> Evaluator:
    """Of the model in `content`, whose data may be in other files of `folder`.

    Quantization of what is computed is left out, as in a float network. by: "reference" or
    "runtime"; default: the better one that is installed and takes the model. Raises what these
    raise where they do not take it.
    """
    model = _prepared(content, folder, names)
    (source,) = (v.name for v in model.graph.input if v.name not in _constants(model))
    if by != "reference" and (by or importlib.util.find_spec("onnxruntime") is not None):
        try:
            run = _runtime(model, source)
            run(_zeros(model, source))
            return Evaluator("ONNX Runtime", tuple(names), run)
        except Exception:  # an opset that it does not know yet, an attribute that it refuses
            if by:
                raise
    return Evaluator("onnx's reference evaluator", tuple(names), _reference(model, source))


def _constants(model: Any) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}


def _prepared(content: bytes, folder: Path | None, names: Sequence[str]) -> Any:
    """The model in float, with a batch of 1, and with `names` as its outputs."""
    import onnx

    model = onnx.load_model_from_string(content)
    if folder is not None:
        onnx.load_external_data_for_model(model, str(folder))
    graph = model.graph
    _prune(graph, names)
    without_integers(model)
    _without_coding(model)
    del graph.value_info[:]
    del graph.output[:]
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    for value in graph.input:
        if value.name not in _constants(model):
            value.type.tensor_type.shape.dim[0].dim_value = 1
    return model


def _prune(graph: Any, names: Sequence[str]) -> None:
    """Leaves out what none of these tensors depend on, which the judge need not know: nodes,
    inputs, second results."""
    alive, kept = set(names), []
    for node in reversed(graph.node):
        if alive & {name for name in node.output if name}:
            alive |= set(node.input)
            kept.append(node)
    for node in kept:
        if node.op_type in _OPTIONAL:
            del node.output[max(i + 1 for i, name in enumerate(node.output) if name in alive) :]
    constants = {tensor.name for tensor in graph.initializer}
    given = [v for v in graph.input if v.name in alive or v.name in constants] or list(graph.input)
    for field, left in ((graph.node, kept[::-1]), (graph.input, given)):
        left = [type(one).FromString(one.SerializeToString()) for one in left]
        del field[:]
        field.extend(left)


def _without_coding(model: Any) -> None:
    """Numbers computed at run time keep their values; quantized constants are what they are, and
    bounds in integers become real numbers."""
    graph = model.graph
    constants = _constants(model)
    known = {v.name for v in graph.input} - constants
    coded: dict[str, list[str]] = {}  # what is integers in the model: scale and zero point
    for node in list(graph.node):
        if known.isdisjoint(node.input):
            continue
        known.update(node.output)
        if node.op_type == "Clip" and node.input[0] in coded:
            _bound_in_reals(graph, node, coded[node.input[0]])
            coded[node.output[0]] = coded[node.input[0]]
        if node.op_type in _CODING and node.input[0] in known:
            if node.op_type == "QuantizeLinear":
                coded[node.output[0]] = list(node.input[1:])
            node.op_type, node.domain = "Identity", ""
            del node.input[1:]
            del node.attribute[:]


def _bound_in_reals(graph: Any, clip: Any, coding: list[str]) -> None:
    """Puts a DequantizeLinear before each bound."""
    import onnx

    for i, name in enumerate(clip.input[1:], 1):
        if name:
            real = f"{clip.output[0]}.bound{i}"
            inputs = [name, *coding]
            before = next(j for j, node in enumerate(graph.node) if node.output == clip.output)
            graph.node.insert(before, onnx.helper.make_node("DequantizeLinear", inputs, [real]))
            clip.input[i] = real


# ---- ONNX Runtime -------------------------------------------------------------------------------


def _runtime(model: Any, source: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = _SILENT
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda x: [np.asarray(y) for y in session.run(None, {source: x})]


def _zeros(model: Any, source: str) -> Numbers:
    (value,) = (v for v in model.graph.input if v.name == source)
    return np.zeros([d.dim_value for d in value.type.tensor_type.shape.dim], np.float32)


# ---- onnx's own ---------------------------------------------------------------------------------


def _reference(model: Any, source: str) -> Run:
    from onnx.reference import ReferenceEvaluator

    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    machine = ReferenceEvaluator(model, new_ops=corrected(opset))

    def run(x: Numbers) -> list[Numbers]:
        with np.errstate(all="ignore"):
            return [np.asarray(y) for y in machine.run(None, {source: x})]

    return run
