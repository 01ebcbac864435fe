"""Random ONNX models of one to six nodes, over all operators, attributes and opsets that are read.

python -m tests.support.random_onnx 3000     holds that many against ONNX Runtime
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
from tests.support.onnxconstants import CONSTANT_MAKERS
from tests.support.onnxdraw import Drawing, NotDrawnError
from tests.support.onnxintegers import INTEGER_MAKERS
from tests.support.onnxmakers import MAKERS

from tinyflash.errors import ModelError
from tinyflash.read.onnx.file import parse
from tinyflash.read.onnx.judge import evaluator
from tinyflash.read.onnx.reader import OPERATORS, reading

OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)
TOLERANCE = 1e-5  # of the largest number
CANCELLED = 0.1  # of the largest number on the way, where sums end near 0: 16 roundings of it
_TRIES = 20


@dataclass(frozen=True)
class Trial:
    """said: "equal", "cut, equal" (an end is left out), "refused", "not judged" or what is wrong.
    operators: all that it has."""

    said: str
    operators: tuple[str, ...]
    opset: int
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.said in ("equal", "cut, equal", "refused", "not judged")


def drawn(seed: int) -> tuple[bytes, np.ndarray, Drawing]:
    """A model, and samples of its input."""
    opset = OPSETS[seed % len(OPSETS)]
    d = Drawing(seed, opset)
    makers = [*MAKERS.values(), *INTEGER_MAKERS.values(), *CONSTANT_MAKERS.values()]
    count, tries = d.draw.randint(1, 6), 0
    while len(d.maps) <= count and tries < _TRIES:
        tries += 1
        try:
            d.draw.choice(makers)(d)
        except (NotDrawnError, IndexError, ValueError):
            continue
    if len(d.maps) == 1:
        d.node("Relu", "x")
    shape = (2, *d.shape("x")[1:])
    samples = np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32)
    return d.file.finish(d.maps[-1]), samples, d


def trial(seed: int, by: str = "") -> Trial:
    """A random model read, and held against a judge: see `judge.evaluator`."""
    content, samples, d = drawn(seed)
    made = tuple(f"{n.domain}.{n.op_type}".lstrip(".") for n in d.file.nodes)
    try:
        found = reading("net", parse(content, "net", "net", None))
    except ModelError as error:
        return Trial("refused", made, d.opset, str(error))
    (output,) = found.model.outputs  # an end that cannot be read is left out
    try:
        wanted = evaluator(content, None, [output], by).values(samples)[output]
    except Exception as error:
        return Trial("not judged", made, d.opset, str(error))
    y, largest = found.answers(found.network.source.arrange(samples))
    if y.shape != wanted.shape:
        return Trial(f"shape {y.shape}, not {wanted.shape}", made, d.opset)
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(y)):
        return Trial("other infinite numbers", made, d.opset)
    peak = max(np.abs(wanted[finite]).max(initial=1e-30), CANCELLED * largest)
    error = np.abs(y - wanted)[finite].max(initial=0) / peak
    said = "cut, equal" if found.network.unread else "equal"
    said = said if error <= TOLERANCE else f"off by {error:.1e}"
    return Trial(said, made, d.opset)


def main(count: int, first: int = 0, by: str = "") -> None:
    said: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for seed in range(first, first + count):
        found = trial(seed, by)
        said[found.said if found.passed else "wrong"] += 1
        if found.said == "equal":
            read.update(set(found.operators))
        if not found.passed or found.said == "not judged":
            print(seed, found)
    print(dict(said))
    print({op: read[op] for op in sorted(OPERATORS)})


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:3]), *sys.argv[3:])
