"""The memory of candidate schemes, in milliseconds: a model of the planner, for searches."""

from tinyflash.search.memory.model import Memory, MemoryModel

__all__ = ["Memory", "MemoryModel"]
