"""The roles of a row's buffers, in the order of include/tinyflash/ops.h."""

from __future__ import annotations

from collections.abc import Mapping

from tinyflash.program import SOURCE

_FORWARD = "x w w_frozen b y"
_BACKWARD = "dy s_dy w w_frozen mask dx s_dx"
_UPDATE = "x dy s_dy w state velocity low"
_UNARY = "x y"
_UNARY_BACKWARD = "dy s_dy mask dx s_dx"

_ROLES = {
    SOURCE: "y",
    "fully_connected_forward": _FORWARD,
    "conv2d_forward": _FORWARD,
    "depthwise_forward": _FORWARD,
    "fully_connected_backward_input": _BACKWARD,
    "conv2d_backward_input": _BACKWARD,
    "depthwise_backward_input": _BACKWARD,
    "fully_connected_update": _UPDATE,
    "conv2d_update": _UPDATE,
    "depthwise_update": _UPDATE,
    "bias_update": "dy s_dy b state velocity",
    "average_pool_forward": _UNARY,
    "max_pool_forward": _UNARY,
    "mean_forward": _UNARY,
    "copy_forward": _UNARY,
    "pad_forward": _UNARY,
    "take_forward": _UNARY,
    "transpose_forward": _UNARY,
    "average_pool_backward_input": _UNARY_BACKWARD,
    "mean_backward_input": _UNARY_BACKWARD,
    "pad_backward_input": _UNARY_BACKWARD,
    "take_backward_input": _UNARY_BACKWARD,
    "copy_backward_input": _UNARY_BACKWARD,
    "transpose_backward_input": _UNARY_BACKWARD,
    "max_pool_backward_input": f"x {_UNARY_BACKWARD}",
    "lookup_backward_input": f"x slope {_UNARY_BACKWARD}",
    "prelu_backward_input": f"x alpha {_UNARY_BACKWARD}",
    "softmax_backward_input": f"y {_UNARY_BACKWARD}",
    "sub_backward_b": _UNARY_BACKWARD,
    "mul_backward_a": "b dy s_dy mask da s_da",
    "mul_backward_b": "a dy s_dy mask db s_db",
    "minimum_backward_a": f"a y {_UNARY_BACKWARD}",
    "minimum_backward_b": f"a y {_UNARY_BACKWARD}",
    "add_forward": "a b y",
    "minimum_forward": "a b y",
    "mul_forward": "a b y",
    "gradient_add": "a s_a b s_b mask dx s_dx",
    "prelu_forward": "x alpha y",
    "lookup_forward": "x table y",
    "softmax_forward": "x table y",
    "log_softmax_forward": "x table y",
    "mask_forward": "y mask",
    "softmax_loss": "logits table state dy s_dy",
    "squared_loss": "x target state dy s_dy",
    "sigmoid_loss": "x target table state dy s_dy",
    "fisher": "y dy s_dy d",
    "advance_scales": "state",
}
# For each kernel: the role of each of its buffers.
OPERANDS: Mapping[str, tuple[str, ...]] = {k: tuple(v.split()) for k, v in _ROLES.items()}
