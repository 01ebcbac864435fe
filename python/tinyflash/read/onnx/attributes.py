"""What becomes of each attribute of each operator that is read.

An attribute is read by a rule or by folding, or changes nothing, or is refused except at the values
listed here. What is in none of the three tables is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyflash.read.onnx.file import Attribute
from tinyflash.read.onnx.importing import Layer

_WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_REDUCED = ("axes", "keepdims", "noop_with_empty_axes")

READ: Mapping[str, tuple[str, ...]] = {
    "AveragePool": (*_WINDOW, "ceil_mode", "count_include_pad"),
    "BatchNormalization": ("epsilon", "training_mode"),
    "Cast": ("round_mode", "saturate", "to"),
    "Celu": ("alpha",),
    "Clip": ("max", "min"),
    "Concat": ("axis",),
    "Constant": ("value", "value_float", "value_floats", "value_int", "value_ints"),
    "ConstantOfShape": ("value",),
    "Conv": (*_WINDOW, "group"),
    "ConvTranspose": (*_WINDOW, "group", "output_padding", "output_shape"),
    "DequantizeLinear": ("axis",),
    "Elu": ("alpha",),
    "Flatten": ("axis",),
    "Gather": ("axis",),
    "Gelu": ("approximate",),
    "Gemm": ("alpha", "beta", "transA", "transB"),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "MaxPool": (*_WINDOW, "ceil_mode"),
    "Mod": ("fmod",),
    "Pad": ("mode", "pads", "value"),
    "QuantizeLinear": ("axis", "output_dtype"),
    "ReduceMax": _REDUCED,
    "ReduceMean": _REDUCED,
    "ReduceMin": _REDUCED,
    "ReduceProd": _REDUCED,
    "ReduceSum": _REDUCED,
    "Reshape": ("allowzero",),
    "Selu": ("alpha", "gamma"),
    "Shape": ("end", "start"),
    "Resize": (
        "axes",
        "coordinate_transformation_mode",
        "mode",
        "nearest_mode",
    ),
    "Slice": ("axes", "ends", "starts"),
    "LogSoftmax": ("axis",),
    "Softmax": ("axis",),
    "Split": ("axis", "num_outputs", "split"),
    "Squeeze": ("axes",),
    "Swish": ("alpha",),
    "Transpose": ("perm",),
    "Unsqueeze": ("axes",),
    "Upsample": ("mode", "scales"),
}

# What changes no number that is read, and why.
IGNORED: Mapping[str, Mapping[str, str]] = {
    "BatchNormalization": {"momentum": "of training, which is refused"},
    "Dropout": {"ratio": "of training, which is refused", "seed": "of training, which is refused"},
    "MaxPool": {"storage_order": "of the second output, which is refused"},
    "QuantizeLinear": {
        "precision": "of the division; scales are what is read",
        "saturate": "of 8-bit floats, which are refused",
    },
    "Resize": {
        "antialias": "of linear and cubic modes, which are refused",
        "cubic_coeff_a": "of the cubic mode, which is refused",
        "exclude_outside": "of the cubic mode, which is refused",
        "extrapolation_value": "of tf_crop_and_resize, which is refused",
    },
}

# The values at which an attribute says what is assumed; none: it is always refused.
FIXED: Mapping[str, Mapping[str, tuple[Attribute, ...]]] = {
    "BatchNormalization": {"spatial": (1,)},
    "Constant": {"sparse_value": (), "value_string": (), "value_strings": ()},
    "DequantizeLinear": {"block_size": (0,), "output_dtype": (0, 1)},
    "QuantizeLinear": {"block_size": (0,)},
    "Resize": {"keep_aspect_ratio_policy": ("stretch",)},
    "Range": {"stash_type": (1,)},
}


def check_attributes(layer: Layer) -> None:
    """Refuses the first attribute that nothing here takes into account."""
    op = layer.node.op
    known = {*READ.get(op, ()), *IGNORED.get(op, ())}
    fixed = FIXED.get(op, {})
    for name, value in layer.node.attributes.items():
        if name in known:
            continue
        if name not in fixed:
            layer.fail(f"has an attribute {name}, which is not supported")
        allowed = " or ".join(map(str, fixed[name]))
        only = f"only {allowed} is supported" if allowed else "which is not supported"
        shown = value if isinstance(value, (int, float, str)) else "..."
        layer.require(value in fixed[name], f"has an attribute {name} of {shown}; {only}")
