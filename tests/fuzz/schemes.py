"""Scheme files: parsed, resolved for a network, and that network trained by them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

from tests.fuzz.mutator import flip, splice
from tests.fuzz.target import Target, run_compiled
from tests.support.networks import NETWORKS

from tinyflash.compiler import compile_model, prepare
from tinyflash.graph import Graph
from tinyflash.paths import source_root
from tinyflash.read import read
from tinyflash.scheme import load_scheme
from tinyflash.training.targets import objective_of

WORDS = tuple(
    word.encode()
    for word in (
        *("head = ", "headroom = ", "loss = ", "label_smoothing = ", "[optimizer]\n", "[rates]\n"),
        *("[[update]]\n", "layers = ", "last = ", "operator = ", "weights = ", "bias = "),
        *("rate = ", "momentum = ", "accumulate = ", "master = ", "rounding = ", "true", "false"),
        *("weight_decay = ", "saturation_limit = ", '"conv2d"', '"conv2d_1"', "0.5", "1.0", "-1"),
        *("1e400", "nan", "inf", "[]", "{}", "[[", "]]", '""', '"mean_squared_error"', "0x7f"),
        *("99999999999999999999", "9" * 5000, "[" * 3000, "1979-05-27", "\n", "#", "'''", "é"),
        *('"binary_cross_entropy"', '"nearest"', "0", "1", "2", "3", "65535", "65536", "\0"),
    )
)


@cache
def network(folder: Path) -> Graph:
    """The network that schemes are for."""
    path = folder / "network.tflite"
    path.write_bytes(NETWORKS["float_ends"]())
    return read(path)


def _run(path: Path) -> None:
    graph = network(path.parent)
    scheme = load_scheme(path)
    run_compiled(compile_model(graph, scheme), 1)
    objective_of(prepare(graph, scheme))


def _seeds(_: Path) -> list[bytes]:
    text = (source_root() / "docs" / "manual.md").read_text(encoding="utf-8")
    named = '[[update]]\nlayers = ["conv2d_1"]\nweights = 0.5\nbias = true\n'
    texts = (text.split("```toml\n")[1].split("```")[0], named, "head = 2\n[[update]]\nlast = 1\n")
    return [t.encode() for t in texts]


def _mutate(content: bytes, random: Random, _: Path) -> bytes:
    for _ in range(random.randrange(1, 4)):
        content = splice(content, WORDS, random) if random.random() < 0.7 else flip(content, random)
    return content


SCHEME = Target(_seeds, _run, _mutate, ".toml")
