"""Measures the quantization error of each layer: int8 output against float output."""

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

_MOST_SAMPLES = 8  # the reference is slow, and a few samples are enough


@dataclass(frozen=True)
class LayerError:
    """The error of a layer's output, with all earlier layers in int8, too. snr_db: signal to noise;
    None without noise. stops: the share of its numbers at either end of the range."""

    layer: str
    operator: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    snr_db: float | None
    stops: float


def layer_errors(network: FloatGraph, graph: Graph, samples: Array) -> tuple[LayerError, ...]:
    """Returns the error of every layer of a network quantized to `graph`, on the first few
    samples."""
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
    """Returns the ratio in decibel; None without noise."""
    noise = float(np.sum((found - real.astype(np.float64)) ** 2))
    signal = float(np.sum(real.astype(np.float64) ** 2))
    if noise == 0:
        return None
    return 10 * math.log10(max(signal, 1e-30) / noise)
