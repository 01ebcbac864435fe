"""uint8 networks of older TensorFlow: bit for bit what TensorFlow Lite's reference computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.legacyfiles import legacy
from tests.support.models import RELU, RELU6, SAME, VALID, File

from tinyflash.compiler import compile_model, prepare
from tinyflash.errors import ModelError
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode

litert = pytest.importorskip("ai_edge_litert.interpreter")


def separable(padding: int = VALID) -> bytes:
    """As MobileNet V1: convolutions, depthwise ones, an average of an odd number, a classifier."""
    file = File(3)
    y = file.conv(file.input((1, 11, 11, 3), zero=5), (3, 3), stride=(2, 2), activation=RELU6,
                  zero=-128, out=8, per_channel=False)  # fmt: skip
    y = file.depthwise(y, (3, 3), activation=RELU, per_channel=False)
    y = file.conv(y, (1, 1), out=6, per_channel=False)
    y = file.pool("AVERAGE_POOL_2D", y, (3, 3), stride=(2, 2), padding=padding)
    return file.finish(file.softmax(file.dense(y, 7)))


def joined() -> bytes:
    """A residual block, a join, a largest element."""
    file = File(4)
    x = file.input((1, 8, 8, 3))
    a = file.conv(x, (3, 3), out=3, per_channel=False)
    y = file.binary("ADD", a, x, 0.2)
    y = file.pool("MAX_POOL_2D", y, (2, 2), stride=(2, 2), padding=SAME)
    return file.finish(file.dense(y, 5))


def wanted(path: Path, samples: np.ndarray) -> np.ndarray:
    machine = litert.Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    machine.allocate_tensors()
    found = []
    for x in samples:
        machine.set_tensor(machine.get_input_details()[0]["index"], x[None])
        machine.invoke()
        found.append(machine.get_tensor(machine.get_output_details()[0]["index"]).ravel())
    return np.stack(found)


@pytest.mark.parametrize("zero", [117, 128, 0, 155])
@pytest.mark.parametrize("network", [separable, joined])
def test_every_bit_is_tensorflow_lites(network: object, zero: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(network())  # type: ignore[operator]
    path.write_bytes(legacy(path, zero, min(100, zero)))
    graph = read(path)
    assert graph.input.dtype == graph.output.dtype == "uint8"
    shape = (40, *graph.input.shape[1:])
    x = np.random.default_rng(zero).integers(0, 256, shape).astype(np.uint8)
    session = HostSession(compile_model(graph).program)
    y = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    expected = wanted(path, x)
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(y.reshape(40, -1), expected)


def test_weights_beyond_int8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(joined())
    path.write_bytes(legacy(path, zero=140, reach=127))
    assert read(path).nodes
    with pytest.raises(ModelError, match="uint8 weights 200 steps from their zero point, beyond"):
        read(legacy_far(tmp_path))


def legacy_far(folder: Path) -> Path:
    file = File(4)
    x = file.input((1, 4), type="UINT8", zero=9)
    w = file.constant(np.array([[0, 200, 210, 220]]), "UINT8", scale=0.1, zero=200)
    y = file.tensor((1, 1), 0.5, 3, type="UINT8")
    file.operator("FULLY_CONNECTED", [x, w, -1], y, "FullyConnectedOptions")
    path = folder / "far.tflite"
    path.write_bytes(file.finish(y))
    return path


def test_averages_that_could_be_halves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(separable(SAME))  # windows of 4, 6 and 9 elements
    path.write_bytes(legacy(path))
    with pytest.raises(ModelError, match="averages uint8 numbers, and halves would round"):
        prepare(read(path))
