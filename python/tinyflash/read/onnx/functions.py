"""Rules for smooth functions of one element."""

from __future__ import annotations

import numpy as np

from tinyflash.quantize.curves import SELU_ALPHA, SELU_GAMMA
from tinyflash.quantize.floatgraph.graph import Factor
from tinyflash.read.onnx.importing import Layer
from tinyflash.read.onnx.pointwise import affine
from tinyflash.read.onnx.views import View

_NOTHING = np.zeros(())


def elu(layer: Layer) -> None:
    layer.give(_elu(layer, layer.view(0), layer.real("alpha", 1.0)))


def _elu(layer: Layer, x: View, alpha: float) -> View:
    layer.require(alpha >= 0, f"alpha {alpha:.3g}; 0 or more is supported")
    return layer.each("elu", x, Factor(alpha))


def celu(layer: Layer) -> None:
    """An ELU of slope 1 at 0: alpha times the ELU of x / alpha."""
    alpha = layer.real("alpha", 1.0)
    layer.require(alpha > 0, f"alpha {alpha:.3g}; more than 0 is supported")
    if alpha == 1:
        layer.give(_elu(layer, layer.view(0), 1.0))
        return
    inner = affine(layer, layer.view(0), np.array(1 / alpha), _NOTHING)
    layer.give(affine(layer, _elu(layer, inner, 1.0), np.array(alpha), _NOTHING))


def selu(layer: Layer) -> None:
    """An ELU times gamma; at the usual numbers one table."""
    alpha, gamma = layer.real("alpha", SELU_ALPHA), layer.real("gamma", SELU_GAMMA)
    x = layer.view(0)
    if np.allclose([alpha, gamma], [SELU_ALPHA, SELU_GAMMA], rtol=1e-6):
        layer.give(layer.each("selu", x))
    else:
        layer.give(affine(layer, _elu(layer, x, alpha), np.array(gamma), _NOTHING))


def gelu(layer: Layer) -> None:
    approximate = layer.text("approximate", "none")
    layer.require(approximate in ("none", "tanh"), f"approximates by {approximate!r}")
    layer.give(layer.each("gelu" if approximate == "none" else "gelu_tanh", layer.view(0)))
