"""Three networks of the research this builds on, layer by layer, and their 15 training schemes.

Shapes, scales and zero points are those of the released models; weights are not included.
zoo/README.md gives the sources.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from tinyflash.errors import DataError
from tinyflash.graph import Quant
from tinyflash.quantize.fixedpoint import float32
from tinyflash.scheme import Rule, Scheme

NETWORKS = ("mbv2-w0.35", "mcunet-5fps", "proxyless-w0.3")


@dataclass(frozen=True)
class Convolution:
    """One row of a network's table, in forward order; `dead` channels have the smallest scale."""

    layer: str
    out: int
    kernel: int
    stride: int
    smallest_scale: float  # of the weights of a channel
    largest_scale: float
    dead: int
    y: Quant
    block_output: Quant | None  # the block's input is added to this layer's output

    @property
    def depthwise(self) -> bool:
        return self.layer.endswith("depthwise")

    @property
    def block(self) -> str:
        return self.layer.split(".")[0]

    @property
    def ends_block(self) -> bool:
        return self.layer == "first" or self.layer.endswith("pointwise2")


def convolutions(network: str) -> tuple[Convolution, ...]:
    """Returns the layers of one of NETWORKS."""
    text = _text(f"{_known(network)}.csv")
    return tuple(_convolution(row) for row in csv.DictReader(text.splitlines()))


def schemes(network: str) -> Mapping[str, Scheme]:
    """Returns the sparse updates published for one of NETWORKS, smallest first."""
    table = tomllib.loads(_text("schemes.toml"))[_known(network)]
    layers = [row.layer for row in convolutions(network)]
    return {name: _scheme(entry, layers) for name, entry in table.items()}


def _scheme(entry: Mapping[str, object], layers: list[str]) -> Scheme:
    last, weights = entry["bias_last"], entry["weights"]
    assert isinstance(last, int) and isinstance(weights, dict)
    rules = [Rule(layers=(layers[int(i)],), weights=float(w)) for i, w in weights.items()]
    return Scheme((Rule(last=last, bias=True), *rules))


def _convolution(row: Mapping[str, str]) -> Convolution:
    return Convolution(
        layer=row["layer"],
        out=int(row["out"]),
        kernel=int(row["kernel"]),
        stride=int(row["stride"]),
        smallest_scale=float32(float(row["weight_scale_min"])),
        largest_scale=float32(float(row["weight_scale_max"])),
        dead=int(row["dead"]),
        y=_quant(row["scale"], row["zero"]),
        block_output=_quant(row["sum_scale"], row["sum_zero"]) if row["sum_scale"] else None,
    )


def _quant(scale: str, zero: str) -> Quant:
    return Quant((float32(float(scale)),), int(zero))


def _known(network: str) -> str:
    if network not in NETWORKS:
        raise DataError(f"no reference network {network!r}; there are {', '.join(NETWORKS)}")
    return network


def _text(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")
