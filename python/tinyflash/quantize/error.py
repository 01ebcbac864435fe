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
from tinyflash.runtime.reach import signal_complaint
from tinyflash.runtime.units import encode

Reals = npt.NDArray[np.floating]

_MOST_SAMPLES = 8  # the reference is slow, and a few samples are enough
_ENOUGH = 16  # samples, to hold out a quarter of them


@dataclass(frozen=True)
class LayerError:
    """The error of a layer's output, with all earlier layers in int8, too.

    snr_db: signal to noise; None without noise, and without signal. stops: the share of its numbers
    at either end of the range. constant: the output is the same for every sample, in float or
    in int8, so there is no signal.
    """

    layer: str
    operator: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    snr_db: float | None
    stops: float
    constant: bool


def hold_out(samples: Array) -> tuple[Array, Array]:
    """Splits samples [n][...] into those that choose ranges, and up to 8 others, spread evenly, to
    measure errors on: ranges always suit the samples that chose them. Few samples do both."""
    if np.ndim(samples) == 0 or len(samples) < _ENOUGH:
        return samples, samples
    count = min(len(samples) // 4, _MOST_SAMPLES)
    held = np.zeros(len(samples), bool)
    held[np.linspace(0, len(samples) - 1, count).astype(int)] = True
    return samples[~held], samples[held]


def layer_errors(network: FloatGraph, graph: Graph, samples: Array) -> tuple[LayerError, ...]:
    """Returns the error of every layer of a network quantized to `graph`, on the first few
    samples."""
    x = arranged(network, samples[:_MOST_SAMPLES])
    machine = Machine(graph)
    reals, stored = run(network, x), []
    inputs = encode(graph.input, x)
    silent = signal_complaint(inputs) is not None
    for sample in inputs:
        machine.infer(sample)
        stored.append({node.name: machine.values[node.name].copy() for node in network.nodes})
    return tuple(
        _error(graph, name, reals[name], np.stack([s[name] for s in stored]), silent=silent)
        for name in (node.name for node in network.nodes)
    )


def _error(
    graph: Graph, name: str, real: Reals, stored: npt.NDArray[np.int64], *, silent: bool
) -> LayerError:
    """silent: whether the samples carry no signal."""
    tensor = graph.tensors[name]
    node = graph.producer(name)
    assert tensor.quant is not None
    assert node is not None
    found = _real(tensor.quant, stored).reshape(real.shape)
    stops = float(np.mean((stored == -128) | (stored == 127)))
    scale, zero = tensor.quant.scale[0], tensor.quant.zero
    same = (bool((y == y[:1]).all()) for y in (real, stored))
    constant = silent or (len(real) > 1 and any(same))
    ratio = None if constant else signal_to_noise(real, found)
    return LayerError(node.name, node.op, tensor.shape, scale, zero, ratio, stops, constant)


def _real(quant: Quant, stored: npt.NDArray[np.int64]) -> Reals:
    return quant.scale[0] * (stored.astype(np.float64) - quant.zero)


def signal_to_noise(real: Reals, found: Reals) -> float | None:
    """Returns the ratio in decibel; None without noise."""
    noise = float(np.sum((found - real.astype(np.float64)) ** 2))
    signal = float(np.sum(real.astype(np.float64) ** 2))
    if noise == 0:
        return None
    return 10 * math.log10(max(signal, 1e-30) / noise)
