"""The end of every training script: quantise, write, and tell how accurate both are."""

from __future__ import annotations

from tinyflash.compiler import compile_model
from tinyflash.files import write_bytes
from tinyflash.graph import Graph, Quant
from tinyflash.host import Session
from tinyflash.quantize import FloatNetwork, quantize
from tinyflash.quantize.network import Floats
from tinyflash.samples import Samples
from tinyflash.training import evaluate
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.coding import stored
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.training.torchnet import Samples as FloatSamples
from tinyflash.zoo.training.torchnet import accuracy


def finish(network: FloatNetwork, calibration: Floats, unseen: FloatSamples, source: Quant) -> None:
    """Writes zoo/networks/<name>.tflite; `source`: the coding of its input."""
    graph = quantize(network, calibration, source)
    path = path_of(network.name)
    write_bytes(path, write_tflite(graph))
    print(f"{network.name}: float {accuracy(network, unseen):.1f} % of {len(unseen[1])} unseen")
    print(f"{network.name}: int8 {_int8_accuracy(graph, unseen):.1f} %")
    print(f"{path}: {path.stat().st_size} bytes")


def _int8_accuracy(graph: Graph, samples: FloatSamples) -> float:
    assert graph.input.quant is not None
    x = stored(samples[0], graph.input.quant)
    return evaluate(Session(compile_model(graph).program), Samples(x, samples[1])).accuracy
