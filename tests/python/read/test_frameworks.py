"""Keras, TensorFlow and JAX by way of their usual converters to ONNX.

These are large, so a test is skipped where its converter is not installed, CI included; the
functions that make the models are the examples of docs/frameworks.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyflash.compiler.verify import verify
from tinyflash.quantize import quantize
from tinyflash.quantize.error import layer_errors
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.reader import read_onnx

SHAPE = (16, 12, 3)


def samples() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, *SHAPE)).astype(np.float32)


def check(path: Path, x: np.ndarray, expected: np.ndarray) -> None:
    """The model is read as what it computes, without a transposition left, and is quantized."""
    network = read_onnx(path)
    assert "transpose" not in [node.op for node in network.nodes]
    assert network.source.shape == (1, *SHAPE)
    y = outputs(network, network.source.arrange(x))
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-5)
    graph = quantize(network, x)
    verify(graph)
    last = layer_errors(network, graph, x)[-1]
    assert last.snr_db is not None
    assert last.snr_db > 25


def keras_model(keras: Any) -> Any:
    """Normalised convolutions, a residual, squeeze and excite with hard swish."""
    layers = keras.layers
    x = image = layers.Input(SHAPE)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = stem = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Activation("hard_swish")(x)
    gate = layers.Dense(4, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, layers.Dense(8, "sigmoid")(gate)])
    x = layers.Add()([stem, layers.Conv2D(8, 1)(x)])
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(5)(layers.Dropout(0.2)(layers.Flatten()(x)))
    return keras.Model(image, layers.Softmax()(x))


def test_keras_exports_onnx_itself(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    pytest.importorskip("tf2onnx")
    keras.utils.set_random_seed(0)
    model, x = keras_model(keras), samples()
    model(x[:1])  # Keras exports what it has called
    model.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    check(tmp_path / "net.onnx", x, model.predict(x, verbose=0))


def test_tensorflow_by_tf2onnx(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    tf2onnx = pytest.importorskip("tf2onnx")
    tensorflow = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(1)
    model, x = keras_model(keras), samples()
    signature = [tensorflow.TensorSpec((None, *SHAPE), tensorflow.float32, name="x")]
    function = tensorflow.function(model, input_signature=signature)
    path = tmp_path / "net.onnx"
    tf2onnx.convert.from_function(function, signature, opset=17, output_path=str(path))
    check(path, x, model.predict(x, verbose=0))


def test_jax_by_jax2onnx(tmp_path: Path) -> None:
    jax = pytest.importorskip("jax")
    jax2onnx = pytest.importorskip("jax2onnx")
    keys = iter(jax.random.split(jax.random.key(0), 9))

    def normal(*shape: int) -> Any:
        return jax.random.normal(next(keys), shape) / np.sqrt(np.prod(shape[:-1]))

    stem, depthwise, point, head = (
        normal(3, 3, 3, 8), normal(3, 3, 1, 8), normal(1, 1, 8, 12), normal(12, 5)
    )  # fmt: skip
    bias = normal(8)

    def conv(x: Any, w: Any, stride: int = 1, groups: int = 1) -> Any:
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, w, (stride, stride), "SAME", dimension_numbers=layout, feature_group_count=groups
        )

    def model(x: Any) -> Any:
        x = jax.nn.relu(conv(x, stem, stride=2) + bias)
        x = x + jax.nn.relu6(conv(x, depthwise, groups=8))
        x = jax.nn.silu(conv(x, point))
        return x.mean(axis=(1, 2)) @ head

    path, x = tmp_path / "net.onnx", samples()
    jax2onnx.to_onnx(model, [(1, *SHAPE)], return_mode="file", output_path=str(path))
    check(path, x, np.concatenate([model(one[None]) for one in x]))
