"""The operators of a graph: one entry for each, with every fact that more than one module needs.

Passes, planner, lowering and reports read this table (`node.operator`) and keep no lists of
operators. `verify`, `plan/check.py` and `reference` check their results. So these state the facts
they need again, on purpose, and take only roles from here. Code is not in this table: gradient
rules, lowering, rows and so on each have one dictionary by operator, next to their functions.
tests/python/test_operators.py requires every operator in every table.

Weights: conv2d [out][kh][kw][in / groups], depthwise [kh][kw][out], fully_connected [out][in]. With
some channels trained, "w" holds the trained first channels and "w_frozen" the others, each dense;
with none trained "w" is absent, with all trained "w_frozen" is. Biases: int32 [out]. Masks: uint8
[ceil(elements / 8)]. The state of an update has the shape of "w" or "b": "velocity" is int16 (for a
bias: int32), "low" is uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

# network: a model file can contain it; also `source`. saved: stores the part of a forward map that
# the backward part needs. loss: makes the first gradient. gradient: makes another gradient. update:
# changes WEIGHTS or STATE.
Stage = Literal["network", "saved", "loss", "gradient", "update"]


@dataclass(frozen=True)
class Operator:
    """The facts of one operator. A fact that is left out does not hold."""

    # Roles of inputs and of outputs. A role ending in "?" may be absent, in "*" repeats (x0, x1,
    # ...). A role in [] is also written, in place.
    inputs: str
    outputs: str
    stage: Stage = "network"
    # The operator whose input gradient or update this one is.
    forward: str = ""

    # ---- Arithmetic ----
    # A layer with weights, which can be trained.
    weighted: bool = False
    # Weighted, and each output channel depends on one input channel: its weights have no axis of
    # input channels, so a part of the weights is a part of the output channels.
    depthwise: bool = False
    # attrs.clip bounds the stored output. So a function that only clips fuses into it.
    clipped: bool = False
    # Clipped, and results can exceed int8, so its gradient always needs a mask (SPEC 4.4). A pool's
    # results cannot: it needs a mask only if its clip is narrower than int8.
    saturates: bool = False
    # y has the scale and the zero point of each operand.
    same_unit: bool = False
    # The elements of y are elements of its operands, or padding: nothing is rounded.
    moves: bool = False
    # Each channel of y depends only on the same channel of x, and is at its zero point if x is.
    # passes/channels.py also checks the attributes. It handles weighted operators and sums
    # separately.
    per_channel: bool = False
    # The number that the padding of its window counts as: the zero point, or the lowest of int8. So
    # the window can take over a pad operator with that number, and the reverse. "": no padding, or
    # the operator skips it, like an average.
    pads_with: Literal["", "zero", "lowest"] = ""
    # Its operands may be constants. Other operators read constants only in special roles (w,
    # table).
    reads_constants: bool = False
    # May follow the last layer of a classifier. Passes skip it to find that layer.
    follows_logits: bool = False

    # ---- Memory ----
    # y has the bytes of the operand in this role, with another shape: nothing is executed.
    view_of: str = ""
    # y may overwrite an operand in one of these roles, if that has the size of y and is not read
    # later: the kernel reads each element before it writes the same one (kernels.h).
    in_place: tuple[str, ...] = ()
    # The kernel can be called for a band of rows, so the operator can be streamed. Kernels of the
    # backward part compute all rows at once.
    banded: bool = False
    # Needs no multiplication: its output may be recomputed instead of kept.
    cheap: bool = False

    @cached_property
    def written(self) -> tuple[str, ...]:
        """The roles of the inputs that are also written."""
        return tuple(role.strip("[?]") for role in self.inputs.split() if role.startswith("["))

    @property
    def updates(self) -> bool:
        """Whether it changes weights or biases."""
        return bool({"w", "b"} & set(self.written))

    @property
    def has_effect(self) -> bool:
        """Whether it changes memory that outlives the step: weights, or counters and scales of
        STATE."""
        return not self.outputs or self.stage == "loss"

    @property
    def out_axis(self) -> int:
        """The axis of the output channels in the weights of a weighted operator."""
        return 2 if self.depthwise else 0

    def operands(self, count: int) -> tuple[str, ...]:
        """Returns the roles of the first `count` inputs."""
        listed = self.inputs.split()
        if listed[0].endswith("*"):
            return tuple(f"{listed[0][:-1]}{i}" for i in range(count))
        return tuple(listed[:count])


_LAYER_INPUTS = "x w? w_frozen? b?"
_LAYER_GRADIENT_INPUTS = "dy w? w_frozen? mask?"
_UPDATE_INPUTS = "x dy [w] [velocity?] [low?]"

OPERATORS: dict[str, Operator] = {
    # y: the input; the caller's callback writes its rows.
    "source": Operator("", "y", banded=True),
    # ---- Layers with weights ----
    "conv2d": Operator(
        _LAYER_INPUTS,
        "y",
        weighted=True,
        clipped=True,
        saturates=True,
        pads_with="zero",
        banded=True,
    ),
    "conv2d_backward_input": Operator(_LAYER_GRADIENT_INPUTS, "dx", "gradient", "conv2d"),
    "conv2d_update": Operator(_UPDATE_INPUTS, "", "update", "conv2d"),
    "depthwise": Operator(
        _LAYER_INPUTS,
        "y",
        weighted=True,
        depthwise=True,
        clipped=True,
        saturates=True,
        pads_with="zero",
        banded=True,
    ),
    "depthwise_backward_input": Operator(_LAYER_GRADIENT_INPUTS, "dx", "gradient", "depthwise"),
    "depthwise_update": Operator(_UPDATE_INPUTS, "", "update", "depthwise"),
    "fully_connected": Operator(
        _LAYER_INPUTS,
        "y",
        weighted=True,
        clipped=True,
        saturates=True,
        banded=True,
    ),
    "fully_connected_backward_input": Operator(
        _LAYER_GRADIENT_INPUTS, "dx", "gradient", "fully_connected"
    ),
    "fully_connected_update": Operator(_UPDATE_INPUTS, "", "update", "fully_connected"),
    # Of all layers with weights.
    "bias_update": Operator("dy [b] [velocity?]", "", "update"),
    # ---- Pools ----
    "average_pool": Operator(
        "x",
        "y",
        clipped=True,
        same_unit=True,
        per_channel=True,
        banded=True,
    ),
    "average_pool_backward_input": Operator("dy mask?", "dx", "gradient", "average_pool"),
    "max_pool": Operator(
        "x",
        "y",
        clipped=True,
        same_unit=True,
        per_channel=True,
        pads_with="lowest",
        banded=True,
    ),
    "max_pool_backward_input": Operator("x dy mask?", "dx", "gradient", "max_pool"),
    "mean": Operator("x", "y", per_channel=True),
    "mean_backward_input": Operator("dy mask?", "dx", "gradient", "mean"),
    # ---- Sums and products ---- Both operands have the gradient of the sum: this needs no
    # operator. b: with the shape of a, or a constant row, used for all rows of a.
    "add": Operator(
        "a b",
        "y",
        clipped=True,
        saturates=True,
        reads_constants=True,
        in_place=("a", "b"),
        banded=True,
    ),
    # a - b. The gradient by a is that of the difference.
    "sub": Operator(
        "a b",
        "y",
        clipped=True,
        saturates=True,
        reads_constants=True,
        in_place=("a", "b"),
        banded=True,
    ),
    # dx: of b.
    "sub_backward_input": Operator("dy mask?", "dx", "gradient", "sub"),
    # b: with the shape of a, or one row, used for all rows of a.
    "mul": Operator(
        "a b",
        "y",
        clipped=True,
        saturates=True,
        reads_constants=True,
        in_place=("a", "b"),
        banded=True,
    ),
    # x: the other operand.
    "mul_backward_input": Operator("x dy mask?", "dx", "gradient", "mul"),
    # alpha: int8, the slopes of negative elements: one row, used for all rows of x. It has no
    # gradient.
    "prelu": Operator("x alpha", "y", clipped=True, saturates=True, in_place=("x",), banded=True),
    "prelu_backward_input": Operator("x alpha dy mask?", "dx", "gradient", "prelu"),
    # ---- What moves elements ----
    # Of equals a is chosen, so it gets their gradient.
    "maximum": Operator("a b", "y", same_unit=True, moves=True, in_place=("a", "b"), banded=True),
    "maximum_backward_input": Operator("a y dy mask?", "dx", "gradient", "maximum"),
    "minimum": Operator("a b", "y", same_unit=True, moves=True, in_place=("a", "b"), banded=True),
    # dx: of a, which is chosen where it is y, or of b, elsewhere. The same of a maximum.
    "minimum_backward_input": Operator("a y dy mask?", "dx", "gradient", "minimum"),
    "pad": Operator("x", "y", same_unit=True, moves=True, per_channel=True, banded=True),
    "pad_backward_input": Operator("dy mask?", "dx", "gradient", "pad"),
    # Slices, and maps enlarged or reduced by repeating or leaving out rows, columns and channels.
    "take": Operator("x", "y", same_unit=True, moves=True, per_channel=True, banded=True),
    "take_backward_input": Operator("dy mask?", "dx", "gradient", "take"),
    "reshape": Operator(
        "x",
        "y",
        same_unit=True,
        moves=True,
        per_channel=True,
        follows_logits=True,
        view_of="x",
    ),
    # The same bytes and the same scale.
    "reshape_backward_input": Operator("dy", "dx", "gradient", "reshape", view_of="dy"),
    "concatenate": Operator(
        "x*",
        "y",
        same_unit=True,
        moves=True,
        reads_constants=True,
        banded=True,
    ),
    # dx: of one of its inputs.
    "concatenate_backward_input": Operator("dy mask?", "dx", "gradient", "concatenate"),
    "transpose": Operator("x", "y", same_unit=True, moves=True),
    "transpose_backward_input": Operator("dy mask?", "dx", "gradient", "transpose"),
    # ---- Functions ----
    # table: int8 [256], indexed by the byte of x.
    "lookup": Operator(
        "x table", "y", follows_logits=True, in_place=("x",), banded=True, cheap=True
    ),
    # slope: int16 [256], SPEC 4.6.
    "lookup_backward_input": Operator("x slope dy mask?", "dx", "gradient", "lookup"),
    # table: int32 [256], SPEC 3.4.
    "softmax": Operator("x table", "y", follows_logits=True, banded=True),
    "softmax_backward_input": Operator("y dy mask?", "dx", "gradient", "softmax"),
    # The same table. It ends networks and has no gradient: training reads the logits.
    "log_softmax": Operator("x table", "y", follows_logits=True, banded=True),
    # ---- What training adds. dy and dx have kind "gradient"; each has a scale of its own ----
    "mask": Operator("y", "mask", "saved", banded=True, cheap=True),
    # y: the first `kept` channels of x.
    "keep": Operator("x", "y", "saved", same_unit=True, moves=True, banded=True, cheap=True),
    # table: uint16 [256], SPEC 4.7.
    "softmax_loss": Operator("x table", "dy", "loss"),
    "squared_loss": Operator("x target", "dy", "loss"),
    # table: uint16 [256], SPEC 4.8.
    "sigmoid_loss": Operator("x target table", "dy", "loss"),
    "gradient_add": Operator("a b? mask?", "dx", "gradient", in_place=("a", "b")),
    # Adds a sample to the Fisher information of the channels of y. d: int32 [1 + channels].
    "fisher": Operator("y dy [d]", "", "update"),
    # The end of a training step.
    "advance": Operator("", "", "update"),
}

NETWORK = tuple(name for name, operator in OPERATORS.items() if operator.stage == "network")
WEIGHTED = tuple(name for name, operator in OPERATORS.items() if operator.weighted)
