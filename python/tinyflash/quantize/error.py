"""What quantization costs, layer by layer: each int8 layer's output against the float one's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Array, Graph, Quant
from tinyflash.quantize.floatgraph.graph import FloatGraph
from tinyflash.quantize.floatgraph.run import run
from tinyflash.quantize.quantizer import arranged
from tinyflash.reference import Machine
from tinyflash.runtime.units import encode

Reals = npt.NDArray[np.floating]

_MOST_SAMPLES = 8  # the reference is slow, and a few samples tell


@dataclass(frozen=True)
class LayerError:
    """A layer's output in int8, all before it in int8 as well. snr_db: signal to noise; None where
    there is no noise. stops: share of its numbers that lie at either end of the range."""

    layer: str
    operator: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    snr_db: float | None
    stops: float


def layer_errors(network: FloatGraph, graph: Graph, samples: Array) -> tuple[LayerError, ...]:
    """Of every layer of a network that was quantized to `graph`, on its first few samples."""
    x = arranged(network, samples[:_MOST_SAMPLES])
    machine = Machine(graph)
    reals, stored = run(network, x), []
    for sample in encode(graph.input, x):
        machine.infer(sample)
        stored.append({node.name: machine.values[node.name].copy() for node in network.nodes})
    return tuple(
        _error(graph, node.name, reals[node.name], np.stack([s[node.name] for s in stored]))
        for node in network.nodes
    )


def _error(graph: Graph, name: str, real: Reals, stored: npt.NDArray[np.int64]) -> LayerError:
    tensor = graph.tensors[name]
    node = graph.producer(name)
    assert tensor.quant is not None
    assert node is not None
    found = _real(tensor.quant, stored).reshape(real.shape)
    stops = float(np.mean((stored == -128) | (stored == 127)))
    scale, zero = tensor.quant.scale[0], tensor.quant.zero
    ratio = signal_to_noise(real, found)
    return LayerError(node.name, node.op, tensor.shape, scale, zero, ratio, stops)


def _real(quant: Quant, stored: npt.NDArray[np.int64]) -> Reals:
    return quant.scale[0] * (stored.astype(np.float64) - quant.zero)


def signal_to_noise(real: Reals, found: Reals) -> float | None:
    """In decibel; None where there is no noise."""
    noise = float(np.sum((found - real.astype(np.float64)) ** 2))
    signal = float(np.sum(real.astype(np.float64) ** 2))
    if noise == 0:
        return None
    return 10 * math.log10(max(signal, 1e-30) / noise)
