"""Functions of one element: how a file codes and tabulates them, and as torch has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyflash.graph import Clip, LookupAttrs
from tinyflash.quantize import tables
from tinyflash.quantize.curves import CURVES, tabulated
from tinyflash.quantize.tables import Coding, Table

Real = Any  # torch.Tensor, float64
ALPHA = 0.3  # leaky_relu's
WHOLE, NARROW = Clip(), Clip(-90, 100)


@dataclass(frozen=True)
class Function:
    """`coding`: that of the output, for an input's and a zero point that one would like.

    alpha, clip: as in LookupAttrs.
    """

    table: Callable[[Coding, Coding], Table]
    coding: Callable[[Coding, int], Coding] = lambda x, zero: Coding(x.scale, zero)
    alpha: float = 0.0
    clip: Clip = WHOLE


NUMBER = Coding(0.01, -7).operand(np.array([83]))  # 0.9
FUNCTIONS = {
    "logistic": Function(tables.logistic, lambda _x, _zero: Coding(1 / 256, -128)),
    "tanh": Function(tables.tanh, lambda _x, _zero: Coding(1 / 128, 0)),
    "relu": Function(tables.relu),
    "relu6": Function(tables.relu6, lambda x, _zero: x),
    "leaky_relu": Function(lambda x, y: tables.leaky_relu(x, y, ALPHA), alpha=ALPHA),
    "prelu": Function(lambda x, y: tables.prelu(x, y, NUMBER), alpha=0.9),
    "hard_swish": Function(tables.hard_swish),
    **{
        name: Function(lambda x, y, name=name: tabulated(name, x, y))  # type: ignore[misc]
        for name in CURVES
        if name != "elu"
    },
    "elu": Function(lambda x, y: tabulated("elu", x, y, ALPHA), alpha=ALPHA),
    "quantize": Function(
        tables.requantize, lambda x, zero: Coding(float(np.float32(x.scale * 0.7)), zero)
    ),
    "add": Function(
        lambda x, y: tables.add(x.operand(), NUMBER, y, NARROW), alpha=1.0, clip=NARROW
    ),
    "sub": Function(lambda x, y: tables.subtract(NUMBER, x.operand(), y, WHOLE), alpha=-1.0),
    "mul": Function(
        lambda x, y: tables.multiply(x.operand(), NUMBER, y, NARROW), alpha=0.9, clip=NARROW
    ),
}


def attrs_of(name: str) -> LookupAttrs:
    return LookupAttrs(name, FUNCTIONS[name].alpha, FUNCTIONS[name].clip)


def real_function(name: str, x: Real) -> Real:
    """The function that torch differentiates."""
    from torch.nn import functional

    match name:
        case "leaky_relu":
            return functional.leaky_relu(x, ALPHA)
        case "prelu":
            return functional.leaky_relu(x, 0.9)
        case "hard_swish":
            return x * functional.relu6(x + 3) / 6
        case "quantize":
            return x
        case "add":
            return x + 0.9
        case "sub":
            return 0.9 - x
        case "mul":
            return 0.9 * x
        case "relu6":
            return functional.relu6(x)
    smooth = {
        "elu": lambda: functional.elu(x, ALPHA),
        "erf": x.erf,
        "gelu": lambda: functional.gelu(x),
        "gelu_tanh": lambda: functional.gelu(x, approximate="tanh"),
        "mish": lambda: functional.mish(x),
        "selu": lambda: functional.selu(x),
        "softplus": lambda: functional.softplus(x),
        "softsign": lambda: functional.softsign(x),
        "abs": x.abs,
    }
    if name in smooth:
        return smooth[name]()
    return {"logistic": x.sigmoid, "tanh": x.tanh, "relu": x.relu}[name]()
