"""What to do about an operator that is not supported."""

from __future__ import annotations

from collections.abc import Mapping

# Layers with weights: no end of a network behind its classifier has them.
WITH_WEIGHTS = (
    "BATCH_MATMUL", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CALL",
    "CALL_ONCE", "CONV_2D", "CONV_3D", "CONV_3D_TRANSPOSE", "DELEGATE", "DEPTHWISE_CONV_2D",
    "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "IF", "LSTM", "RNN", "SVDF", "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "WHILE",
)  # fmt: skip

_RECURRENT = "use convolutions over time instead, or unroll it into supported layers"
_CHOICE = "end the network before it with --output NAME; the largest logit is the answer"
_CONTROL = "convert the model without loops and branches"
_NORMALISED = "use batch normalization, which the converter folds into the layer before"

_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("ARG_MAX", "ARG_MIN", "TOPK_V2"), _CHOICE),
    **dict.fromkeys(("IF", "WHILE", "CALL", "CALL_ONCE"), _CONTROL),
    **dict.fromkeys(("L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION", "RSQRT"), _NORMALISED),
    **{code: _RECURRENT for code in WITH_WEIGHTS if "LSTM" in code or "RNN" in code},
    "BATCH_MATMUL": "products of two maps, as in attention, cannot be trained here; use "
    "convolutions or fully connected layers",
    "SVDF": _RECURRENT,
    "CONV_3D": "use CONV_2D over two of the dimensions",
    "DELEGATE": "convert the model without a delegate",
    "DEPTH_TO_SPACE": "use RESIZE_NEAREST_NEIGHBOR, then CONV_2D",
    "DIV": "multiply by the reciprocal, a constant, instead",
    "EMBEDDING_LOOKUP": "look the rows up before the network, and feed them as its input",
    "MIRROR_PAD": "pad with zeros instead, by PAD or with the padding of the next layer",
    "POW": "multiply the map by itself instead",
    "RESIZE_BILINEAR": "use RESIZE_NEAREST_NEIGHBOR, or an upsampling with fixed weights",
    "SPACE_TO_DEPTH": "use a CONV_2D with a stride, which takes the same places",
    "SQUARE": "multiply the map by itself instead",
    "TILE": "join the map with itself by CONCATENATION instead",
}
_OTHER = (
    "build the network without it (docs/frameworks.md lists what is read), or end the network "
    "before it with --output NAME"
)


def instead(code: str) -> str:
    """Returns the advice for an operator by its name in the file."""
    if code.startswith("CUSTOM"):
        return f"custom operators have no rules that are known here; {_OTHER}"
    return _INSTEAD.get(code, _OTHER)
