"""Words spoken by eSpeak NG (the program is GPL-3, its output is free), as spectrograms.

A speaker is a variant of a voice with a pitch; each has eight accents, and is slower or faster. The
same release of eSpeak NG always gives the same audio. The cache keeps the result.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from tinyflash.boards.toolchain import install_command, missing, package_manager
from tinyflash.errors import BuildError
from tinyflash.files import cache_dir, write_atomically
from tinyflash.show.console import counting
from tinyflash.zoo.sources.spectrogram import BANDS, RATE, frames, spectrogram

Sound = npt.NDArray[np.int16]
Spectrograms = npt.NDArray[np.uint16]

ACCENTS = (
    "en-us",
    "en-us-nyc",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
SPEAKERS = (
    *(f"m{i}" for i in range(1, 8)),
    *(f"f{i}" for i in range(1, 6)),
    *("Alex", "Alicia", "Andy", "Annie", "Lee", "Michael"),
    *("adam", "belinda", "benjamin", "david", "linda", "steph"),
)

_SPOKEN_RATE = 22050  # Hz, of eSpeak NG
_PEAK = 16384  # of a word, of 32767
_SILENT = 0.02  # of the peak
_FORMAT = 1  # raise it when anything here changes the output


@dataclass(frozen=True)
class Utterance:
    """A word and how it is spoken: pitch 0..99, speed in words per minute, place 0..1 in a
    second."""

    word: str
    speaker: str
    accent: str
    pitch: int
    speed: int
    place: float


def utterances(words: Sequence[str], speakers: Sequence[str], seed: int) -> Iterator[Utterance]:
    """Returns every word by every speaker in every accent. seed: draws pitches, speeds, places."""
    for speaker in speakers:
        random = np.random.default_rng((seed, SPEAKERS.index(speaker)))
        pitch = int(random.integers(35, 66))
        for accent in ACCENTS:
            for word in words:
                speed, place = int(random.integers(120, 171)), float(random.uniform(0.3, 0.7))
                yield Utterance(word, speaker, accent, pitch, speed, round(place, 3))


def spoken(wanted: Sequence[Utterance]) -> Spectrograms:
    """Returns each of `wanted` in one second: [n][frames][bands], from the cache if possible."""
    program = _program()
    path = cache_dir() / "speech" / f"{_key(wanted, program)}.npy"
    kept = _kept(path, len(wanted))
    if kept is None:
        kept = _speak(program, wanted)
        _keep(path, kept)
    return kept


def sounds(wanted: Sequence[Utterance]) -> Iterator[Sound]:
    """Returns each of `wanted` as one second of samples at RATE."""
    program = _program()
    return (_second(program, utterance) for utterance in wanted)


def _kept(path: Path, count: int) -> Spectrograms | None:
    """Returns the cached spectrograms, if intact."""
    try:
        found: Spectrograms = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.dtype == np.uint16 and found.shape == (count, frames(RATE), BANDS)
    return found if whole else None


def _speak(program: str, wanted: Sequence[Utterance]) -> Spectrograms:
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        counting("espeak-ng speaks", len(wanted)) as listen,
    ):
        said = pool.map(lambda utterance: _spectrogram(program, utterance), wanted)
        spectrograms = []
        for done, one in enumerate(said, start=1):
            spectrograms.append(one)
            listen(done)
    return np.stack(spectrograms)


def _program() -> str:
    found = shutil.which("espeak-ng")
    if found is None:
        command = install_command(missing(("speech",)), package_manager())
        raise BuildError(f"espeak-ng, which speaks the words, is missing; install with: {command}")
    return found


def _key(wanted: Sequence[Utterance], program: str) -> str:
    """Returns a key of the utterances and the eSpeak NG release."""
    release = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    said = json.dumps([_FORMAT, release.split("Data at")[0], [asdict(u) for u in wanted]])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _keep(path: Path, spectrograms: Spectrograms) -> None:
    def write(file: BinaryIO) -> None:
        np.save(file, spectrograms)

    write_atomically(path, write)


def _spectrogram(program: str, utterance: Utterance) -> Spectrograms:
    return spectrogram(_second(program, utterance)).astype(np.uint16)


def _second(program: str, utterance: Utterance) -> Sound:
    return _in_a_second(_resample(_say(program, utterance)), utterance.place)


def _say(program: str, utterance: Utterance) -> Sound:
    """Returns the samples at _SPOKEN_RATE."""
    voice = f"{utterance.accent}+{utterance.speaker}"
    how = ["-v", voice, "-p", str(utterance.pitch), "-s", str(utterance.speed)]
    run = subprocess.run([program, *how, "--stdout", utterance.word], capture_output=True)
    start = run.stdout.find(b"data") + 8  # a pipe does not know the length that follows
    samples = np.frombuffer(run.stdout[start : len(run.stdout) & ~1], "<i2")
    if run.returncode or not samples.any():
        reason = run.stderr.decode(errors="replace").strip().splitlines()
        raise BuildError(f"espeak-ng made no sound as {voice}: {(reason or ['silence'])[-1]}")
    return samples


def _resample(sound: Sound) -> npt.NDArray[np.float64]:
    """Resamples to RATE by cutting off the spectrum."""
    count = round(len(sound) * RATE / _SPOKEN_RATE)
    spectrum = np.fft.rfft(sound.astype(np.float64))[: count // 2 + 1]
    resampled: npt.NDArray[np.float64] = np.fft.irfft(spectrum, count)
    return resampled


def _in_a_second(sound: npt.NDArray[np.float64], place: float) -> Sound:
    """Returns the word without surrounding silence, at a fixed loudness, `place` of the way into a
    second."""
    loud = np.flatnonzero(np.abs(sound) > _SILENT * np.abs(sound).max())
    word = sound[loud[0] : loud[-1] + 1][:RATE]
    second = np.zeros(RATE, np.int16)
    start = int((RATE - len(word)) * place)
    second[start : start + len(word)] = np.rint(word * (_PEAK / np.abs(word).max()))
    return second
