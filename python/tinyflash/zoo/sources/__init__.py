"""Networks and pictures for the demo and the tests, from pinned releases of public packages."""

from __future__ import annotations

from tinyflash.zoo.sources.faces import FacesTask, faces_task, lfw_faces
from tinyflash.zoo.sources.networks import MLPERF_TINY, OTHER_NETWORKS, mlperf_tiny, other_network

__all__ = [
    "MLPERF_TINY",
    "OTHER_NETWORKS",
    "FacesTask",
    "faces_task",
    "lfw_faces",
    "mlperf_tiny",
    "other_network",
]
