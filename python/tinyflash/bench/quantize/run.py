"""Measures how much quantization changes networks' answers, and whether they can still learn.

Four float networks: MobileNetV2 with ImageNet weights, and three small ones that are trained here
on Fashion-MNIST. Each goes through ONNX to every quantizer, with the same calibration samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflash.bench.quantize.quantizers import int8, quantizers
from tinyflash.compiler import compile_model
from tinyflash.errors import DataError
from tinyflash.graph import Graph
from tinyflash.quantize.error import signal_to_noise
from tinyflash.quantize.floatgraph.graph import Floats
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.quantize.quantizer import Settings
from tinyflash.read.onnx.reader import read_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import encode
from tinyflash.scheme import parse_scheme
from tinyflash.zoo.sources.fashion import fashion
from tinyflash.zoo.sources.photographs import crops
from tinyflash.zoo.sources.pictures import Labels

NETWORKS = ("mobilenetv2", "plain", "residual", "squeeze-excite")
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels

# The trained part of each network: a new classifier, and some weights and biases of its last
# layers.
_SCHEME = "head = {classes}\n[[update]]\nlast = 2\nbias = true\nweights = 0.25"
_STEPS, _RATE, _CLASSES = 64, 0.05, 4


@dataclass(frozen=True)
class Effort:
    """Numbers of samples for calibration and evaluation, and for training the small networks."""

    calibration: int
    judged: int
    pictures: int
    epochs: int


WHOLE = Effort(calibration=64, judged=400, pictures=12000, epochs=4)
QUICK = Effort(calibration=8, judged=16, pictures=640, epochs=1)


@dataclass(frozen=True)
class Subject:
    """A float network as a file, and samples as it reads them. kinds: the class of each evaluation
    sample. known: whether these are the network's own classes, otherwise new ones to learn."""

    name: str
    path: Path
    calibration: Floats
    judged: Floats
    kinds: Labels
    known: bool


@dataclass(frozen=True)
class Row:
    """disagreement: evaluation samples with another answer than in float. accuracy: if there are
    labels. Both are in percent. snr_db: of all outputs."""

    network: str
    quantizer: str
    samples: int
    disagreement: float
    accuracy: float | None
    snr_db: float | None


@dataclass(frozen=True)
class Learned:
    """The mean loss of a network's first and last passes over its training samples."""

    network: str
    steps: int
    loss_before: float
    loss_after: float


def subject(name: str, effort: Effort, folder: Path) -> Subject:
    """Writes one of NETWORKS to a folder."""
    from tinyflash.read.torch import exported

    if name not in NETWORKS:
        raise DataError(f"no network {name!r}; choose one of {', '.join(NETWORKS)}")
    make = _mobilenet if name == "mobilenetv2" else _small
    module, calibrating, (judged, kinds) = make(name, effort)
    path = folder / f"{name}.onnx"
    path.write_bytes(exported(module, calibrating[:1]))
    return Subject(name, path, calibrating, judged, kinds, known=make is _small)


Made = tuple[object, Floats, tuple[Floats, Labels]]  # a module, calibration and evaluation samples


def _mobilenet(name: str, effort: Effort) -> Made:
    from tinyflash.bench.quantize.float_networks import mobilenet

    assert name == "mobilenetv2"

    def pictures(count: int, *, calibration: bool) -> tuple[Floats, Labels]:
        found, numbers = crops(count, 0, calibration=calibration)
        mean, deviation = (np.array(v, np.float32) for v in (_MEAN, _DEVIATION))
        normal: Floats = (found - mean) / deviation
        return np.ascontiguousarray(normal.transpose(0, 3, 1, 2)), numbers

    calibrating, _ = pictures(effort.calibration, calibration=True)
    return mobilenet(), calibrating, pictures(effort.judged, calibration=False)


def _small(name: str, effort: Effort) -> Made:
    import torch

    from tinyflash.bench.quantize.float_networks import train

    def part(of: str, count: int) -> tuple[Floats, Labels]:
        x, y = fashion(of)
        return (x[:count, np.newaxis] / np.float32(255)).astype(np.float32), y[:count]

    x, y = part("train", effort.pictures)
    module = train(name, torch.from_numpy(x), torch.from_numpy(y), effort.epochs)
    return module, x[: effort.calibration], part("t10k", 5 * effort.judged)


def compare(one: Subject, listen: Callable[[str], None]) -> list[Row]:
    """Runs every quantizer on one network. listen: called with the progress."""
    network = read_onnx(one.path)
    listen("float")
    real = outputs(network, network.source.arrange(one.judged)).reshape(len(one.judged), -1)
    rows = [_row(one, "float", real, real)]
    for name, quantizer in quantizers().items():
        listen(name)
        found = quantizer(one.path, one.calibration)(one.judged)
        rows.append(_row(one, name, real, found.reshape(real.shape)))
    return rows


def _row(one: Subject, quantizer: str, real: Floats, found: Floats) -> Row:
    answers, wanted = found.argmax(axis=1), real.argmax(axis=1)
    accuracy = 100 * float(np.mean(answers == one.kinds)) if one.known else None
    return Row(
        one.name,
        quantizer,
        len(real),
        100 * float(np.mean(answers != wanted)),
        accuracy,
        signal_to_noise(real, found),
    )


def learn(one: Subject) -> Learned:
    """Trains the quantized network on a new task with the C library: a few samples, repeatedly."""
    graph = int8(one.path, one.calibration, Settings.ranges)
    x, y = _task(one, graph)
    scheme = parse_scheme(_SCHEME.format(classes=_CLASSES))
    session = HostSession(compile_model(graph, scheme, calibration=(x, y)).program)
    losses = []
    for step in range(_STEPS):
        i = step % len(x)
        probability = session.train_step(x[i], int(y[i]), _RATE).probability
        losses.append(-math.log(max(probability, 2**-15)))
    ends = np.mean(losses[: len(x)]), np.mean(losses[-len(x) :])
    return Learned(one.name, _STEPS, float(ends[0]), float(ends[1]))


def _task(one: Subject, graph: Graph) -> tuple[np.ndarray, Labels]:
    """Returns two samples of each of four classes: clothes, or crops of four photographs."""
    chosen = [np.flatnonzero(one.kinds == kind)[:2] for kind in range(_CLASSES)]
    indices = np.concatenate(chosen)
    source = read_onnx(one.path).source
    x = encode(graph.input, source.arrange(one.judged[indices]))
    return x, np.repeat(np.arange(_CLASSES), [len(c) for c in chosen])
