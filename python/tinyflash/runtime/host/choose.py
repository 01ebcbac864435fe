"""The library's own choice among candidates (tinyflash/choose.h)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyflash.choices import Candidate, Choices, JudgedLayer, JudgedMap
from tinyflash.errors import TinyflashError
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.session import HostSession


class HostChooser:
    """Chooses as a board does, with a session of the judge. `session` learns, and then judges."""

    def __init__(self, choices: Choices) -> None:
        self.session = HostSession(choices.judge)
        self._alive: list[Any] = []
        self._choices = ffi.new("tiny_choices *")
        self._choices.judge = self.session.native.model
        self._choices.maps = self._keep("tiny_judged_map[]", [_map(m) for m in choices.maps])
        rows = [self._candidate(candidate) for candidate in choices.candidates]
        self._choices.candidates = self._keep("tiny_candidate[]", rows)
        self._choices.map_count, self._choices.count = len(choices.maps), len(rows)

    def begin(self) -> None:
        """Sets the statistic to zeros."""
        _check(lib.tiny_choose_begin(self._choices, self.session.native))

    def choose(self) -> int:
        """Returns the number of the chosen candidate."""
        chosen = ffi.new("uint32_t *")
        _check(lib.tiny_choose(self._choices, self.session.native, chosen))
        return int(chosen[0])

    def scores(self) -> list[int]:
        """Returns the score of each candidate."""
        args = self._choices, self.session.native
        return [int(lib.tiny_choose_score(*args, i)) for i in range(self._choices.count)]

    def _candidate(self, candidate: Candidate) -> dict[str, Any]:
        layers = [self._layer(layer) for layer in candidate.layers]
        return {
            "layers": self._keep("tiny_judged_layer[]", layers),
            "layer_count": len(layers),
        }

    def _layer(self, layer: JudgedLayer) -> dict[str, Any]:
        fields = {"made": layer.made, "part": layer.part, "share": layer.share}
        if layer.mask is None:
            return fields
        bits = np.packbits(np.array(layer.mask), bitorder="little").tobytes()
        return {**fields, "mask": self._keep("uint8_t[]", bits)}

    def _keep(self, kind: str, content: Any) -> Any:
        self._alive.append(ffi.new(kind, content))
        return self._alive[-1]


def _map(found: JudgedMap) -> dict[str, Any]:
    square = {"mantissa": found.square.mantissa, "exponent": found.square.exponent}
    return {"at": found.at, "channels": found.channels, "square": square}


def _check(error: int) -> None:
    if error:
        raise TinyflashError(ffi.string(lib.tiny_error_text(error)).decode())
