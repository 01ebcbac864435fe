"""The main job from start to end: a pretrained network learns a new task on a board."""

from tinyflash.demo.report import Report
from tinyflash.demo.story import WRITTEN, Settings, run

__all__ = ["WRITTEN", "Report", "Settings", "run"]
