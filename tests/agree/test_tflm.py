"""Forward passes are those of TensorFlow Lite Micro, bit for bit, from a file's input to output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.models import File
from tests.support.networks import NETWORKS
from tests.support.tflm import ENGINES, check, oracle, pictures, random_samples

from tinyflash.errors import ModelError
from tinyflash.read import read
from tinyflash.zoo.sources import MLPERF_TINY, OTHER_NETWORKS, mlperf_tiny, other_network


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_small_networks(name: str, engine: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(NETWORKS[name]())
    samples = random_samples(read(path).input, 100, seed=len(name))
    outputs = {y.tobytes() for y in oracle(path, samples[:20])}
    assert len(outputs) > 10, "the network does not depend on its input"
    check(path, samples, engine)


@pytest.mark.parametrize("name", MLPERF_TINY)
def test_mlperf_tiny_on_random_inputs(name: str) -> None:
    path = mlperf_tiny(name)
    check(path, random_samples(read(path).input, 100, seed=1), "host")
    check(path, random_samples(read(path).input, 2, seed=2), "reference")


@pytest.mark.parametrize("name", OTHER_NETWORKS)
def test_networks_of_other_makers(name: str) -> None:
    path = other_network(name)
    check(path, random_samples(read(path).input, 20, seed=3), "host")


def random_window(seed: int) -> bytes:
    """One layer with a sliding window, everything about it drawn by `seed`."""
    file = File(seed)
    random = file.random

    def pair(high: int) -> tuple[int, int]:
        return int(random.integers(1, high + 1)), int(random.integers(1, high + 1))

    kernel, dilation = pair(4), pair(3) if seed % 3 == 0 else (1, 1)
    sides = [
        (k - 1) * d + int(random.integers(1, 9)) for k, d in zip(kernel, dilation, strict=True)
    ]
    channels, zero = pair(7)[0], int(random.choice([-128, 127, 0, 5]))
    x = file.input((1, *sides, channels), float(random.uniform(0.001, 2)), zero)
    common = {"stride": pair(3), "padding": int(random.integers(2)), "activation": seed % 4}
    if seed % 5 == 4:
        code = ("AVERAGE_POOL_2D", "MAX_POOL_2D")[seed % 2]
        return file.finish(file.pool(code, x, kernel, **common))
    code = ("CONV_2D", "DEPTHWISE_CONV_2D")[seed % 2]
    out = channels * pair(3)[0]
    more = {"zero": int(random.choice([-128, 127, -9])), "per_channel": seed % 7 < 4}
    if code == "CONV_2D" and seed % 4 == 2:
        more["groups"] = channels
    return file.finish(
        file.window(
            code, x, kernel, out=out, dilation=dilation, bias=seed % 11 > 0, **common, **more
        )
    )


@pytest.mark.parametrize("seed", range(40))
def test_random_windows(seed: int, tmp_path: Path) -> None:
    """Any kernel, stride, dilation, padding, activation, zero points, groups."""
    path = tmp_path / "net.tflite"
    path.write_bytes(random_window(seed))
    check(path, random_samples(read(path).input, 5, seed), "host")


def random_product(seed: int) -> bytes:
    """A map times one made of it, of its shape or a row of it, scales and zero points drawn."""
    file = File(seed)
    random = file.random
    height, width, channels = (int(n) for n in random.integers(1, 7, 3))
    zeros = [int(random.choice([-128, 127, 0, 5])) for _ in range(3)]
    x = file.input((1, height, width, channels), float(random.uniform(0.001, 2)), zeros[0])
    shapes = ((height, width, channels), (1, width, channels), (1, 1, channels), (1, 1, 1))
    shapes += ((height, width, 1), (height, 1, channels))
    shape = (1, *shapes[seed % 6])
    flat = file.dense(x, int(np.prod(shape)), zero=zeros[1])
    operands = (x, file.reshape(flat, shape))
    scales = [(file.tensors[t].scale or [0.0])[0] for t in operands]
    scale = float(np.float32(scales[0] * scales[1] * random.uniform(10, 100)))
    a, b = operands[:: -1 if seed % 3 == 0 else 1]
    return file.finish(file.binary("MUL", a, b, scale, zeros[2], activation=seed % 5 % 4))


@pytest.mark.parametrize("seed", range(30))
def test_random_products(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_product(seed))
    check(path, random_samples(read(path).input, 20, seed), "host")


def random_sum(seed: int) -> bytes:
    """A sum or a difference to a constant, or of two maps. Scales of two digits make many ties."""
    file = File(seed)
    random = file.random
    a, b, y = (float(np.float32(n / 100)) for n in random.integers(1, 20, 3))
    x = file.input((1, 9, 7, 3), a, 4)
    shape = ((1,), (3,), (1, 1, 3), (9, 1, 1), (7, 1), (1, 9, 7, 3))[seed % 6]
    other = file.constant(random.integers(-128, 128, shape), "INT8", scale=b, zero=-7)
    operands = (x, other) if seed % 4 < 2 else (other, x)
    code = ("SUB", "ADD")[seed // 6 % 2]
    if seed % 5 == 0:
        operands = (x, file.map("QUANTIZE", x, b, 9))
    return file.finish(file.binary(code, *operands, 2 * y, 3, activation=seed % 3 % 2))


@pytest.mark.parametrize("seed", range(48))
def test_random_sums_and_differences(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_sum(seed))
    check(path, random_samples(read(path).input, 20, seed), "host")


def random_slopes(seed: int) -> bytes:
    """PRELU of slopes that broadcast, both signs, coarse and fine; any zero points."""
    file = File(seed)
    random = file.random
    whole = tuple(int(n) for n in random.integers(1, 8, 3))
    height, width, channels = whole
    shapes = ((channels,), (1, 1, channels), (1, *whole), (width, 1), (height, 1, 1), whole[1:])
    zeros = [int(random.choice([-128, 127, 0, 5])) for _ in range(3)]
    alpha, scale = (float(np.float32(10**n)) for n in random.uniform(-4, 1, 2))
    x = file.input((1, *whole), scale, zeros[0])
    stored = random.integers(-128, 128, shapes[seed % 6])
    slopes = file.constant(stored, "INT8", scale=alpha, zero=zeros[1])
    ratio = max(1.0, 50 * alpha) if seed % 2 else 1.0
    y = file.tensor((1, *whole), float(np.float32(scale * ratio)), zeros[2])
    return file.finish(file.operator("PRELU", [x, slopes], y))


@pytest.mark.parametrize("seed", range(48))
def test_random_slopes(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_slopes(seed))
    check(path, random_samples(read(path).input, 20, seed), "host")


@pytest.mark.parametrize("seed", range(40))
def test_random_log_softmaxes(seed: int, tmp_path: Path) -> None:
    """Few classes and as many as there may be, alike and far apart, of fine and coarse scales."""
    file = File(seed)
    classes = (1, 2, 3, 10, 100, 1000, 4095)[seed % 7]
    scale = float(np.float32(10 ** file.random.uniform(-4, 1.5)))
    x = file.input((1, 3, classes), scale, int(file.random.choice([-128, 127, 3])))
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(file.log_softmax(x)))
    samples = random_samples(read(path).input, 8, seed) // np.int8((1, 16)[seed % 2])
    for engine in ENGINES:
        check(path, samples, engine)


def random_maximum(seed: int) -> bytes:
    """Along adjacent axes of one to four, some with more places than a kernel has, or a prime."""
    file = File(seed)
    random = file.random
    shape = [1, *(int(n) for n in random.integers(1, 8, 3))]
    shape[1 + seed % 3] = (257, 256, 300, 7)[seed // 3 % 4]
    first = int(random.integers(4))
    axes = list(range(first, int(random.integers(first, 4)) + 1))
    x = file.input(tuple(shape), 0.1, 4)
    return file.finish(file.reduce_max(x, axes, keep=bool(seed % 2 or len(axes) == 4)))


@pytest.mark.parametrize("seed", range(24))
def test_random_maxima(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_maximum(seed))
    check(path, random_samples(read(path).input, 3, seed), "host")


def random_batches(seed: int, apart: bool) -> bytes:
    """A convolution on a map dealt out to a batch, with any padding before and cropping after."""
    file = File(seed)
    random = file.random
    sides = 1 + seed % 2

    def some(low: int, high: int) -> list[int]:
        return random.integers(low, high, sides).tolist()  # type: ignore[no-any-return]

    block, size, kernel = some(1, 4), some(5, 12), some(1, 4)
    before, more = some(2, 5), some(2, 5)
    pads = [[b, m + (-n - b - m) % k] for n, b, m, k in zip(size, before, more, block, strict=True)]
    crops = [[int(random.integers(b)), int(random.integers(3))] for b in before]
    code = ("CONV_2D", "DEPTHWISE_CONV_2D")[seed // 2 % 2]
    x = file.input((1, *size, 3), 0.1, int(random.choice([-128, 7])))
    window = ([1] * (2 - sides) + kernel)[:2]
    rest = {"out": 3, "padding": seed // 4 % 2, "activation": seed % 3 % 2, "apart": apart}
    return file.finish(
        file.dealt(x, block, pads, crops, code=code, kernel=(window[0], window[1]), **rest)
    )


@pytest.mark.parametrize("seed", range(48))
def test_random_batches_around_a_convolution(seed: int, tmp_path: Path) -> None:
    """TFLM's SPACE_TO_BATCH_ND pads with memory that it never set, so it is given a PAD instead."""
    path, other = tmp_path / "net.tflite", tmp_path / "apart.tflite"
    path.write_bytes(random_batches(seed, apart=False))
    other.write_bytes(random_batches(seed, apart=True))
    try:
        graph = read(path)
    except ModelError as error:
        assert "supported only around one convolution" in str(error)
        pytest.skip("crops more than it pads")
    samples = random_samples(graph.input, 3, seed)
    infer = ENGINES["host"](graph)
    assert {n.op for n in graph.nodes} <= {"conv2d", "depthwise", "reshape"}
    for x, y in zip(samples, oracle(other, samples), strict=True):
        np.testing.assert_array_equal(infer(x), y.ravel())


