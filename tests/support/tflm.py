"""TensorFlow Lite Micro's interpreter, which our sessions must agree with bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyflash.compiler import compile_model
from tinyflash.compiler.verify import verify
from tinyflash.graph import Graph, Port
from tinyflash.read import read
from tinyflash.reference import Machine
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Int8Array
from tinyflash.runtime.units import decode, encode
from tinyflash.zoo.sources import lfw_faces
from tinyflash.zoo.sources.pictures import resize

runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
Samples = np.ndarray[Any, Any]
Infer = Callable[[Int8Array], Int8Array]
ENGINES: dict[str, Callable[[Graph], Infer]] = {
    "reference": lambda graph: Machine(graph).infer,
    "host": lambda graph: HostSession(compile_model(graph).program).infer,
}


def oracle(path: Path, samples: Samples) -> list[Samples]:
    """What TFLM's interpreter makes of each sample."""
    interpreter = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 23)
    outputs = []
    for x in samples:
        interpreter.set_input(x[np.newaxis], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0))
    return outputs


def random_samples(port: Port, count: int, seed: int) -> Samples:
    """Over the whole range of the input, and beyond it where it is float."""
    random = np.random.default_rng(seed)
    shape = (count, *port.shape[1:])
    stored = random.integers(-128, 128, shape).astype(np.int8)
    if port.dtype != "float32":
        return stored.view(port.dtype)
    assert port.quant is not None
    scale, zero = port.quant.scale[0], port.quant.zero
    real = (stored.astype(np.float64) * 1.1 - zero) * scale
    return (real + random.uniform(-0.5, 0.5, shape) * scale).astype(np.float32)


def check(path: Path, samples: Samples, engine: str) -> None:
    graph = read(path)
    verify(graph)
    infer = ENGINES[engine](graph)
    stored = encode(graph.input, samples)
    for i, expected in enumerate(oracle(path, samples)):
        y = decode(graph.output, infer(stored[i]))
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y, expected.ravel(), err_msg=f"sample {i}")


def pictures(side: int) -> Samples:
    """20 real pictures, ten of them faces: float32 [20][side][side][3], 0..255."""
    grey, _ = lfw_faces()
    chosen = np.concatenate([grey[:10], grey[-10:]])
    return np.repeat(resize(chosen, side)[..., np.newaxis], 3, axis=-1)
