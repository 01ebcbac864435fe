"""The operators of a graph: one entry for each, with every fact that more than one module needs.

Passes, planner, lowering and reports ask this table and keep no lists of names of their own. Three
packages judge what these produce, so they state the facts once more and read only the roles here:
`verify`, `plan/check.py` and `reference`. What is code, not a fact, is in a dictionary beside its
functions: gradient rules, records, references. tests/python/test_operators.py requires each
operator in each of these tables.

Weights: conv2d [out][kh][kw][in / groups], depthwise [kh][kw][out], fully_connected [out][in]. With
some channels trained, "w" holds the trained first channels and "w_frozen" the others, each dense;
with none trained "w" is absent, with all trained "w_frozen" is. Biases: int32 [out]. Masks: uint8
[ceil(elements / 8)]. What an update remembers of each trained element has the shape of "w" or "b":
"velocity" is int16 (of a bias: int32), "low" uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# network: what a model file can hold, and the source of its rows. saved: what training stores of a
# forward map, for the backward part. loss: makes the first gradient. gradient: makes another one.
# update: changes WEIGHTS or STATE.
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
    # A layer with weights: it can be trained.
    weighted: bool = False
    # Weighted, each output channel made from one input channel: weights have no axis of inputs.
    depthwise: bool = False
    # attrs.clip bounds what is stored, so a function that only clips fuses into it.
    clipped: bool = False
    # Clipped, and results are scaled anew, so they can leave int8: a gradient always needs a mask
    # (SPEC 4.4). A pool's results cannot, so it needs one only if its clip is narrower than int8.
    saturates: bool = False
    # y is in the unit of x: the same scale and zero point.
    same_unit: bool = False
    # In the same unit, and elements only move: there is nothing to round.
    moves: bool = False
    # A channel of y is made from the same channel of x alone, and is zero where that is (given the
    # attributes that passes/channels.py looks at). Not of weighted operators and sums.
    per_channel: bool = False
    # What the padding of its window counts as, if a pad operator can do the same: the zero point
    # ("zero"), or the lowest number ("lowest"). An average leaves its padding out, so cannot.
    pads_with: Literal["", "zero", "lowest"] = ""
    # An operand may be a constant; others read constants only in roles of their own (w, table).
    reads_constants: bool = False
    # May follow the logits of a classifier, whose last layer is the one before it.
    follows_logits: bool = False

    # ---- Memory ----
    # y has the bytes of the operand in this role, under another shape: nothing is executed.
    view_of: str = ""
    # y may overwrite the operands in these roles, where they have its size and die here: each
    # element is read before the same element is written (kernels.h).
    in_place: tuple[str, ...] = ()
    # The kernel can be called for some rows, a band, so the operator can be streamed. Kernels of
    # the backward part compute all rows: their scales are of whole tensors.
    banded: bool = False
    # Needs no multiplication, so it may be computed a second time instead of being kept.
    cheap: bool = False

    @property
    def updates(self) -> bool:
        """Whether it changes weights or biases."""
        return "[" in self.inputs

    @property
    def has_effect(self) -> bool:
        """Whether it changes what outlives the step: weights, or counters and scales of STATE."""
        return not self.outputs or self.stage == "loss"

    @property
    def out_axis(self) -> int:
        """Of a weighted operator: the axis of the output channels in its weights."""
        return 2 if self.depthwise else 0

    def operands(self, count: int) -> tuple[str, ...]:
        """The roles of the first `count` inputs."""
        listed = self.inputs.split()
        if listed[0].endswith("*"):
            return tuple(f"{listed[0][:-1]}{i}" for i in range(count))
        return tuple(listed[:count])


_LAYER_INPUTS = "x w? w_frozen? b?"
_LAYER_GRADIENT_INPUTS = "dy w? w_frozen? mask?"
_UPDATE_INPUTS = "x dy [w] [velocity?] [low?]"

OPERATORS: dict[str, Operator] = {
    # y: the input, whose rows a callback of the caller writes.
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
    # ---- Sums and products ----
    # The gradient of a sum is that of both operands: no operator.
    "add": Operator(
        "a b",
        "y",
        clipped=True,
        saturates=True,
        reads_constants=True,
        in_place=("a", "b"),
        banded=True,
    ),
    # b: of the shape of a, or one row of it, for all rows.
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
    # ---- What moves elements ----
    "pad": Operator("x", "y", same_unit=True, moves=True, per_channel=True, banded=True),
    "pad_backward_input": Operator("dy mask?", "dx", "gradient", "pad"),
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
    # The end of a training step.
    "advance": Operator("", "", "update"),
}

NETWORK = tuple(name for name, operator in OPERATORS.items() if operator.stage == "network")
WEIGHTED = tuple(name for name, operator in OPERATORS.items() if operator.weighted)
