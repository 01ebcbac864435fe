"""The library's spectrogram on the host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.runtime.host.library import ffi, lib
from tinyflash.spectrogram import Spectrogram, tables

Numbers = npt.NDArray[np.int16]


class NativeSpectrogram:
    """Makes frames of samples, as a board does."""

    def __init__(self, settings: Spectrogram) -> None:
        made = tables(settings)
        kinds = {"taper": "int16_t[]", "cosines": "int32_t[]"}
        kinds |= dict.fromkeys(("edges", "shares"), "uint16_t[]")
        self._tables = {k: ffi.new(c, getattr(made, k).tolist()) for k, c in kinds.items()}
        self._settings = settings
        sizes = (settings.window, settings.hop, settings.bands, settings.transform_log2)
        self._self = ffi.new("tiny_spectrogram *", [*sizes, *self._tables.values()])
        self._work = ffi.new("int32_t[]", lib.tiny_spectrogram_work(self._self))

    def frames(self, samples: Numbers) -> Numbers:
        """Returns [settings.count(n)][bands] of samples int16 [n]."""
        given, s = np.ascontiguousarray(samples, np.int16), self._settings
        found = np.zeros((s.count(len(given)), s.bands), np.int16)
        first = ffi.cast("int16_t *", given.ctypes.data)
        to = ffi.cast("int16_t *", found.ctypes.data)
        for n in range(len(found)):
            lib.tiny_spectrogram_run(self._self, first + n * s.hop, self._work, to + n * s.bands)
        return found


def encode(features: Numbers, multiplier: int, shift: int, zero: int) -> npt.NDArray[np.int8]:
    """Returns features as the int8 input of a network (SPEC 14.6)."""
    given = np.ascontiguousarray(features, np.int16)
    found = np.zeros(given.shape, np.int8)
    lib.tiny_spectrogram_encode(
        ffi.cast("int16_t *", given.ctypes.data),
        *(given.size, multiplier, shift, zero),
        ffi.cast("int8_t *", found.ctypes.data),
    )
    return found
