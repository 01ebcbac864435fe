"""Runs a model on a board, emulated or real, over a serial line."""

from tinyflash.runtime.device.protocol import Info
from tinyflash.runtime.device.session import DeviceSession

__all__ = ["DeviceSession", "Info"]
