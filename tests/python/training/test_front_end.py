"""A network goes on only with the front end that it has learned from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import signal_set

from tinyflash.data.collecting.recorder import Controls, Plan, Recorder
from tinyflash.data.collecting.source import Source
from tinyflash.errors import DataError
from tinyflash.training.front_end import RECORD, check_same, front_end_of, learned_from

BANDS = "spectrogram:rate=16000,window=480,hop=320,bands=10,low=20,high=4000"


def as_features(folder: Path) -> Path:
    """Turns a set into one that says it is of features."""
    path = folder / "dataset.toml"
    path.write_text(re.sub('front_end = ".*"', f'front_end = "{BANDS}"', path.read_text()))
    return folder


def test_a_run_says_what_it_has_learned_from_and_goes_on_with_that_only(tmp_path: Path) -> None:
    file = File(3)
    x = file.conv(file.input((1, 1, 20, 2), zero=0), (1, 3), out=4, activation=3, zero=-128)
    (tmp_path / "model.tflite").write_bytes(file.finish(file.dense(x, 2)))
    signal_set(tmp_path / "raw")
    signal_set(tmp_path / "bands")
    as_features(tmp_path / "bands")
    for name in ("raw", "bands"):
        assert tinyflash("data", "split", tmp_path / name, "--by", "subject").exit_code == 0
    command = ("train", tmp_path / "model.tflite", "--epochs", 1, "-o", tmp_path / "out")
    assert tinyflash(*command, "--data", tmp_path / "bands").exit_code == 0
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["front_end"] == BANDS
    learned = tmp_path / "out" / "learned.npz"
    why = f"{tmp_path / 'raw'} has the front end raw, what {learned} has learned from {BANDS};"
    more = ("--data", tmp_path / "raw", "--resume", learned)
    assert why in refused(*command[:-1], tmp_path / "again", *more)
    assert not (tmp_path / "again").exists()
    live = ("train", tmp_path / "model.tflite", "--live", "--auto", "-o", tmp_path / "again")
    assert why in refused(*live, *more)
    scored = ("evaluate", tmp_path / "model.tflite", "--learned", learned, "--data")
    assert why in refused(*scored, tmp_path / "raw")
    assert tinyflash(*scored, tmp_path / "bands").exit_code == 0
    both = ("--data", tmp_path / "bands", "--test", tmp_path / "raw")
    assert "a network reads one of them only" in refused(*live, *both)
    built = refused("build", tmp_path / "out", "--collect", 4096)
    assert f"this firmware has the front end raw, what the model of {tmp_path / 'out'}" in built


def test_what_is_not_known_is_not_compared(tmp_path: Path) -> None:
    assert learned_from(tmp_path) is None
    for text in ("", "[]", "{}", '{"front_end": 1}', "[" * 100_000, '{"front_end": null}'):
        (tmp_path / RECORD).write_text(text)
        assert learned_from(tmp_path) is None
    (tmp_path / RECORD).write_text('{"front_end": "raw", "hash": "0badcafe"}')
    assert learned_from(tmp_path) == "raw"
    assert learned_from(tmp_path, "0badcafe") == "raw"
    assert learned_from(tmp_path, "deadbeef") is None
    assert front_end_of((None, tmp_path / "x.npz"), tmp_path / "learned.npz") == "raw"
    check_same(None, "it", BANDS, "that")
    check_same(BANDS, "it", BANDS, "that")
    with pytest.raises(DataError, match="that has the front end raw, it spectrogram:rate=16000"):
        check_same(BANDS, "it", "raw", "that")


def test_a_board_with_another_front_end_than_its_network_is_refused(tmp_path: Path) -> None:
    """Before the set is made."""
    sensor = SimpleNamespace(info=SimpleNamespace(front_end="raw"))
    source = cast(Source, SimpleNamespace(connect=lambda: sensor))
    with pytest.raises(DataError, match=f"front end 'raw', .* learned from '{BANDS}'; build"):
        Recorder(tmp_path / "set", source, Plan("walk", front_end=BANDS), Controls())
    assert not (tmp_path / "set").exists()
