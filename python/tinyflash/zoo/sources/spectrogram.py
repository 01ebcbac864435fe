"""Log-mel spectrograms like TensorFlow Lite's microfrontend, without its fixed point.

Windows of 30 ms every 20 ms, ten triangular bands evenly spaced in mel from 20 Hz to 4 kHz; a value
is 64 ln of the band's magnitude, 0 where that is below the resolution of the fixed-point original.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RATE = 16000  # Hz
BANDS = 10
_WINDOW, _STEP, _FFT = 480, 320, 512  # samples
_LOWEST, _HIGHEST = 20.0, 4000.0  # Hz
_STEPS_PER_NEPER = 64
_RESOLUTION = 8.0  # of a magnitude


def frames(samples: int) -> int:
    """Returns the number of windows that fit into this many samples."""
    return (samples - _WINDOW) // _STEP + 1


def spectrogram(audio: npt.NDArray[np.int16]) -> Floats:
    """Samples [n] at RATE -> [frames(n)][BANDS], integers >= 0."""
    starts = _STEP * np.arange(frames(len(audio)))[:, np.newaxis]
    pieces = audio[starts + np.arange(_WINDOW)] * _hann()
    energy = np.abs(np.fft.rfft(pieces, _FFT)) ** 2
    magnitude = _RESOLUTION * np.floor(np.sqrt(energy @ _bands()) / _RESOLUTION)
    values: Floats = np.rint(_STEPS_PER_NEPER * np.log(np.maximum(magnitude, 1)))
    return values


def _hann() -> Floats:
    places = np.arange(_WINDOW) + 0.5
    return 0.5 - 0.5 * np.cos(2 * np.pi * places / _WINDOW)


def _bands() -> Floats:
    """Returns [bins][BANDS]: the share of each bin in each band. Neighbours share the bins between
    their peaks."""
    width = RATE / _FFT
    lowest, highest = (_mel(np.array(f)) for f in (_LOWEST, _HIGHEST))
    spacing = (highest - lowest) / (BANDS + 1)
    bins = np.arange(_FFT // 2 + 1)
    place = (_mel(bins * width) - lowest) / spacing - 1  # in bands: 0 at the peak of the first
    share: Floats = np.maximum(0, 1 - np.abs(place[:, np.newaxis] - np.arange(BANDS)))
    share[: int(1.5 + _LOWEST / width)] = 0  # the original also omits the lowest bins
    return share


def _mel(frequency: npt.NDArray[np.floating]) -> Floats:
    mel: Floats = 1127.0 * np.log1p(np.asarray(frequency, np.float64) / 700.0)
    return mel
