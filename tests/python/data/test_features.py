"""Features of a set: frames, gaps, labels, and what has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.sets import signal_set, sound_set

from tinyflash.data import shards, text
from tinyflash.data.dataset import Dataset, Frames, Recording, load
from tinyflash.data.features import make_features, settings_for
from tinyflash.data.shards import NONE, Track, read
from tinyflash.errors import DataError
from tinyflash.runtime.host.spectrogram import NativeSpectrogram

TEXT = "spectrogram:window=64,hop=32,bands=8"


def test_frames_labels_and_what_a_set_says(tmp_path: Path) -> None:
    dataset = sound_set(tmp_path / "set", 1600)
    dataset = replace(dataset, splits={"train": ("noise",), "test": ()}, split_by="subject")
    settings = settings_for(dataset, TEXT)
    make_features(dataset, settings, tmp_path / "made")
    made = load(tmp_path / "made")
    (one,) = made.recordings
    assert (one.name, one.subject, one.session, one.source) == ("noise", "anna", "monday", "drawn")
    assert made.frames.shape == (8,) and made.frames.rate == 50.0 and made.frames.scale == 1 / 64
    assert made.frames.front_end == settings.text and made.classes == dataset.classes
    assert made.splits == {"train": ("noise",), "test": ()}
    samples = read(dataset, dataset.recordings[0])
    track = read(made, one)
    assert (track.frames == NativeSpectrogram(settings).frames(samples.frames[:, 0])).all()
    for number, label in zip(track.numbers, track.labels, strict=True):
        share = samples.labels[32 * number :][:64].mean()
        assert label == (NONE if share == 0.5 else share > 0.5)
    assert NONE in track.labels


def test_no_frame_reaches_across_a_gap(tmp_path: Path) -> None:
    about = Frames((1,), 1600.0)
    values = np.random.default_rng(1).integers(-99, 99, (700, 1)).astype(np.int16)
    numbers = np.arange(700) + 50 * (np.arange(700) >= 300) + 40 * (np.arange(700) >= 340)
    parts = Track(values, numbers, np.full(700, NONE, np.int32))
    dataset = shards.append(Dataset(tmp_path / "set", about), Recording("a", ()), parts)
    settings = settings_for(dataset, TEXT)
    made = make_features(dataset, settings, tmp_path / "made")
    track = read(made, made.recordings[0])
    inside = [n for n in range(40) if np.isin(np.arange(32 * n, 32 * n + 64), numbers).all()]
    assert track.numbers.tolist() == inside
    native = NativeSpectrogram(settings)
    for number, frame in zip(track.numbers, track.frames, strict=True):
        at = np.searchsorted(numbers, 32 * number)
        assert (frame == native.frames(values[at : at + 64, 0])[0]).all()


@pytest.mark.parametrize(("kind", "full"), [("float32", 1.0), ("int32", 2**31)])
def test_sound_of_other_numbers_is_that_of_16_bits(tmp_path: Path, kind: str, full: float) -> None:
    whole = sound_set(tmp_path / "set", 800)
    track = read(whole, whole.recordings[0])
    wide = (track.frames / 32768 * full).astype(kind)
    about = replace(whole.frames, scale=1 / full)
    other = shards.append(
        Dataset(tmp_path / "wide", about, whole.classes),
        whole.recordings[0],
        replace(track, frames=wide),
    )
    settings = settings_for(other, TEXT)
    found = [
        read(made, made.recordings[0]).frames
        for made in (
            make_features(one, settings, tmp_path / f"made {n}")
            for n, one in enumerate((whole, other))
        )
    ]
    assert (found[0] == found[1]).all()


def test_what_has_no_features(tmp_path: Path) -> None:
    signal_set(tmp_path / "two")
    sound = sound_set(tmp_path / "set", 800)
    out = ("-o", tmp_path / "made")
    assert "of one channel" in refused("data", "features", tmp_path / "two", *out)
    asked = ("data", "features", tmp_path / "set", *out, "--features")
    assert "1600" in refused(*asked, "spectrogram:rate=8000")
    assert "are not known" in refused(*asked, "raw")
    assert tinyflash(*asked, TEXT).exit_code == 0
    assert "is a data set already" in refused(*asked, TEXT)
    again = ("data", "features", tmp_path / "made", "-o", tmp_path / "again")
    assert "holds features already" in refused(*again)
    loud = shards.append(
        Dataset(tmp_path / "loud", Frames((1,), 1600.0)),
        Recording("a", ()),
        Track(np.full((99, 1), 1.5, np.float32), np.arange(99), np.full(99, NONE, np.int32)),
    )
    with pytest.raises(DataError, match="numbers beyond -1 to 1"):
        make_features(loud, settings_for(loud, TEXT), tmp_path / "no")
    text.save(sound)


def test_export_with_features(tmp_path: Path) -> None:
    sound_set(tmp_path / "set", 1600)
    file = tmp_path / "x.npz"
    command = ("data", "export", tmp_path / "set", "--features", TEXT, "--window", 10, "--hop", 5)
    done = tinyflash(*command, "-o", file)
    assert done.exit_code == 0, done.output
    x = np.load(file)["x"]  # of 8 windows, one is half low, half high
    assert x.shape == (7, 10, 8) and x.dtype == np.float32
    again = tinyflash(
        "data", "features", tmp_path / "set", "--features", TEXT, "-o", tmp_path / "m"
    )
    assert again.exit_code == 0
    made = load(tmp_path / "m")
    frames = read(made, made.recordings[0]).frames
    assert (x[0] == frames[:10] / 64).all()


def test_collect_and_build_say_what_features_need(tmp_path: Path) -> None:
    board = ("collect", "--board", "qemu_stm32f405", "-o", tmp_path / "set")
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 40)
    replay = (*board, "--replay", tmp_path / "a.csv", "--rate", "100", "--features")
    assert "shorter than a window of 50" in refused(*replay, "spectrogram:window=50,low=1,bands=1")
    assert "100 per second" in refused(*replay, "spectrogram:rate=200,window=20,low=1,bands=1")
    port = ("collect", "--port", "socket://localhost:1", "-o", tmp_path / "set", "--features")
    assert "has that of its own" in refused(*port, "spectrogram")
    build = ("build", tmp_path, "--features", "spectrogram:rate=16000")
    assert "--features needs --collect" in refused(*build)
