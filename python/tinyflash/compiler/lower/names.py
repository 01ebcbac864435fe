"""Names records: C identifiers made from the layer names of the source, whatever characters these
have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from tinyflash.compiler.lower.geometry import Fields
from tinyflash.program import Record

_LONGEST = 50  # characters of an identifier, before its number


@dataclass(frozen=True)
class Draft:
    """A record without a name. meaning: its part in its layer, "mask" or "bias"; "": the layer
    itself. infer: the train table, if any, does not use it."""

    ctype: str
    layer: str
    meaning: str
    infer: bool
    fields: Fields


def named(drafts: Sequence[Draft]) -> tuple[Record, ...]:
    """Returns the records in the same order. A layer's own record gets the plain name, even if
    another record was made first."""
    own: dict[str, int] = {}
    for index, draft in enumerate(drafts):
        if not draft.meaning:
            own.setdefault(draft.layer, index)
    first = list(own.values())
    rest = sorted(set(range(len(drafts))).difference(first))
    names: dict[int, str] = {}
    taken: set[str] = set()
    for index in (*first, *rest):
        name = next(n for n in _candidates(drafts[index]) if n not in taken)
        names[index] = name
        taken.add(name)
    return tuple(Record(d.ctype, names[i], d.fields) for i, d in enumerate(drafts))


def _candidates(draft: Draft) -> Iterator[str]:
    """Adds a prefix to C keywords, numbers, and names that model.c itself uses."""
    yield _identifier(draft.layer, draft.meaning)
    if draft.infer:
        yield _identifier(draft.layer, f"{draft.meaning}_infer".strip("_"))
    for number in count(2):
        yield f"{_identifier(draft.layer, draft.meaning)}_{number}"


def _identifier(layer: str, meaning: str) -> str:
    """Shortens a long layer name at its end, so that the meaning stays."""
    suffix = f"_{meaning}" if meaning else ""
    base = "op_" + re.sub(r"\W+", "_", layer, flags=re.ASCII)
    return base[: _LONGEST - len(suffix)] + suffix
