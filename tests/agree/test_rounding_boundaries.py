"""Sums upon the boundaries of rounding: there, every digit of a multiplier of SPEC 7 shows.

Random inputs meet a boundary so rarely that a multiplier with a wrong last bit passes. Here the
sums are those of TensorFlow Lite Micro's interpreter, beside every boundary, or simply all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.models import File
from tests.support.tflm import check, oracle

from tinyflash.factor import multiplier
from tinyflash.quantize import fixedpoint as fp

ENGINES = ("reference", "host")


def float32(value: float) -> float:
    return float(np.float32(value))


def written(path: Path, file: bytes) -> Path:
    target = path / "net.tflite"
    target.write_bytes(file)
    return target


# ---- Layers with weights: the bias is the sum, with x at its zero point --------------------------


def beside_boundaries(real: float) -> np.ndarray:
    """The whole numbers around each half of an output unit, at `real` units for one of the sum."""
    halves = (np.arange(-128, 128) + 0.5) / real
    return np.unique(np.floor(halves)[:, None] + np.arange(-1, 3)).astype(np.int64)


def of_biases(
    code: str, biases: np.ndarray, s_x: float, s_w: list[float], s_y: float
) -> tuple[bytes, np.ndarray]:
    """A layer whose sums are its biases, and the sample that makes them so."""
    file, out = File(), len(biases)
    one = len(s_w) == 1
    depthwise = code == "DEPTHWISE_CONV_2D"
    x = file.input((1, 1, 1, 1), s_x, 7)
    shape = {"CONV_2D": (out, 1, 1, 1), "FULLY_CONNECTED": (out, 1)}.get(code, (1, 1, 1, out))
    axis = 3 if depthwise and not one else 0
    w = file.constant(np.full(shape, 90), "INT8", axis=axis)
    b = file.constant(biases)
    file.tensors[w].scale, file.tensors[w].zero = s_w, [0] * len(s_w)
    file.tensors[b].scale, file.tensors[b].zero = [float32(s_x * s) for s in s_w], [0] * len(s_w)
    if code == "FULLY_CONNECTED":
        y = file.tensor((1, out), s_y, 0)
        file.operator(code, [x, w, b], y, "FullyConnectedOptions")
    else:
        y = file.tensor((1, 1, 1, out), s_y, 0)
        fields = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        more = {"DepthMultiplier": out} if depthwise else {}
        kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        file.operator(code, [x, w, b], y, kind, **fields, **more)
    return file.finish(y), np.full((1, 1, 1, 1), 7, np.int8)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scales", ["one", "per channel"])
@pytest.mark.parametrize("code", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
def test_layers_with_weights(code: str, scales: str, engine: str, tmp_path: Path) -> None:
    for seed in range(12):
        random = np.random.default_rng(seed)
        s_x, s_w = (float32(10 ** random.uniform(-4, -1)) for _ in range(2))
        s_y = float32(s_x * s_w * 10 ** random.uniform(1, 6))
        biases = beside_boundaries(s_x * s_w / s_y)
        weights = [s_w] if scales == "one" else [s_w] * len(biases)
        file, x = of_biases(code, biases, s_x, weights, s_y)
        check(written(tmp_path, file), x[None, 0], engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sum_that_tells_double_from_single_precision(engine: str, tmp_path: Path) -> None:
    s_x, s_w, s_y = 0.004304203670471907, 0.00013671796477865428, 7.36603542463854e-05
    file, x = of_biases("FULLY_CONNECTED", np.array([-11828]), s_x, [s_w], s_y)
    path = written(tmp_path, file)
    assert oracle(path, x)[0].ravel().tolist() == [-95]
    check(path, x, engine)


# ---- Operators of few enough inputs that all of them are tried -----------------------------------

PAIRS = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), axis=-1)


def of_pairs(code: str, scales: tuple[float, float, float], zeros: tuple[int, int, int]) -> bytes:
    """Operator of two maps that one sample of 256 x 256 x 2 holds side by side."""
    file = File()
    x = file.input((1, 256, 256, 2), scales[0], zeros[0])
    parts = []
    for channel in range(2):
        w = file.constant(np.eye(2)[[channel]].reshape(1, 1, 1, 2), "INT8", axis=0)
        file.tensors[w].scale, file.tensors[w].zero = [1.0], [0]
        b = file.constant([0])
        file.tensors[b].scale, file.tensors[b].zero = [scales[0]], [0]
        one = file.tensor((1, 256, 256, 1), scales[0], zeros[0])
        fields = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        file.operator("CONV_2D", [x, w, b], one, "Conv2DOptions", **fields)
        parts.append(one)
    # The same bytes at another scale: b is a as stored, so every pair of stored numbers occurs.
    if scales[1] != scales[0]:
        w = file.constant(np.ones((1, 1, 1, 1)), "INT8", axis=0)
        file.tensors[w].scale, file.tensors[w].zero = [float32(scales[1] / scales[0])], [0]
        b = file.constant([0])
        file.tensors[b].scale = [float32(scales[0] * float32(scales[1] / scales[0]))]
        file.tensors[b].zero = [0]
        other = file.tensor((1, 256, 256, 1), scales[1], zeros[1])
        fields = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        parts[1] = file.operator("CONV_2D", [parts[1], w, b], other, "Conv2DOptions", **fields)
    return file.finish(file.binary(code, *parts, scales[2], zeros[2]))


Scales = tuple[float, float, float]


def drawn(code: str, random: np.random.Generator) -> Scales:
    a, b = (float32(10 ** random.uniform(-3, 0)) for _ in range(2))
    reach = max(a, b) if code == "ADD" else a * b * 100
    return a, b, float32(reach * random.uniform(0.5, 3))


def tells(code: str, scales: Scales, zeros: tuple[int, int, int]) -> bool:
    """Whether a multiplier in single precision gives another output for some pair."""
    x, y = PAIRS[..., 0] - zeros[0], PAIRS[..., 1] - zeros[1]
    exact, single = (_of_pairs(code, x, y, scales, by) for by in (float, float32))
    inside = (exact + zeros[2] >= -128) & (exact + zeros[2] <= 127)
    return bool((exact != single)[inside].any())


def _of_pairs(
    code: str, x: np.ndarray, y: np.ndarray, scales: Scales, by: Callable[[float], float]
) -> np.ndarray:
    """SPEC 3.1 or 3.5 without zero point and clip, the real multiplier of y rounded by `by`."""
    a, b, s_y = scales
    if code == "MUL":
        return fp.mulq(x * y, *multiplier(by(a * b) / s_y))
    t = 2 * max(a, b)
    total = fp.mulq(x << 20, *multiplier(a / t)) + fp.mulq(y << 20, *multiplier(b / t))
    return fp.mulq(total, *multiplier(by(t / (2**20 * s_y))))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("code", ["ADD", "MUL"])
def test_all_pairs_of_operands(code: str, seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    while True:
        scales = drawn(code, random)
        zeros = tuple(int(z) for z in random.integers(-128, 128, 3))
        if tells(code, scales, zeros):  # type: ignore[arg-type]
            break
    path = written(tmp_path, of_pairs(code, scales, zeros))  # type: ignore[arg-type]
    check(path, PAIRS[None].astype(np.int8), "host")
    if seed == 0:
        check(path, PAIRS[None].astype(np.int8), "reference")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 64, 100])
def test_all_sums_of_a_mean(count: int, engine: str, tmp_path: Path) -> None:
    """Every sum that `count` numbers can have, one per channel."""
    random = np.random.default_rng(count)
    sums = np.arange(-128 * count, 127 * count + 1)
    low = sums // count
    x = low + (np.arange(count)[:, None] < sums - low * count)
    for _ in range(3):
        s_x = float32(10 ** random.uniform(-3, 0))
        s_y = float32(s_x * random.uniform(0.5, 2))
        file = File()
        of = file.input((1, count, 1, len(sums)), s_x, int(random.integers(-128, 128)))
        y = file.mean(of, [1, 2], s_y, int(random.integers(-20, 20)))
        check(written(tmp_path, file.finish(y)), x[None, :, None].astype(np.int8), engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kernel", [(1, 2), (3, 1), (2, 2), (7, 7)])
def test_all_sums_of_an_average_pool(kernel: tuple[int, int], engine: str, tmp_path: Path) -> None:
    count = kernel[0] * kernel[1]
    sums = np.arange(-128 * count, 127 * count + 1)
    low = sums // count
    x = low + (np.arange(count)[:, None] < sums - low * count)
    file = File()
    y = file.pool("AVERAGE_POOL_2D", file.input((1, *kernel, len(sums)), 0.1, 5), kernel)
    samples = x.reshape(1, *kernel, len(sums)).astype(np.int8)
    check(written(tmp_path, file.finish(y)), samples, engine)


@pytest.mark.parametrize("code", ["QUANTIZE", "RELU", "LOGISTIC", "TANH", "HARD_SWISH"])
def test_all_inputs_of_a_function(code: str, tmp_path: Path) -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        s_x = float32(10 ** random.uniform(-3, -1))
        s_y, zero = float32(s_x * random.uniform(0.6, 3)), int(random.integers(-128, 128))
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
        file = File()
        x = file.input((1, 1, 1, 256), s_x, int(random.integers(-128, 128)))
        path = written(tmp_path, file.finish(file.map(code, x, *fixed.get(code, (s_y, zero)))))
        check(path, np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 1, 256), "host")


@pytest.mark.parametrize("code", ["QUANTIZE", "RELU", "LEAKY_RELU", "ABS"])
def test_functions_of_scales_whose_ratio_single_precision_makes_simple(
    code: str, tmp_path: Path
) -> None:
    """So that single precision puts every other product of x on a half, and double beside it."""
    options = {"LEAKY_RELU": ("LeakyReluOptions", {"Alpha": 0.5}), "ABS": ("AbsOptions", {})}
    kind, fields = options.get(code, ("", {}))
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 1, 256)
    for s_x, s_y in [(0.0225, 0.03), (0.03125, 0.05), (0.1, 0.08), (0.35, 0.04)]:
        assert float32(float32(s_x) / float32(s_y)) != float32(s_x) / float32(s_y)
        file = File()
        of = file.input((1, 1, 1, 256), float32(s_x), 3)
        y = file.map(code, of, float32(s_y), -5, kind, **fields)
        check(written(tmp_path, file.finish(y)), x, "host")


@pytest.mark.parametrize("seed", range(4))
def test_all_distances_of_a_softmax(seed: int, tmp_path: Path) -> None:
    """Two classes, of every distance, one pair in a row."""
    random = np.random.default_rng(seed)
    file = File()
    x = file.input((1, 256, 2), float32(10 ** random.uniform(-2.5, -0.5)))
    path = written(tmp_path, file.finish(file.softmax(x, float32(random.uniform(0.3, 2)))))
    sample = np.stack([np.full(256, 127), np.arange(-128, 128)], axis=-1)
    check(path, sample[None].astype(np.int8), "host")


@pytest.mark.parametrize("seed", range(4))
def test_all_distances_of_a_log_softmax(seed: int, tmp_path: Path) -> None:
    """Two classes, of every distance, one pair in a row."""
    random = np.random.default_rng(seed)
    file = File()
    x = file.input((1, 256, 2), float32(10 ** random.uniform(-2.5, -0.5)))
    path = written(tmp_path, file.finish(file.log_softmax(x)))
    sample = np.stack([np.full(256, 127), np.arange(-128, 128)], axis=-1)
    check(path, sample[None].astype(np.int8), "host")


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_of_an_element_and_a_slope(seed: int, tmp_path: Path) -> None:
    """Scales for which single precision gives another output for some pair below zero."""
    random = np.random.default_rng(seed)
    stored = np.arange(-128, 128)
    while True:
        s_x, s_alpha = (float32(10 ** random.uniform(-3, 0)) for _ in range(2))
        s_y = float32(s_x * s_alpha * 100 * random.uniform(0.5, 3))
        zeros = [int(z) for z in random.integers(-20, 20, 3)]
        product = np.minimum(stored - zeros[0], 0)[:, None] * (stored - zeros[1])
        reals = s_x * s_alpha, float32(s_x * s_alpha)
        exact, single = (fp.mulq(product, *multiplier(real / s_y)) + zeros[2] for real in reals)
        if (exact != single)[(exact >= -128) & (exact <= 127)].any():
            break
    file = File()
    x = file.input((1, 256, 256), s_x, zeros[0])
    slopes = file.constant(stored, "INT8", scale=s_alpha, zero=zeros[1])
    y = file.tensor((1, 256, 256), s_y, zeros[2])
    path = written(tmp_path, file.finish(file.operator("PRELU", [x, slopes], y)))
    samples = np.repeat(stored[:, None], 256, axis=1)[None].astype(np.int8)
    for engine in ENGINES:
        check(path, samples, engine)


def test_the_sample_reaches_the_boundaries() -> None:
    """Of the sums beside boundaries, neighbours differ in their output about once in four."""
    sums = beside_boundaries(0.00798)
    assert len(sums) == 4 * 256
    assert len(np.unique(np.round(sums * 0.00798))) > 255
