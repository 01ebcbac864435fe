"""All that is fuzzed, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.archives import DATA, LEARNED
from tests.fuzz.links import LINK
from tests.fuzz.models import FLOAT_TFLITE, TFLITE
from tests.fuzz.onnx_models import ONNX
from tests.fuzz.schemes import SCHEME
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    "tflite": TFLITE,
    "float_tflite": FLOAT_TFLITE,
    "onnx": ONNX,
    "scheme": SCHEME,
    "data": DATA,
    "learned": LEARNED,
    "link": LINK,
}
