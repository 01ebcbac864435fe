"""How a walking body vibrates at the waist, as MLPerf Tiny's anomaly network reads sound: spectra.

Recorded motion (HAPT): the magnitude of the acceleration at 50 Hz. A sample is five spectra of 256
moments, 16 moments apart: 128 bands of 20 log10 of the energy, plus 100.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyflash.zoo.activity import runs
from tinyflash.zoo.sources.activity import ACTIVITIES, Recording, recordings

Floats = npt.NDArray[np.float32]

BANDS, SPECTRA = 128, 5
_FFT, _STEP = 256, 16
_LENGTH = _FFT + (SPECTRA - 1) * _STEP  # moments of a sample
_FLOOR, _HIGHEST, _OFFSET = 1e-4, 236.0, 100.0
WALKING = (ACTIVITIES.index("walking"),)
STAIRS = (ACTIVITIES.index("upstairs"), ACTIVITIES.index("downstairs"))


def spectra(acceleration: npt.NDArray[np.float32], hop: int) -> Floats:
    """Samples [n][SPECTRA][BANDS][1] of accelerations [moments][3], `hop` moments apart."""
    length = np.linalg.norm(acceleration, axis=1)
    starts = np.arange(0, len(length) - _LENGTH + 1, hop)[:, None, None]
    moments = starts + _STEP * np.arange(SPECTRA)[:, None] + np.arange(_FFT)
    pieces = length[moments]
    pieces = (pieces - pieces.mean(-1, keepdims=True)) * np.hanning(_FFT)
    energy = np.abs(np.fft.rfft(pieces))[..., 1 : BANDS + 1] ** 2
    found = np.clip(_OFFSET + 20 * np.log10(energy + _FLOOR), 0, _HIGHEST)
    return found.astype(np.float32)[..., None]


def samples(recording: Recording, activities: tuple[int, ...], hop: int) -> Floats:
    """Returns the samples of some activities, in the order of time; none reaches into another."""
    found = [
        spectra(recording.motion[first:end, :3], hop)
        for first, end in runs(recording.labels)
        if recording.labels[first] in activities and end - first >= _LENGTH
    ]
    return np.concatenate([np.zeros((0, SPECTRA, BANDS, 1), np.float32), *found])


def walkers(among: Sequence[int]) -> list[int]:
    """Returns the people whose two first recordings have enough walking, and stairs."""
    people = recordings()
    return [
        person
        for person in among
        if len(samples(people[person][0], WALKING, 50))
        and all(len(samples(people[person][1], what, 50)) for what in (WALKING, STAIRS))
    ]
