"""A spectrogram as a front end of a network: its settings, their text, its tables (SPEC 14)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError

NAME = "spectrogram"
RAW = "raw"  # no front end
UNIT = 1 / 64  # neper, of a feature
_WINDOW_S, _HOP_S = 0.030, 0.020
_LARGEST, _MOST_BANDS = 2048, 64  # samples of a transform
_HIGHEST = 4000.0  # Hz, where the rate allows it
_HIGHEST_RATE = 1 << 20


@dataclass(frozen=True)
class Spectrogram:
    """rate: samples per second. window, hop: samples. low, high: Hz, where the bands begin and
    end."""

    rate: int
    window: int
    hop: int
    bands: int = 10
    low: float = 20.0
    high: float = _HIGHEST

    def __post_init__(self) -> None:
        _check(self)

    @property
    def text(self) -> str:
        """What dataset.toml and boards call it."""
        return (
            f"{NAME}:rate={self.rate},window={self.window},hop={self.hop},bands={self.bands},"
            f"low={self.low:g},high={self.high:g}"
        )

    @property
    def transform_log2(self) -> int:
        return max(5, math.ceil(math.log2(self.window)))

    @property
    def work(self) -> int:
        """Bytes of RAM that it computes in, without the samples."""
        return 4 << self.transform_log2

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(f"b{number}" for number in range(1, self.bands + 1))

    def count(self, samples: int) -> int:
        """Returns the number of frames of so many samples."""
        return max(0, (samples - self.window) // self.hop + 1)


def _check(s: Spectrogram) -> None:
    for what, least, most in (
        ("rate", 1, _HIGHEST_RATE),
        ("window", 16, _LARGEST),
        ("hop", 1, s.window),
        ("bands", 1, _MOST_BANDS),
    ):
        value = getattr(s, what)
        if not least <= value <= most:
            raise DataError(f"{NAME}: {what} = {value} is not in {least} to {most}")
    if not 0 <= s.low < s.high <= s.rate / 2:
        raise DataError(
            f"{NAME}: bands from {s.low:g} to {s.high:g} Hz are not within 0 to half of the rate, "
            f"{s.rate / 2:g} Hz"
        )


def parse(text: str, rate: float | None) -> Spectrogram:
    """Reads `spectrogram` or `spectrogram:bands=40,high=8000`. rate: of the samples, where the text
    has none. Raises DataError."""
    name, _, rest = text.partition(":")
    if name != NAME:
        raise DataError(f"features {text!r} are not known; give raw, or {NAME}")
    given = dict(_setting(text, part) for part in rest.split(",") if part)
    rate = given.pop("rate", rate)
    if rate is None or rate != round(rate):
        raise DataError(f"{text}: {rate} samples per second; a {NAME} needs a whole number")
    window = given.get("window", max(16, round(rate * _WINDOW_S)))
    settings = {
        "window": window,
        "hop": max(1, min(window, rate * _HOP_S)),
        "high": min(_HIGHEST, rate / 2),
        **given,
    }
    window, hop = (round(settings[key]) for key in ("window", "hop"))
    bands = round(settings.get("bands", Spectrogram.bands))
    low = settings.get("low", Spectrogram.low)
    found = Spectrogram(round(rate), window, hop, bands, low, settings["high"])
    tables(found)
    return found


def _setting(text: str, part: str) -> tuple[str, float]:
    key, _, value = part.partition("=")
    if key not in ("rate", "window", "hop", "bands", "low", "high"):
        raise DataError(f"{text}: {key!r} is no setting; there are window, hop, bands, low, high")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    is_whole = key in ("low", "high") or number == round(number) if math.isfinite(number) else False
    if not is_whole:
        raise DataError(f"{text}: {key}={value} is not a {'whole ' * (key[0] not in 'lh')}number")
    return key, number


@dataclass(frozen=True)
class Tables:
    """taper int16 [window], cosines int32 [2^p / 4 + 1], edges [bands + 2] and shares uint16."""

    taper: npt.NDArray[np.int16]
    cosines: npt.NDArray[np.int32]
    edges: npt.NDArray[np.uint16]
    shares: npt.NDArray[np.uint16]

    @property
    def bytes(self) -> int:
        return sum(table.nbytes for table in vars(self).values())


def tables(s: Spectrogram) -> Tables:
    """Computes SPEC 14.1, 14.2 and 14.4. Raises DataError if a band has no bin."""
    length = 1 << s.transform_log2
    turns = 2 * np.pi * (np.arange(s.window) + 0.5) / s.window
    taper = np.minimum(np.rint(2**15 * (0.5 - 0.5 * np.cos(turns))), 32767)
    cosines = np.rint(2**30 * np.cos(2 * np.pi * np.arange(length // 4 + 1) / length))
    bins = np.arange(length // 2 + 1)
    low, high = (float(_mel(np.array(f))) for f in (s.low, s.high))
    places = (_mel(bins * s.rate / length) - low) * (s.bands + 1) / (high - low)
    first = math.floor(1.5 + s.low * length / s.rate)
    usable = np.where(bins >= first, places, -1.0)
    edges = np.searchsorted(usable, np.arange(s.bands + 2))
    for band in range(s.bands):
        if edges[band] == edges[band + 2]:
            raise DataError(
                f"{s.text}: band {band + 1} is narrower than the transform can tell apart; take "
                "fewer bands, or a longer window"
            )
    kept = places[edges[0] : edges[-1]]
    shares = np.rint(2**12 * (kept - np.floor(kept)))
    return Tables(
        taper.astype(np.int16),
        cosines.astype(np.int32),
        edges.astype(np.uint16),
        shares.astype(np.uint16),
    )


def _mel(frequency: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = 1127.0 * np.log1p(np.asarray(frequency, np.float64) / 700.0)
    return found
