"""An end of a network that cannot be read, behind the layer that makes the logits.

A scheme with a new head replaces that layer and all behind it, so nothing there need be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tinyflash.errors import ModelError, printable
from tinyflash.operators import WEIGHTED
from tinyflash.quantize.floatgraph.graph import FUNCTIONS, FloatGraph

Key = TypeVar("Key", int, str)


@dataclass
class Ending(Generic[Key]):
    """The operators that could not be read, and those behind them. `lost`: what they would compute;
    `reason`: of the first; `read`: what they read of the others."""

    reason: str = ""
    kinds: list[str] = field(default_factory=list)
    lost: set[Key] = field(default_factory=set)
    read: list[Key] = field(default_factory=list)

    def take(
        self, kind: str, inputs: Iterable[Key], outputs: Iterable[Key], work: Callable[[], None]
    ) -> None:
        """Reads an operator by `work`, unless it reads what is lost."""
        inputs = tuple(inputs)
        if self.lost.isdisjoint(inputs):
            try:
                work()
            except ModelError as error:
                self.reason = self.reason or str(error)
            else:
                return
        self.kinds.append(kind)
        self.lost.update(outputs)
        self.read += [key for key in inputs if key not in self.lost and key not in self.read]

    def before(self, computed: Iterable[Key], weighted: Sequence[str]) -> Key | None:
        """Returns the one tensor that all of this end is computed from; None if there are several,
        or if it has a layer with weights. computed: the tensors that depend on the input."""
        found = [key for key in self.read if key in set(computed)]
        if len(found) != 1 or any(kind in weighted for kind in self.kinds):
            return None
        return found[0]


_BEHIND = "; it only follows the last layer with weights, so "


def unread(reason: str, name: str) -> str:
    """Why an end behind the tensor of this name was not read, and what to do: in place of what its
    operator alone would advise."""
    what, unsupported, _ = reason.partition("is not supported; ")
    return (
        f"{f'{what}is not supported' if unsupported else reason}{_BEHIND}a scheme with a new head "
        "(head = CLASSES) does without it; or end the network before it, with --output "
        f"{printable(name)!r}"
    )


def reason_of(text: str) -> str:
    """Returns what `unread` says without what to do."""
    return text.partition(_BEHIND)[0]


def ends_in_layer(network: FloatGraph) -> bool:
    """Whether the output is a function of the sums of a layer with weights."""
    node = network.node(network.output)
    while node is not None and node.op in ("reshape", "softmax", "log_softmax", *FUNCTIONS):
        node = network.node(node.inputs[0])
    return node is not None and node.op in WEIGHTED
