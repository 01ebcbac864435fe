"""Converts PyTorch modules through torch.export and ONNX. Imports torch only when called."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.graph import Array, Graph
from tinyflash.paths import how_to_install
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.quantizer import arranged, as_given
from tinyflash.read.onnx.compare import MOST_SAMPLES, Reading, alike
from tinyflash.read.onnx.file import parse
from tinyflash.read.onnx.reader import checked
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
    evaluation of it, and with what the module computes."""
    samples = _array(calibration)
    network = _read(module, example, samples, output, compare=compare)
    return quantize(network, samples, settings)


def floats_from_torch(module: Any, example: Any) -> FloatGraph:
    """Returns a module in inference mode as a float network."""
    return _read(module, example, _array(example), None, compare=True)


def _read(
    module: Any, example: Any, samples: Array, output: Chosen, *, compare: bool
) -> FloatGraph:
    name, given = type(module).__name__, tuple(_array(example).shape)
    if given == samples.shape[1:]:
        raise ModelError(f"{name}: the example, of shape {given}, has no batch; pass example[None]")
    model = parse(exported(module, example), name, name, None)
    found = checked(name, model, samples, output, compare=compare)
    if compare:
        _hold_against_module(found, model.outputs, module, example, samples)
    return found.network


def exported(module: Any, example: Any) -> bytes:
    """Returns a module in inference mode as an ONNX model."""
    try:
        import onnxscript  # noqa: F401
        import torch
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns if torchvision is missing
    try:
        with _inferring(module), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (torch.as_tensor(example),), dynamo=True, verbose=False
            )
        return program.model_proto.SerializeToString()  # type: ignore[no-any-return]
    except Exception as error:  # a module and its exporter can raise anything
        name = type(module).__name__
        raise ModelError(f"{name}: torch.onnx.export failed ({_reason(error)})") from error
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def _reason(error: BaseException) -> str:
    """The first lines of what an exception was raised from: that is the module's own mistake; the
    exporter's text around it says which of its steps failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:200]


@contextmanager
def _inferring(module: Any) -> Iterator[None]:
    """Puts a module into inference mode, without gradients, and back."""
    import torch

    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(training)


def _hold_against_module(
    found: Reading, outputs: Sequence[str], module: Any, example: Any, samples: Array
) -> None:
    """Raises ModelError if the network computes something else than the module on a few samples:
    the exporter leaves out what ONNX has no attribute for. outputs: of the exported model.

    Not compared: a module with scales of its own (its numbers are rounded, the network's are not),
    one whose end is not read, and one that returns anything except tensors.
    """
    (end,) = found.model.outputs
    if found.network.codings or found.network.unread or end not in outputs:
        return
    real = as_given(found.network, samples)[:MOST_SAMPLES]
    wanted = _computed(module, example, real, outputs.index(end), len(outputs))
    if wanted is None:
        return
    y, largest = found.answers(arranged(found.network, real))
    if not alike(y.reshape(len(y), -1), wanted, largest):
        raise ModelError(
            f"{found.file}: torch.onnx.export made something else of the module than the module "
            "computes; compare them layer by layer, and replace the layer that differs "
            "(compare=False takes what was exported)"
        )


def _computed(module: Any, example: Any, real: Array, number: int, count: int) -> Array | None:
    """One of a module's `count` outputs, [n][...], each sample by itself as the example is."""
    import torch

    like, wanted = torch.as_tensor(example), []
    with _inferring(module), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in real:
            y = module(torch.as_tensor(sample).to(like).reshape(like.shape))
            found = list(y) if isinstance(y, tuple | list) else [y]
            if len(found) != count or not isinstance(found[number], torch.Tensor):
                return None
            wanted.append(_array(found[number]).reshape(-1))
    return np.stack(wanted)


def _array(samples: Any) -> Array:
    """Returns a torch tensor, or anything that numpy accepts, as an array."""
    return np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
