"""Model files: read, compiled for inference and for training, run, written and read again."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
from tests.fuzz.flat_mutator import mutate_flat
from tests.fuzz.target import FindingError, Target, refusals_allowed, run_compiled
from tests.support.floatfiles import floated
from tests.support.legacyfiles import legacy
from tests.support.networks import NETWORKS
from tests.support.random_files import random_file

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import TinyflashError
from tinyflash.graph import Graph
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.read.tflite.floating import read_float_tflite
from tinyflash.scheme import parse_scheme
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.networks import path_of

SCHEMES = tuple(
    parse_scheme(text)
    for text in (
        "[[update]]\nweights = 1.0\nbias = true",
        "[[update]]\nweights = 0.5\nbias = true\n[optimizer]\nmomentum = 0.9\nmaster = true",
        "head = 3",
        "loss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true",
        "loss = 'binary_cross_entropy'",
    )
)


def _run(path: Path) -> None:
    run_graph(read(path), path)


def run_graph(graph: Graph, path: Path) -> None:
    """`path`: of the file it comes from, which is written over."""
    choice = crc32(path.read_bytes())
    run_compiled(compile_model(graph), choice)
    with refusals_allowed():
        compiled = compile_model(graph, SCHEMES[choice % len(SCHEMES)])
        run_compiled(compiled, choice)
        _write(compiled, path)


def _write(compiled: Compiled, path: Path) -> None:
    """What the writer takes, the reader takes."""
    path = path.with_suffix(".tflite")
    path.write_bytes(write_tflite(compiled.learned(compiled.program.weights)))
    try:
        read(path)
    except TinyflashError as error:
        raise FindingError(f"written, but not read again: {error}") from error


def _seeds(folder: Path) -> list[bytes]:
    """Every operator, random networks, two that learned real tasks, and some in uint8."""
    own = [path_of(name).read_bytes() for name in ("activity", "digits")]
    path = folder / "old.tflite"
    old = []
    for name in ("conv_same", "depthwise", "residual", "pools"):
        path.write_bytes(NETWORKS[name]())
        old.append(legacy(path))
    return [*(make() for make in NETWORKS.values()), *map(random_file, range(20)), *own, *old]


def _run_float(path: Path) -> None:
    """A float file: read, and quantized by samples of its shape."""
    network = read_float_tflite(path)
    with refusals_allowed():
        samples = np.random.default_rng(0).normal(0, 1, (2, *network.source.given))
        run_graph(quantize(network, samples), path)


def _float_seeds(folder: Path) -> list[bytes]:
    path, found = folder / "int8.tflite", []
    for name in NETWORKS:
        if not name.startswith("uint8"):
            path.write_bytes(NETWORKS[name]())
            found += [floated(path, kind) for kind in ("FLOAT32", "FLOAT16", "INT8")]
    return found


TFLITE = Target(_seeds, _run, mutate_flat, ".tflite")
FLOAT_TFLITE = Target(_float_seeds, _run_float, mutate_flat, ".tflite")
