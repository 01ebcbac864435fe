"""Judges candidates by training them: in worker processes, with every finished result on disk."""

from tinyflash.search.engine.engine import Engine, engine_on
from tinyflash.search.engine.evaluate import Context, Trial, Verdict, evaluate

__all__ = ["Context", "Engine", "Trial", "Verdict", "engine_on", "evaluate"]
