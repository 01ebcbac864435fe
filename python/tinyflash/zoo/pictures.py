"""Picture tasks: faces for the person detector, clothing for it and for ResNet8."""

from __future__ import annotations

import numpy as np

from tinyflash.graph import Port
from tinyflash.read import read
from tinyflash.runtime.session import Int8Array
from tinyflash.runtime.units import encode
from tinyflash.scheme import scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.sources.faces import lfw_faces, stratified_halves
from tinyflash.zoo.sources.fashion import CLASSES, fashion
from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.sources.pictures import Labels, Pictures, resize
from tinyflash.zoo.task import Split, Task

_FACES = (80, 20)  # to train with, to validate; the test is the other half, as in the demo
_FASHION = (500, 500, 2000)


def faces() -> Task:
    """Faces against other pictures, with MLPerf Tiny's person detector.

    Three epochs are enough only at rates where single runs collapse, in float and in int8.
    """
    graph = read(mlperf_tiny("visual_wake_words"))
    pictures, labels = lfw_faces()

    def splits(seed: int) -> tuple[Split, ...]:
        half, test = stratified_halves(labels, seed)
        train, validation = (half[part] for part in draw(labels[half], _FACES, seed))
        return (
            Split(
                samples(graph.input, pictures, labels, train),
                samples(graph.input, pictures, labels, validation),
                samples(graph.input, pictures, labels, test),
            ),
        )

    return Task("faces", "person detector", graph, 2, scheme("person_faces"), 10, splits)


def fashion_resnet() -> Task:
    """Ten kinds of clothing, with MLPerf Tiny's ResNet8, trained on ten other classes."""
    return _fashion("ResNet8", "image_classification", "resnet_fashion", epochs=3)


def fashion_person() -> Task:
    """Ten kinds of clothing, with MLPerf Tiny's person detector.

    It must unlearn nearly everything: after three epochs, float or int8, seeds differ by 30 points.
    """
    return _fashion("person detector", "visual_wake_words", "person_fashion", epochs=10)


def _fashion(network: str, file: str, scheme_name: str, epochs: int) -> Task:
    graph = read(mlperf_tiny(file))
    (pictures, labels), (unseen, unseen_labels) = fashion("train"), fashion("t10k")

    def splits(seed: int) -> tuple[Split, ...]:
        train, validation = draw(labels, _FASHION[:2], seed)
        (test,) = draw(unseen_labels, _FASHION[2:], seed)
        return (
            Split(
                samples(graph.input, pictures, labels, train),
                samples(graph.input, pictures, labels, validation),
                samples(graph.input, unseen, unseen_labels, test),
            ),
        )

    return Task("fashion", network, graph, CLASSES, scheme(scheme_name), epochs, splits)


def samples(port: Port, pictures: Pictures, labels: Labels, chosen: Labels) -> Samples:
    """Returns the chosen grey pictures as the network reads them: resized, with three equal
    channels."""
    x = np.concatenate([_stored(port, pictures[i : i + 1]) for i in chosen])
    return Samples(x, labels[chosen])


def _stored(port: Port, pictures: Pictures) -> Int8Array:
    grey = np.rint(resize(pictures, port.shape[1]))
    if port.dtype == "int8":
        grey -= 128  # as in training: unsigned bytes, shifted to the signed range
    return encode(port, np.repeat(grey[..., np.newaxis], 3, axis=-1))
