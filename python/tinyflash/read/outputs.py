"""Which output of a model is read, which of its operators that needs, and where an end that cannot
be read begins. For files of any kind: `Key` is what names a tensor there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from tinyflash.errors import ModelError, listed, printable

Key = TypeVar("Key", int, str)
Name = TypeVar("Name", bound=int | str, covariant=True)
MOST_ENDS = 16  # outputs of a model that may all be the end of one classifier
Chosen = int | str | None  # a number of an output, the name of a tensor, or the only output


class Operation(Protocol[Name]):
    """An operator of a file."""

    @property
    def inputs(self) -> tuple[Name, ...]: ...

    @property
    def outputs(self) -> tuple[Name, ...]: ...


Op = TypeVar("Op", bound=Operation[int | str])


def chosen(
    file: str, outputs: Sequence[tuple[Key, str]], names: Mapping[str, Key], wanted: Chosen
) -> Key:
    """Returns the tensor of the wanted output. outputs: with their names, as the model lists them;
    names: of all tensors that may end the network."""
    if not outputs:
        raise ModelError(f"{file}: has no outputs; convert or export it again")
    if wanted is None:
        if len(outputs) == 1:
            return outputs[0][0]
        raise ModelError(
            f"{file}: has {len(outputs)} outputs; choose one with --output: {_shown(outputs)}"
        )
    number = _number(wanted)
    if isinstance(wanted, str) and wanted in names:
        return names[wanted]
    if number is not None and 0 <= number < len(outputs):
        return outputs[number][0]
    raise ModelError(
        f"{file}: has no output {printable(str(wanted))!r}; it has {_shown(outputs)}. --output "
        "also takes the name of any tensor inside, to end the network there"
    )


def _number(wanted: int | str) -> int | None:
    text = str(wanted)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else None


def _shown(outputs: Sequence[tuple[Key, str]]) -> str:
    return listed([f"{i} ({printable(name)})" for i, (_, name) in enumerate(outputs)])


def needed(operators: Sequence[Op], output: int | str) -> tuple[Op, ...]:
    """Returns the operators that a tensor depends on, in order."""
    wanted: set[int | str] = {output}
    kept: list[Op] = []
    for operator in reversed(operators):
        if not wanted.isdisjoint(operator.outputs):
            wanted.update(operator.inputs)
            kept.append(operator)
    return tuple(reversed(kept))
