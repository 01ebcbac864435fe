"""PyTorch modules in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import tinyflash
from tinyflash.compiler import compile_model
from tinyflash.errors import ModelError
from tinyflash.graph import Quant
from tinyflash.quantize.error import signal_to_noise
from tinyflash.read.torch import floats_from_torch
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode


class Net(nn.Module):
    """A residual block, squeeze and excite with SiLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU()
        )
        self.body = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Dropout(), nn.Flatten(), nn.Linear(8 * 4 * 4, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = functional.relu6(self.body(x))
        gate = torch.sigmoid(self.excite(functional.silu(self.squeeze(self.pool(y).flatten(1)))))
        x = x + y * gate[:, :, None, None]
        return self.head(functional.max_pool2d(x, 2))


def test_one_call() -> None:
    torch.manual_seed(0)
    module = Net()
    module(torch.randn(16, 3, 16, 16))  # statistics for the normalisation
    samples = torch.randn(50, 3, 16, 16)
    assert module.training
    graph = tinyflash.from_torch(module, samples[:1], samples)
    assert module.training
    assert graph.name == "Net"
    assert graph.input.shape == (1, 16, 16, 3)
    session = HostSession(compile_model(graph).program)
    x = samples.numpy().transpose(0, 2, 3, 1)
    y = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    with torch.no_grad():
        real = module.eval()(samples).numpy()
    ratio = signal_to_noise(real, y.astype(np.float64))
    assert ratio is not None
    assert ratio > 30


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_exported_ends_in_a_line() -> None:
    with pytest.raises(ModelError, match=r"Branching: torch.onnx.export failed") as caught:
        floats_from_torch(Branching(), torch.zeros(1, 3))
    assert "\n" not in str(caught.value)


def test_a_mistake_of_the_module_is_named_and_not_the_step_of_the_exporter() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(7, 2))
    x = torch.randn(4, 3, 4, 4)
    with pytest.raises(ModelError, match=r"export failed \(a and b must .* \[1, 48\]") as caught:
        tinyflash.from_torch(module, x[:1], x)
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_example_without_a_batch_and_other_floats_get_one_line() -> None:
    module, x = nn.Sequential(nn.Conv2d(3, 2, 3)), torch.randn(4, 3, 4, 4)
    with pytest.raises(
        ModelError, match=r"of shape \(3, 4, 4\), has no batch; pass example\[None\]"
    ):
        tinyflash.from_torch(module, x[0], x)
    with pytest.raises(ModelError, match=r"is float64; float32 is supported; .*module\.float\(\)"):
        tinyflash.from_torch(module.double(), x[:1].double(), x)


def test_what_the_exporter_drops_is_an_error() -> None:
    """ONNX has no divisor for its average pools, and PyTorch's exporter says nothing."""
    module = nn.Sequential(nn.Conv2d(2, 4, 3), nn.AvgPool2d(2, divisor_override=3))
    x = torch.randn(8, 2, 8, 8)
    with pytest.raises(ModelError, match=r"Sequential: .*something else of the module"):
        tinyflash.from_torch(module, x[:1], x)
    assert module.training
    tinyflash.from_torch(module, x[:1], x, compare=False)
    module[1] = nn.AvgPool2d(2)
    tinyflash.from_torch(module, x[:1], x)


@pytest.mark.parametrize("number", [0, 1])
def test_the_chosen_output_is_held_against_the_module(number: int) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.good, self.bad = nn.AvgPool2d(2), nn.AvgPool2d(2, divisor_override=3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.good(x), self.bad(x)

    x = torch.randn(8, 2, 8, 8)
    if number:
        with pytest.raises(ModelError, match="something else of the module"):
            tinyflash.from_torch(Two(), x[:1], x, output=number)
    else:
        tinyflash.from_torch(Two(), x[:1], x, output=number)


@pytest.mark.parametrize("highest", [127, 255])
def test_fake_quantization_keeps_its_scales(highest: int) -> None:
    """127 is PyTorch's reduce_range."""

    class Fake(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(2, 4, 3)

        def forward(self, x: Any) -> Any:
            scales, zeros = torch.tensor([0.002, 0.003, 0.001, 0.004]), torch.zeros(4).int()
            w = torch.fake_quantize_per_channel_affine(
                self.layer.weight, scales, zeros, 0, -128, 127
            )
            x = torch.fake_quantize_per_tensor_affine(x, 0.03, 64, 0, highest)
            y = torch.relu(torch.nn.functional.conv2d(x, w, self.layer.bias))
            return torch.fake_quantize_per_tensor_affine(y, 0.01, 0, 0, highest)

    x = torch.randn(8, 2, 5, 5)
    graph = tinyflash.from_torch(Fake(), x[:1], x)
    (layer,) = (node for node in graph.nodes if node.op == "conv2d")
    w = graph.tensors[layer.inputs["w_frozen"]].quant
    assert w is not None
    assert w.scale == tuple(float(np.float32(s)) for s in (0.002, 0.003, 0.001, 0.004))
    assert graph.input.quant == Quant((float(np.float32(0.03)),), -64)
    assert graph.output.quant == Quant((float(np.float32(0.01)),), -128)
