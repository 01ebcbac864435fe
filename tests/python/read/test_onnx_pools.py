"""Pools of ONNX models: a sample of the sweep that `python -m tests.support.onnxpools` makes whole.

Judged by ONNX Runtime where it is installed, else by onnx's reference evaluator with the pools of
`tinyflash.read.onnx.judge`, since its own pad before the map what rounding up adds. These pools are
held against PyTorch's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from tests.support.onnxfile import OnnxFile
from tests.support.onnxpools import Pool, both, pools, samples, some_pools, verdict

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.judge.pools import pool
from tinyflash.read.onnx.reader import parse_onnx


def test_a_sample_of_the_sweep() -> None:
    counts: Counter[str] = Counter()
    for one in some_pools(300, 1):
        said = verdict(one, "")
        assert said in ("equal", "refused", "refused by the judge"), one
        counts[said] += 1
    assert counts["equal"] > 150


def test_pools_without_rounding_up_equal_the_reference_of_onnx() -> None:
    """With nothing of ours in it. It confuses the sides of a MaxPool that pads them unevenly."""
    found = [
        p
        for p in some_pools(250, 2)
        if not p.up and max(p.pads) < p.kernel and (p.op != "MaxPool" or len({*p.pads}) == 1)
    ]
    for one in found:
        x = samples(one)
        (wanted,) = ReferenceEvaluator(onnx.load_from_string(one.model)).run(None, {"x": x})
        graph = parse_onnx(one.model, "net")
        y, wanted = both(outputs(graph, graph.source.arrange(x)), wanted)
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6, err_msg=str(one))
    assert len(found) > 25


def of_torch(one: Pool, x: np.ndarray) -> np.ndarray:
    torch = pytest.importorskip("torch")
    functions: Any = torch.nn.functional
    given = (torch.tensor(x), one.kernel, one.stride, one.pads[0])
    if one.op == "MaxPool":
        y = functions.max_pool2d(*given, ceil_mode=one.up)
    else:
        y = functions.avg_pool2d(*given, ceil_mode=one.up, count_include_pad=one.padded)
    return np.asarray(y)


def test_the_judges_pools_equal_those_of_pytorch() -> None:
    """PyTorch pads by half a kernel at most, alike on all sides."""
    possible = [p for p in pools() if p.opset == 18 and p.pads[0] <= p.kernel // 2]
    for one in possible[::3]:
        x = samples(one)
        found = pool(x, one.attributes, largest=one.op == "MaxPool")
        np.testing.assert_allclose(found, of_torch(one, x), rtol=1e-5, atol=1e-6, err_msg=str(one))


def test_rounding_up_looks_at_the_map_without_the_padding_that_counts() -> None:
    """Three windows along each side of 5, not four: a fourth would start behind the map."""
    f = OnnxFile((1, 1, 5, 5), opset=18)
    y = f.node(
        "AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], pads=[1] * 4, ceil_mode=1,
        count_include_pad=1,
    )  # fmt: skip
    graph = parse_onnx(f.finish(y), "net")
    x = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    found = outputs(graph, graph.source.arrange(x))
    wanted = [[0, 0.75, 1.75], [3.75, 9, 11], [8.75, 19, 21]]
    np.testing.assert_allclose(found.reshape(3, 3), wanted)


@pytest.mark.parametrize("scheme", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_padding_by_a_scheme(op: str, scheme: str) -> None:
    """The reader compares with the judge, which must know of schemes by itself."""
    for side, kernel, stride in ((5, 2, 2), (7, 3, 2), (8, 4, 3), (6, 3, 1)):
        f = OnnxFile((1, 2, side, side), opset=12)
        y = f.node(op, "x", kernel_shape=[kernel] * 2, strides=[stride] * 2, auto_pad=scheme)
        x = np.random.default_rng(side).normal(size=(1, 2, side, side)).astype(np.float32)
        parse_onnx(f.finish(y), "net", x)


def test_a_scheme_with_windows_far_apart_is_refused() -> None:
    """ONNX Runtime pads by -1 on either side, the rule of TensorFlow by 0."""
    f = OnnxFile((1, 2, 6, 6), opset=12)
    y = f.node("AveragePool", "x", kernel_shape=[1, 1], strides=[3, 3], auto_pad="SAME_UPPER")
    with pytest.raises(ModelError, match="export with pads"):
        parse_onnx(f.finish(y), "net")
