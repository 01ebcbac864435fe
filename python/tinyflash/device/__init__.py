"""A model on a board, emulated or real, reached over a serial line."""

from tinyflash.device.emulator import Emulator
from tinyflash.device.protocol import Info
from tinyflash.device.session import DeviceSession

__all__ = ["DeviceSession", "Emulator", "Info"]
