"""Holds a network that was read against an evaluation of its model: a guard of the reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from tinyflash.errors import ModelError, printable
from tinyflash.graph import Array
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.graph import Floats
from tinyflash.quantize.floatgraph.run import run
from tinyflash.quantize.quantizer import arranged, as_given
from tinyflash.read.onnx.file import OnnxModel
from tinyflash.read.onnx.importing import Constant, Importer, Value
from tinyflash.read.onnx.judge import evaluator
from tinyflash.read.onnx.views import View

MOST_SAMPLES = 2
# What a sum in another order may change: of a tensor's largest number, and of the largest at all,
# where sums end near 0.
_TOLERANCE, _CANCELLED = 1e-4, 1e-6
_ADVICE = "report this; read it unchecked with --no-compare"


@dataclass(frozen=True)
class Reading:
    """A model and what became of it: `raw`, a node or more for each of the model's, and the
    `network`, simplified, whose output is seen as `output`."""

    importer: Importer
    raw: FloatGraph
    network: FloatGraph
    output: View

    @property
    def file(self) -> str:
        return self.importer.file

    @property
    def model(self) -> OnnxModel:
        return self.importer.model

    def answers(self, x: Floats) -> tuple[Array, float]:
        """Outputs in the model's layout [n][1][...] for samples as the network reads them, and the
        largest number on the way there."""
        tensors = run(self.network, x)
        return _seen(self.output, tensors[self.network.output]), largest(tensors)


def compare(reading: Reading, samples: Array | None) -> None:
    """Raises ModelError if the network computes something else than the model on a few samples.

    Without samples it takes numbers of the scale that a quantized model gives its input; a float
    model is not compared then.
    """
    given = _made_up(reading.network) if samples is None else samples
    if given is None:
        return
    real = as_given(reading.network, given)[:MOST_SAMPLES]
    x = arranged(reading.network, real)
    (name,) = reading.model.outputs
    _, wanted = _evaluated(reading, [name], real)
    found, peak = reading.answers(x)
    if not alike(found, wanted[name], peak):
        _explain(reading, x, real)


def _made_up(network: FloatGraph) -> Array | None:
    """Samples over the range of the input's coding."""
    quant = network.codings.get(network.source.name)
    if quant is None:
        return None
    low, high = (quant.scale[0] * (end - quant.zero) for end in (-128, 127))
    shape = (MOST_SAMPLES, *network.source.given)
    return np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)


def _evaluated(reading: Reading, names: list[str], samples: Floats) -> tuple[str, dict[str, Array]]:
    """Who evaluates the model, and what these tensors are."""
    model = reading.model
    try:
        judge = evaluator(model.content, model.folder, names)
        return judge.by, judge.values(samples)
    except Exception as error:  # whatever the two evaluators raise
        line = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{reading.file}: ONNX itself cannot evaluate it ({line}); check it with onnx.checker, "
            "or read it unchecked with --no-compare"
        ) from error


def largest(tensors: Mapping[str, Floats]) -> float:
    """The largest finite number of all."""
    return max(float(np.abs(x[np.isfinite(x)]).max(initial=0)) for x in tensors.values())


def alike(found: Array, wanted: Array, peak: float = 0) -> bool:
    """Equal except for rounding; numbers that are not finite in the same places. peak: the largest
    number that they were computed from."""
    if found.shape != wanted.shape:
        return False
    one, two = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    finite = np.isfinite(two)
    if not np.array_equal(finite, np.isfinite(one)):
        return False
    one, two = one[finite], two[finite]
    margin = max(_TOLERANCE * np.abs(two).max(initial=0), _CANCELLED * peak)
    return bool((np.abs(one - two) <= margin).all())


# ---- Where they differ --------------------------------------------------------------------------


def _explain(reading: Reading, x: Floats, real: Floats) -> NoReturn:
    """Names the first tensor of the file that differs."""
    values = reading.importer.values
    own = {name for name in values if "\0" not in name}  # others are of pieces (expanding.py)
    made = [(node, name) for node in reading.model.nodes for name in node.outputs if name in own]
    by, wanted = _evaluated(reading, [name for _, name in made], real)
    tensors = run(reading.raw, x)
    peak = largest(tensors)
    for node, name in made:
        if not alike(_value(values[name], tensors, len(x)), wanted[name], peak):
            raise ModelError(
                f"{reading.file}: {printable(name)!r}, computed by node {node.name} ({node.op}), "
                f"is read as something else than {by} computes; {_ADVICE}"
            )
    raise ModelError(f"{reading.file}: is not, once simplified, what {by} computes; {_ADVICE}")


def _value(value: Value, tensors: dict[str, Floats], count: int) -> Array:
    """[n][...] as the model has it, a batch of 1 in it."""
    if isinstance(value, Constant):
        return np.broadcast_to(value.data, (count, *value.data.shape))
    return _seen(value, tensors[value.tensor])


def _seen(view: View, tensor: Floats) -> Array:
    """What a view shows of a tensor [n][...]: [n][1][...], with the batch that the model has."""
    places = np.zeros((), np.int64)
    for axis in range(len(view.axes)):
        places = places[..., np.newaxis] + view.places(axis)
    return tensor.reshape(len(tensor), -1)[:, places]
