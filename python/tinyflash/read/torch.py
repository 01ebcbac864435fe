"""PyTorch modules, by way of torch.export and ONNX. torch is imported when one is read."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.graph import Array, Graph
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.read.onnx.reader import parse_onnx

_INSTALL = "exporting modules needs torch and onnxscript; pip install tinyflash[torch]"


def from_torch(
    module: Any,
    example: Any,
    calibration: Any,
    settings: Settings | None = None,
    *,
    compare: bool = True,
) -> Graph:
    """An int8 network of a module. example: one input, a batch of 1; calibration: samples of it,
    [n][...], tensors or arrays. compare: whether what is read of the exported model is held against
    ONNX's own evaluation of it."""
    samples = _array(calibration)
    name = type(module).__name__
    network = parse_onnx(exported(module, example), name, samples, compare=compare)
    return quantize(network, samples, settings)


def floats_from_torch(module: Any, example: Any) -> FloatGraph:
    """A module as a float network, as it is for inference."""
    return parse_onnx(exported(module, example), type(module).__name__, _array(example))


def exported(module: Any, example: Any) -> bytes:
    """A module as an ONNX model, as it is for inference."""
    try:
        import onnxscript  # noqa: F401
        import torch
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    training, level = module.training, logging.getLogger("torch.onnx").level
    module.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of torchvision's absence
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (torch.as_tensor(example),), dynamo=True, verbose=False
            )
        return program.model_proto.SerializeToString()  # type: ignore[no-any-return]
    except Exception as error:  # whatever a module and its exporter can raise
        line = " ".join(str(error).split())[:200]
        name = type(module).__name__
        raise ModelError(f"{name}: torch.onnx.export refuses it ({line})") from error
    finally:
        module.train(training)
        logging.getLogger("torch.onnx").setLevel(level)


def _array(samples: Any) -> Array:
    """A tensor of torch or anything that numpy takes."""
    return np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
