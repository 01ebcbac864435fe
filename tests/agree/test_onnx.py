"""ONNX models, quantized: close to float, written as .tflite, and there TFLM computes the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.support.onnxfile import random_samples
from tests.support.onnxmodels import NETWORKS
from tests.support.tflm import check, oracle

from tinyflash.compiler import compile_model
from tinyflash.compiler.verify import verify
from tinyflash.quantize import quantize
from tinyflash.quantize.error import signal_to_noise
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme import parse_scheme
from tinyflash.write.tflite import write_tflite


@pytest.mark.parametrize("name", NETWORKS)
def test_quantized_close_to_float_and_equal_to_tflm(name: str, tmp_path: Path) -> None:
    network = parse_onnx(NETWORKS[name](), name)
    samples = random_samples(network, 60)
    graph = quantize(network, samples)
    verify(graph)
    x = network.source.arrange(samples)
    session = HostSession(compile_model(graph).program)
    y = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    real = outputs(network, x).reshape(y.shape)
    ratio = signal_to_noise(real, y.astype(np.float64))
    assert ratio is not None
    assert ratio > 30, f"{ratio:.1f} dB"

    path = tmp_path / f"{name}.tflite"
    path.write_bytes(write_tflite(graph))
    check(path, x[:5], "host")
    of_tflm = np.stack([one.ravel() for one in oracle(path, x[:5])])
    np.testing.assert_array_equal(of_tflm, y[:5])


@pytest.mark.parametrize("name", ["plain", "residual", "excited", "one_dimensional"])
def test_it_learns(name: str) -> None:
    """A few steps on samples that differ in brightness lower the loss, by the C library."""
    network = parse_onnx(NETWORKS[name](), name)
    samples = random_samples(network, 60)
    for label in range(3):
        samples[label::3] += 2 * (label - 1)
    graph = quantize(network, samples)
    scheme = parse_scheme("head = 3\n[[update]]\nlast = 2\nbias = true\nweights = 1.0")
    session = HostSession(compile_model(graph, scheme).program)
    x = encode(graph.input, network.source.arrange(samples[:6]))
    losses = []
    for _ in range(40):
        outcomes = [session.train_step(one, i % 3, 0.05) for i, one in enumerate(x)]
        losses.append(-sum(math.log(max(o.probability, 2**-15)) for o in outcomes))
    assert losses[-1] < 0.7 * losses[0]
