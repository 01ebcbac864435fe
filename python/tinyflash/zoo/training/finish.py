"""The end of every training script: quantizes, writes, and prints both accuracies."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.compiler import compile_model
from tinyflash.files import write_bytes
from tinyflash.graph import Graph, Quant
from tinyflash.quantize import Settings, quantize
from tinyflash.quantize.floatgraph.graph import Floats
from tinyflash.runtime.host import HostSession
from tinyflash.search.designs.torchnet import Samples as FloatSamples
from tinyflash.search.designs.torchnet import TorchNetwork, accuracy, channels_first
from tinyflash.training.loop import evaluate
from tinyflash.training.samples import Samples
from tinyflash.write.tflite import write_tflite
from tinyflash.zoo.coding import stored
from tinyflash.zoo.networks import path_of


def finish(
    name: str, trained: TorchNetwork, calibration: Floats, unseen: FloatSamples, source: Quant
) -> None:
    """Writes zoo/networks/<name>.tflite. source: the coding of its input."""
    network = replace(trained.exported(), name=name)
    graph = quantize(network, channels_first(calibration), Settings("min_max", "int8", source))
    path = path_of(name)
    write_bytes(path, write_tflite(graph))
    print(f"{name}: float {accuracy(network, unseen):.1f} % of {len(unseen[1])} unseen")
    print(f"{name}: int8 {_int8_accuracy(graph, unseen):.1f} %")
    print(f"{path}: {path.stat().st_size} bytes")


def _int8_accuracy(graph: Graph, samples: FloatSamples) -> float:
    assert graph.input.quant is not None
    x = stored(samples[0], graph.input.quant)
    return evaluate(HostSession(compile_model(graph).program), Samples(x, samples[1])).score
