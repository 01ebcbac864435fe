"""Converts PyTorch modules through torch.export and ONNX. Imports torch only when called."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.graph import Array, Graph
from tinyflash.paths import how_to_install
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.read.outputs import Chosen

_INSTALL = "from_torch needs torch and onnxscript; run: " + how_to_install(
    "torch", "onnxscript", "onnx"
)


def from_torch(
    module: Any,
    example: Any,
    calibration: Any,
    settings: Settings | None = None,
    *,
    output: Chosen = None,
    compare: bool = True,
) -> Graph:
    """Returns an int8 network of a module. example: one input with a batch of 1. calibration: input
    samples [n][...], tensors or arrays. output: which one, if the module returns several, as in
    `read`. compare: whether to compare what is read of the exported model with ONNX's own
    evaluation of it."""
    samples = _array(calibration)
    name = type(module).__name__
    content = exported(module, example)
    network = parse_onnx(content, name, samples, output=output, compare=compare)
    return quantize(network, samples, settings)


def floats_from_torch(module: Any, example: Any) -> FloatGraph:
    """Returns a module in inference mode as a float network."""
    return parse_onnx(exported(module, example), type(module).__name__, _array(example))


def exported(module: Any, example: Any) -> bytes:
    """Returns a module in inference mode as an ONNX model."""
    try:
        import onnxscript  # noqa: F401
        import torch
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    training, level = module.training, logging.getLogger("torch.onnx").level
    module.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns if torchvision is missing
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (torch.as_tensor(example),), dynamo=True, verbose=False
            )
        return program.model_proto.SerializeToString()  # type: ignore[no-any-return]
    except Exception as error:  # a module and its exporter can raise anything
        line = " ".join(str(error).split())[:200]
        name = type(module).__name__
        raise ModelError(f"{name}: torch.onnx.export failed ({line})") from error
    finally:
        module.train(training)
        logging.getLogger("torch.onnx").setLevel(level)


def _array(samples: Any) -> Array:
    """Returns a torch tensor, or anything that numpy accepts, as an array."""
    return np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