def random_transposed(seed: int) -> bytes:
    file = File(seed)
    random = file.random
    height, width, channels, out = (int(n) for n in random.integers(1, 6, 4))
    kernel = int(random.integers(1, 6)), int(random.integers(1, 6))
    stride = int(random.integers(1, 4)), int(random.integers(1, 4))
    x = file.input((1, height, width, channels), 0.1, int(random.choice([-128, 127, 9])))
    more = int(random.integers(stride[0])), int(random.integers(stride[1]))
    scheme = {"padding": seed % 2, "per_channel": seed % 3 > 0, "bias": seed % 5 > 0}
    return file.finish(
        file.transposed(x, kernel, out=out, stride=stride, more=more, **scheme)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", range(60))
def test_random_transposed_convolutions(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_transposed(seed))
    check(path, random_samples(read(path).input, 3, seed), "host")


def random_resize(seed: int) -> bytes:
    file = File(seed)
    height, width, channels, tall, wide = (int(n) for n in file.random.integers(1, 20, 5))
    x = file.input((1, height, width, channels), 0.1, 4)
    ways: tuple[dict[str, bool], ...] = ({}, {"AlignCorners": True}, {"HalfPixelCenters": True})
    if seed % 2:
        tall, wide = height * (tall % 5 + 1), width * (wide % 5 + 1)
    return file.finish(file.resize(x, tall, wide, **ways[seed % 3]))


@pytest.mark.parametrize("seed", range(36))
def test_random_resizes(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_resize(seed))
    check(path, random_samples(read(path).input, 3, seed), "host")


def random_slice(seed: int) -> bytes:
    """Any begin, end and step from either side, with masks that TFLM knows, of 2 to 4 axes."""
    file = File(seed)
    random = file.random
    shape = (1, *(int(n) for n in random.integers(2, 9, seed % 3 + 1)))
    spans = []
    for n in shape:
        low, high = sorted(random.choice(n + 1, 2, replace=False).tolist())
        spans.append((low - n * int(random.integers(2)), high, int(random.integers(1, 4))))
    begins = int(random.integers(16)) & ~1
    taken = [
        range(n)[None if begins >> i & 1 else low : high : step]
        for i, (n, (low, high, step)) in enumerate(zip(shape, spans, strict=True))
    ]
    x = file.input(shape, 0.1, 4)
    begin, end, step = (list(numbers) for numbers in zip(*spans, strict=True))
    made = tuple(map(len, taken))
    return file.finish(file.slice(x, begin, end, step, made, BeginMask=begins))


@pytest.mark.parametrize("seed", range(40))
def test_random_slices(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(random_slice(seed))
    check(path, random_samples(read(path).input, 3, seed), "host")


def test_person_detector_on_real_pictures() -> None:
    check(mlperf_tiny("visual_wake_words"), pictures(96), "host")


def test_image_classifier_on_real_pictures() -> None:
    samples = (np.rint(pictures(32)) - 128).astype(np.int8)
    check(mlperf_tiny("image_classification"), samples, "host")


@pytest.mark.parametrize("step", [1, 2, -1])
def test_one_element_of_an_axis(step: int, tmp_path: Path) -> None:
    """Backwards, TensorFlow Lite reads none: it leaves its output as it was."""
    file = File(5)
    x = file.input((1, 8, 5, 3))
    y = file.slice(
        x, [0, 3, 0, 0], [1, 4, 5, 3], [1, step, 1, 1], (1, 5, 3), BeginMask=2, ShrinkAxisMask=2
    )
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(y))
    if step > 0:
        check(path, random_samples(read(path).input, 4, 1), "host")
        return
    with pytest.raises(ModelError, match=r"slice_0 .*takes one element backwards, by -1"):
        read(path)
