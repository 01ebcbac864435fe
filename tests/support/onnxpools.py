"""Pools of ONNX models by the thousand: every size, stride, padding and mode, in every opset.

python -m tests.support.onnxpools     holds all of them against ONNX Runtime
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.support.onnxfile import OnnxFile

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.judge import evaluator
from tinyflash.read.onnx.reader import parse_onnx

OPSETS = range(10, 23)


@dataclass(frozen=True)
class Pool:
    """pads: top, left, bottom, right."""

    op: str
    opset: int
    side: int
    kernel: int
    stride: int
    pads: tuple[int, int, int, int]
    up: bool
    padded: bool  # count_include_pad

    @property
    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kernel_shape": [self.kernel] * 2,
            "strides": [self.stride] * 2,
            "pads": list(self.pads),
            "ceil_mode": int(self.up),
        }
        if self.op == "AveragePool":
            found["count_include_pad"] = int(self.padded)
        return found

    @property
    def model(self) -> bytes:
        f = OnnxFile((1, 2, self.side, self.side), opset=self.opset)
        return f.finish(f.node(self.op, "x", **self.attributes))


def samples(pool: Pool) -> np.ndarray:
    shape = (1, 2, pool.side, pool.side)
    return np.random.default_rng(pool.side).normal(size=shape).astype(np.float32)


def pools() -> Iterator[Pool]:
    """All, with the same padding on every side."""
    for op, opset, side, kernel, stride, pad, up, padded in itertools.product(
        ("AveragePool", "MaxPool"), OPSETS, range(4, 10), range(1, 5), range(1, 5), range(3),
        (False, True), (False, True),
    ):  # fmt: skip
        if op == "AveragePool" or not padded:
            yield Pool(op, opset, side, kernel, stride, (pad,) * 4, up, padded)


def some_pools(count: int, seed: int) -> list[Pool]:
    """Drawn of all, each side with a padding of its own."""
    draw = random.Random(seed)
    return [
        Pool(
            draw.choice(("AveragePool", "MaxPool")),
            draw.choice(OPSETS),
            draw.randint(4, 9),
            draw.randint(1, 4),
            draw.randint(1, 4),
            tuple(draw.randint(0, 2) for _ in range(4)),  # type: ignore[arg-type]
            draw.random() < 0.5,
            draw.random() < 0.5,
        )
        for _ in range(count)
    ]


def verdict(pool: Pool, by: str) -> str:
    """Whether what is read equals the judge's: "equal", "refused", or what is wrong."""
    x = samples(pool)
    try:
        graph = parse_onnx(pool.model, "net")
    except ModelError as error:
        covered = max(pool.pads) < pool.kernel
        return f"refused: {error}" if covered else "refused"
    try:
        wanted = evaluator(pool.model, None, ["v0"], by).values(x)["v0"][:, 0]
    except Exception:
        if max(pool.pads) < pool.kernel:
            raise
        return "refused by the judge"  # ONNX Runtime: padding as large as the kernel
    found, wanted = both(outputs(graph, graph.source.arrange(x)), wanted)
    if found.shape != wanted.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    close = np.allclose(found, wanted, rtol=1e-5, atol=1e-6)
    return "equal" if close else "other numbers"


def both(found: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both channels last, without dimensions of one: where these are is free."""
    return found.squeeze(), np.moveaxis(wanted, 1, -1).squeeze()


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for one in pools():
        said = verdict(one, "runtime")
        counts[said.split(":")[0]] += 1
        if said not in ("equal", "refused", "refused by the judge"):
            print(one, said)
    print(dict(counts))
