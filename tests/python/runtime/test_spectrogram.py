"""The spectrogram: to the letter of SPEC 14, and near the true one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from tinyflash.errors import DataError
from tinyflash.factor import multiplier
from tinyflash.reference.spectrogram import SpectrogramReference
from tinyflash.runtime.host.spectrogram import NativeSpectrogram, encode
from tinyflash.spectrogram import Spectrogram, parse, tables

KINDS = (
    "rate=16000",
    "rate=16000,bands=40,high=8000",
    "rate=8000,window=256,hop=256,bands=20,low=0,high=4000",
    "rate=25600,window=1024,hop=300,bands=32,low=100,high=12800",
    "rate=48000,window=2048,hop=1000,bands=64,low=20,high=24000",
    "rate=100,window=16,hop=3,bands=1,low=5,high=50",
    "rate=400,window=31,hop=31,bands=5,low=10,high=200",
)


def sounds(count: int, rate: int) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
    """Quiet, loud, sharp and random ones."""
    random, n = np.random.default_rng(count), np.arange(count)
    yield "silence", np.zeros(count, np.int16)
    for name, level in (("highest", 32767), ("lowest", -32768)):
        yield name, np.full(count, level, np.int16)
    for period in (2, 4, 7, count):
        yield f"square {period}", np.where(n * 2 // period % 2, 32767, -32768).astype(np.int16)
    yield "impulse", np.where(n == count // 2, -32768, 0).astype(np.int16)
    for level in (1, 8, 300, 32767):
        yield f"noise {level}", random.integers(-level, level + 1, count).astype(np.int16)
    for part in (0.02, 0.11, 0.37):
        tone = 32767 * np.sin(2 * np.pi * part * n + random.uniform(0, 6))
        yield f"tone {part * rate:g} Hz", np.rint(tone).astype(np.int16)
        yield f"faint tone {part}", np.rint(tone / 3000).astype(np.int16)


def windows(sound: npt.NDArray[np.int16], s: Spectrogram) -> npt.NDArray[np.int16]:
    return np.stack([sound[i * s.hop :][: s.window] for i in range(s.count(len(sound)))])


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_what_the_specification_says(kind: str) -> None:
    s = parse(f"spectrogram:{kind}", None)
    native = NativeSpectrogram(s)
    reference = SpectrogramReference(s.rate, s.window, s.bands, s.low, s.high)
    for name, sound in sounds(s.window + 3 * s.hop, s.rate):
        assert (native.frames(sound) == reference.features(windows(sound, s))).all(), name


def true_magnitudes(pieces: npt.NDArray[np.int16], s: Spectrogram) -> npt.NDArray[np.float64]:
    """By numpy's transform, in double precision, from the textbook: no table of the library's."""
    i, length = np.arange(s.window) + 0.5, max(32, 2 ** int(np.ceil(np.log2(s.window))))
    spectrum = np.fft.rfft(pieces * np.sin(np.pi * i / s.window) ** 2, length)
    hertz = np.fft.rfftfreq(length, 1 / s.rate)
    mels = 2595 * np.log10(1 + hertz / 700)
    ends = 2595 * np.log10(1 + np.array([s.low, s.high]) / 700)
    peaks = np.linspace(*ends, s.bands + 2)
    triangles = [np.interp(mels, peaks[b : b + 3], [0, 1, 0]) for b in range(s.bands)]
    shares = np.array(triangles)
    shares[:, : int(1.5 + s.low * length / s.rate)] = 0
    found: npt.NDArray[np.float64] = np.sqrt(np.abs(spectrum) ** 2 @ shares.T)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_near_the_true_one(kind: str) -> None:
    """A feature is that of a magnitude within 1.5 units and a thousandth of the true one, in steps
    of 8 units, to within 0.6."""
    s = parse(f"spectrogram:{kind}", None)
    native = NativeSpectrogram(s)
    for name, sound in sounds(s.window + 3 * s.hop, s.rate):
        true = true_magnitudes(windows(sound, s), s)
        loudest = np.abs(sound.astype(float)).max() * s.window
        error = 1.5 + 1e-3 * true + 2e-6 * loudest
        low, high = (8 * np.floor(np.maximum(m, 0) / 8) for m in (true - error, true + error))
        found = native.frames(sound)
        least, most = (np.where(m > 0, 64 * np.log(np.maximum(m, 1)), 0) for m in (low, high))
        assert (found >= least - 0.6).all() and (found <= most + 0.6).all(), name


def test_input_of_a_network() -> None:
    """Every feature, at some scales, beside the rule in double precision."""
    features = np.arange(1200, dtype=np.int16)
    for scale, zero in ((0.0837, -128), (0.1, 3), (0.05, 127), (2.0, 0)):
        by, shift = multiplier(1 / (2**24 * scale))
        found = encode(features, by, shift, zero)
        true = np.clip(features / 64 / scale + zero, -128, 127)
        assert np.abs(found - true).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("text", "rate", "said"),
    [
        ("mfcc", 16000, "features 'mfcc' are not known; give raw, or spectrogram"),
        ("spectrogram", None, "needs a whole number"),
        ("spectrogram", 44.1, "needs a whole number"),
        ("spectrogram:hops=3", 16000, "'hops' is no setting"),
        ("spectrogram:bands=x", 16000, "bands=x is not a whole number"),
        ("spectrogram:bands=2.5", 16000, "bands=2.5 is not a whole number"),
        ("spectrogram:low=inf", 16000, "low=inf is not a number"),
        ("spectrogram:window=2049", 16000, "window = 2049 is not in 16 to 2048"),
        ("spectrogram:hop=481", 16000, "hop = 481 is not in 1 to 480"),
        ("spectrogram:bands=65", 16000, "bands = 65 is not in 1 to 64"),
        ("spectrogram:bands=0", 16000, "bands = 0 is not in 1 to 64"),
        ("spectrogram:high=8001", 16000, "not within 0 to half of the rate, 8000 Hz"),
        ("spectrogram:low=4000", 16000, "not within"),
        ("spectrogram:window=256,bands=64", 16000, "narrower than the transform can tell apart"),
        ("spectrogram:rate=2000000", None, "rate = 2000000 is not in 1 to"),
    ],
)
def test_what_is_no_spectrogram(text: str, rate: float | None, said: str) -> None:
    with pytest.raises(DataError) as error:
        parse(text, rate)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_its_text() -> None:
    s = parse("spectrogram:bands=12", 16000)
    assert s.text == "spectrogram:rate=16000,window=480,hop=320,bands=12,low=20,high=4000"
    assert parse(s.text, None) == s
    assert tables(s).bytes < 2400
