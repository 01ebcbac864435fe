"""Quantizers of one ONNX model on one set of samples: tinyflash's and ONNX Runtime's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tinyflash.compiler import compile_model
from tinyflash.graph import Graph
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.floatgraph.graph import Floats
from tinyflash.quantize.ranges import RULES, Rule
from tinyflash.read.onnx.reader import read_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode

Answer = Callable[[Floats], Floats]  # samples as the model reads them -> its outputs, [n][...]
Quantizer = Callable[[Path, Floats], Answer]


def ours(rule: Rule) -> Quantizer:
    """Returns the answers of the C library, with the network quantized by one of our rules."""

    def quantized(path: Path, calibration: Floats) -> Answer:
        return of_graph(path, int8(path, calibration, rule))

    return quantized


def int8(path: Path, calibration: Floats, rule: Rule) -> Graph:
    """Converts a float model to a tinyflash graph."""
    return quantize(read_onnx(path), calibration, Settings(rule))


def of_graph(path: Path, graph: Graph) -> Answer:
    """Returns the answers of the C library for samples in the layout of the model at `path`."""
    source, session = read_onnx(path).source, HostSession(compile_model(graph).program)

    def answer(samples: Floats) -> Floats:
        stored = encode(graph.input, source.arrange(samples))
        raw = np.stack([session.infer(x) for x in stored])
        return decode(graph.output, raw).astype(np.float32)

    return answer


def onnxruntime_int8(path: Path, calibration: Floats) -> Answer:
    """Static quantization of ONNX Runtime, as documented for convolutional networks: per
    channel."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = _session_input(path)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.samples: Iterator[Floats] = iter(calibration)

        def get_next(self) -> dict[str, Floats] | None:
            sample = next(self.samples, None)
            return None if sample is None else {name: sample[np.newaxis]}

    prepared, made = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quant_pre_process(str(path), str(prepared))
        quantization.quantize_static(
            str(prepared),
            str(made),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
        )
    finally:
        logging.disable(level)
    return _session(made)


def _open(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options)


def _session_input(path: Path) -> str:
    return str(_open(path).get_inputs()[0].name)


def _session(path: Path) -> Answer:
    session = _open(path)
    name = session.get_inputs()[0].name

    def answer(samples: Floats) -> Floats:
        return np.concatenate([session.run(None, {name: x[np.newaxis]})[0] for x in samples])

    return answer


def quantizers() -> dict[str, Quantizer]:
    """Returns the quantizers by name; ONNX Runtime's only if it is installed."""
    found = {f"tinyflash, {rule}": ours(rule) for rule in RULES}
    if find_spec("onnxruntime"):
        found["ONNX Runtime, min_max"] = onnxruntime_int8
    return found
