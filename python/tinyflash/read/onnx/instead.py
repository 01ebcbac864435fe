"""What to do about a node that is not supported."""

from __future__ import annotations

from collections.abc import Mapping

# Layers with weights: no end of a network behind its classifier has them.
WITH_WEIGHTS = (
    "Attention", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "GRU", "Gemm",
    "If", "LSTM", "Loop", "MatMul", "MatMulInteger", "MultiHeadAttention", "QLinearConv",
    "QLinearMatMul", "RNN", "Scan",
)  # fmt: skip

_CHOICE = "end the network before it with --output NAME; the largest logit is the answer"
_FOLDED = "export for inference with batch normalization, which becomes part of the weights"
_RECURRENT = "use convolutions over time instead, or unroll it into supported layers"
_STATIC = (
    "quantize statically instead, in QDQ format: its scales are then known before the network runs"
)
_SQUARE = "multiply the map by itself instead, for a square"

_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), _CHOICE),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _RECURRENT),
    **dict.fromkeys(
        (
            "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization",
            "LpNormalization", "MeanVarianceNormalization", "RMSNormalization",
        ),
        _FOLDED,
    ),
    **dict.fromkeys(
        ("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "MatMulIntegerToFloat"), _STATIC
    ),
    "Attention": "use convolutions or fully connected layers",
    "ConvTranspose": "use Resize by nearest neighbours, then Conv",
    "DepthToSpace": "use Resize by nearest neighbours, then Conv",
    "Einsum": "write it as a MatMul with constant weights",
    "Pow": _SQUARE,
    "SpaceToDepth": "use a Conv with a stride, which takes the same places",
    "Tile": "join the map with itself by Concat, or repeat places of 1 by Expand",
}  # fmt: skip
_OTHER = (
    "build the network without it (docs/frameworks.md lists what is read), or end the network "
    "before it with --output NAME"
)


def instead(op: str) -> str:
    """Returns the advice for an operator by its name, with its domain if that is not ONNX's."""
    return _INSTEAD.get(op.rpartition(".")[2], _OTHER)
