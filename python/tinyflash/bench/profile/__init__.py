"""Counts instructions of a firmware by call, block and class, with a plugin of the emulator."""

from tinyflash.bench.profile.code import Instruction
from tinyflash.bench.profile.run import Block, Call, Profile, profiled

__all__ = ["Block", "Call", "Instruction", "Profile", "profiled"]
