"""tinyflash compile --candidate: several schemes of one network for one image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.commands import refused, tinyflash

LAST = '[[update]]\nlayers = ["fully_connected_2"]\nweights = '
SCHEMES = {
    "early": f'{LAST}0.0\n[[update]]\nlayers = ["conv2d_1"]\nweights = 1.0\nbias = true\n',
    "late-ones": f"{LAST}0.5\n",
}


@pytest.fixture
def candidates(tmp_path: Path) -> list[object]:
    words: list[object] = []
    for name, text in SCHEMES.items():
        (tmp_path / f"{name}.toml").write_text(text)
        words += ["--candidate", tmp_path / f"{name}.toml"]
    return words


def test_it_writes_models_and_sizes(model: Path, candidates: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = tinyflash("compile", model, *candidates, "--name", "gait", "-o", out)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["candidates.json", "gait.c", "gait.h"]
    report = json.loads((out / "candidates.json").read_text())
    assert [one["name"] for one in report["candidates"]] == ["early", "late_ones"]
    assert report["candidates"][0]["layers"] == {"conv2d_1": 1.0}
    assert report["candidates"][1]["layers"] == {"fully_connected_2": 0.5}
    assert report["image_bytes"] < report["image_bytes_apart"]
    for number in ("memory_bytes", "image_bytes", "image_bytes_apart"):
        assert f"{report[number]:,}" in done.stdout
    assert all(name in done.stdout for name in ("judge", "early", "late_ones"))
    header = (out / "gait.h").read_text()
    assert "#define GAIT_CHOICE_LATE_ONES 1u" in header
    assert f"#define GAIT_MEMORY_BYTES {report['memory_bytes']}u" in header


def test_a_candidate_that_would_judge_gets_a_warning(
    model: Path, candidates: list[object], tmp_path: Path
) -> None:
    scheme = tmp_path / "early.toml"
    scheme.write_text(f"fisher = 1\n{SCHEMES['early']}")
    done = tinyflash("compile", model, *candidates, "-o", tmp_path / "out")
    assert f"{scheme}: has fisher; only the judge needs" in done.stderr.replace("\n", " ")


def test_a_model_of_the_list_is_that_of_its_scheme(
    model: Path, candidates: list[object], tmp_path: Path
) -> None:
    report = json.loads(tinyflash("compile", model, *candidates, "-o", tmp_path, "--json").stdout)
    scheme = tmp_path / "early.toml"
    alone = tinyflash("compile", model, "--scheme", scheme, "-o", tmp_path / "alone", "--json")
    assert json.loads(alone.stdout)["hash"] == report["candidates"][0]["hash"]


def test_options_with_which_it_makes_no_sense(
    model: Path, candidates: list[object], tmp_path: Path
) -> None:
    first = candidates[:2]
    ones = ("compile", model, "-o", tmp_path / "out")
    said = "--candidate files are whole schemes; leave --scheme out"
    assert refused(*ones, *candidates, "--scheme", candidates[1]) == said
    said = "--candidate files are whole schemes; leave --budget out"
    assert refused(*ones, *candidates, "--budget", "8KB") == said
    assert "among two schemes or more" in refused(*ones, *first)
    assert "two schemes or more" not in refused(*ones, *first, *first)
    assert refused(*ones, *first, *first) == f"{first[1]} is given twice; leave one out"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "early.toml").write_text(SCHEMES["late-ones"])
    again = ("--candidate", tmp_path / "more" / "early.toml")
    assert "another candidate is named early" in refused(*ones, *first, *again)
    (tmp_path / "1st.toml").write_text(SCHEMES["early"])
    said = refused(*ones, *first, "--candidate", tmp_path / "1st.toml")
    assert said.startswith("candidate '1st': its name becomes a part of names in C")
    assert "no such scheme file" in refused(*ones, *first, "--candidate", tmp_path / "no.toml")
    assert not (tmp_path / "out").exists()


def test_models_that_are_too_large_for_every_memory(
    model: Path, candidates: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = ("--board", "qemu_microbit")
    assert tinyflash("compile", model, *candidates, *board, "-o", tmp_path).exit_code == 0
    monkeypatch.setattr("tinyflash.cli.candidates.ChoicesPage.memory_bytes", 16_385)
    said = refused("compile", model, *candidates, *board, "-o", tmp_path)
    assert said == (
        "board qemu_microbit: the largest of these models takes 16,385 bytes, and the largest "
        "memory has 16,384; train fewer channels or layers"
    )
